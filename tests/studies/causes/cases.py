"""Which scenario provokes which cause, and what the diagnosis must say of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.studies.matrix.runs import ROOT

FOLDER = ROOT / "scenarios" / "causes"
ENGINE_CPU, REDIS_MEMORY, NONCE_LOCKS, RPC = KEYS = (
    "engine_cpu",
    "redis_memory",
    "nonce_locks",
    "rpc",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario.

    Attributes:
        name: of the file.
        causes: keys of the questions whose answer must be yes, the headline first; none for a
            healthy run, whose answers must all be no.
    """

    name: str
    causes: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file."""
        return FOLDER / f"{self.name}.toml"

    @property
    def headline(self) -> str | None:
        """Key of the question that must be the headline."""
        return self.causes[0] if self.causes else None


CASES = (
    Case("engine-cpu", (ENGINE_CPU,)),
    Case("redis-memory", (REDIS_MEMORY,)),
    Case("nonce-lock", (NONCE_LOCKS,)),
    Case("slow-rpc", (RPC,)),
    Case("two-causes", (NONCE_LOCKS, RPC)),
    Case("healthy"),
)
