"""Effects that belong to no signal of the run, where nobody else uses the servers."""

from __future__ import annotations

from harness.analysis.anomalies import EXAMPLES_MAX
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext
from harness.judge.verdict import Verdict


def with_unattributed_rows(case: CheckContext, check: Check) -> Check:
    """The check that nothing was unexpected, with what bears nobody's trace id.

    Where others use the servers too, their rows are none of our business.
    """
    if not case.is_dedicated:
        return check
    rows = case.final.unattributed
    parts = []
    if rows is not None and rows.tasks:
        parts.append(format_count(rows.tasks, "FSM row"))
    if rows is not None and rows.ledger:
        parts.append(format_count(rows.ledger, "ledger row"))
    # Seen on the way, whether or not they are left in the table.
    seen = case.analysis.evidence.foreign + (case.observer.foreign if case.observer else 0)
    if not parts and seen:
        parts.append(format_count(seen, "row version"))
    if not parts:
        return check
    told = f"{' and '.join(parts)} of no signal of this run, on servers that nobody else uses"
    said = told if check.verdict is Verdict.PASS else f"{check.message}; {told}"
    traces = rows.traces if rows is not None else ()
    return check.model_copy(
        update={
            "verdict": Verdict.FAIL,
            "message": said,
            "figures": {
                **check.figures,
                "strange_tasks": rows.tasks if rows else None,
                "strange_ledger_rows": rows.ledger if rows else None,
            },
            "examples": (*check.examples, *traces)[:EXAMPLES_MAX],
        }
    )
