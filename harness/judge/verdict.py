"""Verdicts of runs and statuses of checks; the worst wins: FAIL > INVALID > INCONCLUSIVE > PASS."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, StrEnum

from harness.errors import Exit


class Verdict(Enum):
    """The verdict on a run; a join-semilattice with PASS as its least element."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    FAIL = "FAIL"

    @property
    def exit_code(self) -> Exit:
        """The exit code of a command that ends with this verdict."""
        return Exit[self.name]

    def __or__(self, other: Verdict) -> Verdict:
        """The worse of both."""
        return max(self, other, key=_ORDER.index)


class Status(StrEnum):
    """The result of one check: a verdict, or that the check does not apply to the run."""

    PASS = "PASS"  # noqa: S105 - a status, not a password
    NOT_APPLICABLE = "NOT_APPLICABLE"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    FAIL = "FAIL"

    @classmethod
    def of(cls, verdict: Verdict) -> Status:
        """The status of a check that reached a verdict."""
        return cls[verdict.name]

    @property
    def verdict(self) -> Verdict:
        """What the check contributes to the run's verdict; PASS where it does not apply."""
        return Verdict.PASS if self is Status.NOT_APPLICABLE else Verdict[self.name]

    @property
    def is_clean(self) -> bool:
        """Whether the check found no problem: PASS or NOT_APPLICABLE."""
        return self.verdict is Verdict.PASS


_ORDER = tuple(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of all; PASS for none."""
    found = Verdict.PASS
    for verdict in verdicts:
        found |= verdict
    return found
