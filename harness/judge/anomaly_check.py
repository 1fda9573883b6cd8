"""Checks that count what must not be, and name the signals."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.anomalies import EXAMPLES_MAX, Anomaly
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext, CheckKind
from harness.judge.verdict import Verdict


def anomaly_check(
    case: CheckContext, name: str, good: str, troubles: Sequence[tuple[Anomaly, str]]
) -> Check:
    """FAIL if anything was found, PASS if not.

    Args:
        case: what is judged.
        name: of the check.
        good: what is said when nothing was found.
        troubles: what must not be, each with the words that complete "N signal(s) ...".
    """
    found = [(kind, words, case.analysis.finding(kind)) for kind, words in troubles]
    bad = [(kind, words, finding) for kind, words, finding in found if finding.count]
    traces = [trace for _, _, finding in bad for trace in finding.traces]
    return Check(
        name=name,
        kind=CheckKind.INTEGRITY,
        verdict=Verdict.FAIL if bad else Verdict.PASS,
        message="; ".join(
            f"{format_count(finding.count, 'signal')} {words}" for _, words, finding in bad
        )
        or good,
        figures={str(kind): finding.count for kind, _, finding in bad},
        examples=tuple(dict.fromkeys(traces))[:EXAMPLES_MAX],
    )
