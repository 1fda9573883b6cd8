"""Whose a container, network or volume is: labels on everything that the harness makes."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.process.proc import is_running, start_ticks

RUN = "signal-harness.run.lifecycle"
KIND = "signal-harness.kind"
OWNER = "signal-harness.owner"
SERVICE = "signal-harness.service"
# On networks: what another process must know of a running stack. No secret.
SETTINGS = "signal-harness.settings"

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")


class Kind(StrEnum):
    """How long it is to live: as long as the run, or until `harness stack down`."""

    RUN = "run"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that made something, distinct from every other one.

    A pid alone is not enough: it is used again, it means nothing in another pid namespace, and
    containers with a restart policy come back after the host's restart, when nothing owns them.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    ticks: int

    @classmethod
    def this_process(cls) -> Owner:
        """The calling process."""
        return cls(*_here(), pid=os.getpid(), ticks=start_ticks(os.getpid()))

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """An owner as `str` wrote it; None for anything else."""
        parts = text.split("/")
        with suppress(ValueError):
            host, boot, namespace, pid, ticks = parts
            return cls(host, boot, namespace, int(pid), int(ticks))
        return None

    def __str__(self) -> str:
        return f"{self.host}/{self.boot}/{self.namespace}/{self.pid}/{self.ticks}"

    def is_gone(self) -> bool:
        """Whether that process surely has ended; False when it cannot be known from here."""
        host, boot, namespace = _here()
        if self.host != host:
            return False
        if self.boot != boot:
            return True
        return self.namespace == namespace and not is_running(self.pid, self.ticks)


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """The labels of one stack."""

    token: str
    kind: Kind
    owner: Owner

    @classmethod
    def new(cls, kind: Kind) -> RunIdentity:
        """A mark for a stack that this process starts."""
        return cls(secrets.token_hex(4), kind, Owner.this_process())

    def labels(self, service: str = "") -> dict[str, str]:
        """Labels for a container of `service`, or for a network or a volume."""
        shared = {RUN: self.token, KIND: str(self.kind), OWNER: str(self.owner)}
        return {**shared, SERVICE: service} if service else shared

    def name(self, part: str) -> str:
        """A name in the engine that no other stack has."""
        return f"harness-{self.token}-{part}"


def is_stale(labels: Mapping[str, str]) -> bool:
    """Whether the labelled thing was left by a run that died."""
    owner = Owner.parse(labels.get(OWNER, ""))
    return labels.get(KIND) == Kind.RUN and owner is not None and owner.is_gone()


def _here() -> tuple[str, str, str]:
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
        namespace = os.readlink(_PID_NAMESPACE)  # noqa: PTH115 - the link's text is its identity
    except OSError:
        boot, namespace = "", ""
    return socket.gethostname().replace("/", "_"), boot, namespace
