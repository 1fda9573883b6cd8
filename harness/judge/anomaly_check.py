"""Checks that count anomalies of signals, and name the signals."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.anomalies import EXAMPLES_MAX, Anomaly
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext, CheckSpec
from harness.judge.verdict import Verdict


def anomaly_check(
    spec: CheckSpec, case: CheckContext, good: str, anomalies: Sequence[tuple[Anomaly, str]]
) -> Check:
    """FAIL if any of the anomalies was found, PASS if none was.

    Args:
        spec: what the check is.
        case: the run.
        good: the message of a PASS.
        anomalies: each with the text that completes "N signal(s) ...".
    """
    found = [(kind, text, case.analysis.finding(kind)) for kind, text in anomalies]
    bad = [(kind, text, finding) for kind, text, finding in found if finding.count]
    traces = [trace for _, _, finding in bad for trace in finding.traces]
    return spec.judged(
        Verdict.FAIL if bad else Verdict.PASS,
        "; ".join(f"{format_count(finding.count, 'signal')} {text}" for _, text, finding in bad)
        or good,
        {str(kind): finding.count for kind, _, finding in bad},
        tuple(dict.fromkeys(traces))[:EXAMPLES_MAX],
    )
