"""Which backups stay: the newest so many, by the day in their name."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = re.compile(r"^day-([0-9]{4,9})\.dump$")


def name_of(day: int) -> str:
    """The file of a day's backup; days count from 1."""
    return f"day-{day:04d}.dump"


def day_of(name: str) -> int | None:
    """The day of a backup by its name; None for what is no backup."""
    match = _NAME.match(name)
    return int(match[1]) if match and name_of(int(match[1])) == name else None


def retained(names: Iterable[str], count: int) -> frozenset[str]:
    """The names that stay: the `count` newest backups, and every file that is no backup.

    Args:
        names: of the files in the folder.
        count: at least one.
    """
    names = frozenset(names)
    # By the number: after day 9999 the order of the letters is another one.
    days = sorted((day, name) for name in names if (day := day_of(name)) is not None)
    return names - {name for _, name in days[:-count]}
