"""How the system under test is started, as an option says it."""

from __future__ import annotations

from enum import StrEnum


class StackKind(StrEnum):
    """How the system under test is started."""

    PROCESS = "process"
    DOCKER = "docker"
    ATTACH = "attach"
