"""The input of the process that plays the rounds."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.scenario.gate import Gate


class GatePlan(BaseModel):
    """The single line of its standard input.

    Attributes:
        seed: of the scenario.
        url: of the gate's node.
        path: file that the rounds are appended to.
        log: file for the standard error of the decision service.
        root: folder that holds `compose/`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Gate
    seed: int
    url: str
    path: Path
    log: Path
    root: Path

    def to_stdin(self) -> str:
        """One line of JSON."""
        return self.model_dump_json() + "\n"
