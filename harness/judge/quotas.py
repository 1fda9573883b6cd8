"""Whether every container ran under the quotas and settings that the specification gives."""

from __future__ import annotations

from typing import Any

from harness.judge.agent_pool import planned_departures
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec
from harness.judge.verdict import Status, Verdict

QUOTAS_ENFORCED = CheckSpec(
    "quotas_enforced",
    "quotas enforced",
    CheckKind.VALIDITY,
    invalid="the live control group of a container differs from what is specified, or was not read",
)
_SHOWN = 3
_EXAMPLES_MAX = 20
_HINT = "`harness doctor` names what this host lacks for these quotas; see docs/containers.md"


def check_quotas(case: CheckContext) -> Check | tuple[Check, ...]:
    """A mismatch, or rows that were not read, make a run on containers invalid.

    A stack of processes has no quotas; its grade has that reason.
    """
    if case.stack.get("kind") != "docker":
        return ()
    rows = _rows(case.stack.get("verification"))
    ended = [row for row in rows if row.get("when") == "end"]
    if not ended:
        return _check(Verdict.INVALID, "the live quotas were not read at the end of the run", ())
    gone = planned_departures(case)
    failed = [row for row in rows if row.get("ok") is not True]
    wrong = tuple(_format_row(row) for row in failed if not _is_gone(row, gone))
    if not wrong:
        message = f"all {len(rows)} rows are as specified, before and after"
        if failed:
            message += f", but for {len(failed)} of what was made to leave the pool"
        return _check(Verdict.PASS, message, ())
    shown = "; ".join(wrong[:_SHOWN])
    more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return _check(
        Verdict.INVALID, f"{len(wrong)} of {len(rows)} rows are not: {shown}{more}", wrong
    )


def quotas_hold(case: CheckContext) -> bool:
    """Whether the run was on containers, and every row was as specified."""
    found = check_quotas(case)
    return isinstance(found, Check) and found.status is Status.PASS


def _is_gone(row: dict[str, Any], gone: frozenset[str]) -> bool:
    """Whether a row only shows that a container which left the pool does not run."""
    return (
        row.get("setting") == "state"
        and row.get("when") == "end"
        and (row.get("container") in gone)
    )


def _rows(verification: Any) -> list[dict[str, Any]]:
    rows = verification.get("rows") if isinstance(verification, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _format_row(row: dict[str, Any]) -> str:
    return (
        f"{row.get('container')}: {row.get('setting')} is {row.get('live')}, "
        f"specified is {row.get('specified')} ({row.get('when')})"
    )


def _check(verdict: Verdict, message: str, wrong: tuple[str, ...]) -> Check:
    return QUOTAS_ENFORCED.judged(
        verdict,
        message,
        {"mismatches": len(wrong)},
        hint=_HINT if verdict is Verdict.INVALID else "",
        examples=wrong[:_EXAMPLES_MAX],
    )
