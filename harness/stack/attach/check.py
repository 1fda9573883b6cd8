"""What is known of a running system before any load: checks with stable ids, as data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from harness.errors import Exit, nearest


class CheckOutcome(StrEnum):
    """What came of a check."""

    OK = "ok"
    NOT_OK = "not ok"
    NOT_APPLICABLE = "not applicable"


class Problem(NamedTuple):
    """One thing that is wrong, and what to do about it."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """One check.

    Attributes:
        id: stable; docs/attach.md lists them.
        message: one sentence with the figures, or the reason why it is not applicable.
        hint: what to do; a check that is ok may have one too.
        exit_code: what a run ends with because of it.
    """

    id: str
    outcome: CheckOutcome
    message: str
    hint: str = ""
    exit_code: Exit = Exit.PASS

    @property
    def is_failed(self) -> bool:
        """Whether it keeps a run from its load."""
        return self.outcome is CheckOutcome.NOT_OK


def check_from(
    check_id: str, problems: Iterable[Problem], fine: str, hint: str = ""
) -> PreflightCheck:
    """A check that is ok if nothing is wrong.

    Args:
        check_id: its id.
        problems: everything that is wrong.
        fine: the message if nothing is.
        hint: of a check that is ok.
    """
    found = list(problems)
    if not found:
        return PreflightCheck(check_id, CheckOutcome.OK, fine, hint)
    return failed_check(
        check_id,
        "; ".join(problem.message for problem in found),
        "; ".join(dict.fromkeys(problem.hint for problem in found if problem.hint)),
    )


def failed_check(
    check_id: str, message: str, hint: str = "", exit_code: Exit = Exit.USAGE
) -> PreflightCheck:
    """A check that is not ok."""
    return PreflightCheck(check_id, CheckOutcome.NOT_OK, message, hint, exit_code)


def not_applicable(check_id: str, reason: str) -> PreflightCheck:
    """A check that does not apply, or cannot be made before another one is ok."""
    return PreflightCheck(check_id, CheckOutcome.NOT_APPLICABLE, reason)


def exit_code_of(checks: Sequence[PreflightCheck]) -> Exit:
    """PASS if all is ok; STACK if a server cannot be reached or used now; USAGE otherwise."""
    codes = {check.exit_code for check in checks if check.is_failed}
    if Exit.STACK in codes:
        return Exit.STACK
    return Exit.USAGE if codes else Exit.PASS


def suggest(text: str, known: Iterable[str]) -> str:
    """The hint for a text that is not known: the nearest one that is."""
    found = nearest(text, known)
    return f"did you mean {found}?" if found else ""
