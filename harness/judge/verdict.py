"""Verdicts, of which the worst wins: FAIL > INVALID > INCONCLUSIVE > PASS."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from harness.errors import Exit


class Verdict(Enum):
    """What a run comes to; a join-semilattice with PASS as its least element."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    FAIL = "FAIL"

    @property
    def exit_code(self) -> Exit:
        """The exit code that tells it."""
        return Exit[self.name]

    def __or__(self, other: Verdict) -> Verdict:
        """The worse of both."""
        return max(self, other, key=_ORDER.index)


_ORDER = tuple(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of all; PASS for none."""
    found = Verdict.PASS
    for verdict in verdicts:
        found |= verdict
    return found
