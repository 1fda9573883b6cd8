"""The list of defects, read from the file that the harness reads too."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ENGINE = "engine"
FILE = Path(__file__).parent / "catalogue.toml"


@dataclass(frozen=True, slots=True)
class DefectKind:
    """A defect that can be switched on.

    Attributes:
        about: what it does, completing "the engine ...", or whose defect it is.
        when: when it occurs by default.
        settings: its own settings and their defaults.
        of: the service that has it.
    """

    name: str
    about: str
    when: Mapping[str, float]
    settings: Mapping[str, float] = field(default_factory=dict)
    of: str = ENGINE


@cache
def catalogue() -> Mapping[str, DefectKind]:
    """Every defect by its name."""
    document = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {name: DefectKind(name, **entry) for name, entry in document.items()}
