"""The specification's table of quotas as data (`compose/specification.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UsageError
from harness.scenario.file import read_toml
from harness.stack.compose_file import RestartSpec, parse_restart, size_bytes

FILE = "specification.toml"


class Quota(BaseModel):
    """One row of section 5, with what sections 2 and 3 add to it.

    Attributes:
        image: the image that runs it, or that its own image is built on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: Annotated[float, Field(gt=0)]
    memory: str
    restart: str
    image: str | None = None
    cpu_shares: int | None = None
    core_dumps: bool = False
    tmpfs: bool = False
    volume: bool = False
    read_only_code: bool = False
    networks: tuple[str, ...] | None = None
    settings: Mapping[str, str] = {}

    @property
    def memory_bytes(self) -> int:
        """The memory quota in bytes."""
        return size_bytes(self.memory)

    @property
    def policy(self) -> RestartSpec:
        """The restart policy."""
        return parse_restart(self.restart)


def read_specification(folder: Path) -> dict[str, Quota]:
    """The quotas by service.

    Args:
        folder: `compose`.

    Raises:
        UsageError: the file is missing or wrong.
    """
    path = folder / FILE
    try:
        return {name: Quota.model_validate(row) for name, row in read_toml(path).items()}
    except ValidationError as error:
        raise UsageError(f"not a table of quotas: {error}", where=str(path)) from error
