"""Question 4: do the RPC nodes answer in time?"""

from __future__ import annotations

from dataclasses import dataclass

from harness.diagnosis.answers import Answer, Evidence
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.question import Conclusion, DiagnosisQuestion, unknown
from harness.diagnosis.series_slice import SeriesSlice, baseline_slice, evidence_of, slow_slice
from harness.diagnosis.thresholds import NEAR_SHARE
from harness.formatting import format_milliseconds, format_percent

# The specification falls back to another node when one has not answered within 100 ms.
RPC_MS = 100.0
# Slower than the others by this factor, and slow enough to matter.
RPC_TIMES_OTHERS = 3.0
RPC_NOTABLE_MS = 50.0
# One late or missing answer in twenty moves P99 by far.
RPC_LATE_SHARE = 0.05

_RPC = "rpc."
_ADVICE = (
    "Switch to another node: the Chain-Adapter does so when a node does not answer within 100 ms,"
    " so check that it has a second node and that its timeout is active. A node that answers"
    " slowly but in time is switched by hand: configure the faster one first."
)


@dataclass(frozen=True, slots=True)
class RpcNode:
    """A node in the analysed time.

    Attributes:
        mean: its response time, in ms; None with too few answers.
        requests_per_s: answers; None where they are not counted.
        failed_share: share of the requests without an answer.
        slow_share: share of the answers that took longer than the specified 100 ms.
    """

    name: str
    mean: SeriesSlice | None
    requests_per_s: float | None
    failed_share: float
    slow_share: float

    @property
    def median_ms(self) -> float:
        """Its response time; 0 with too few answers."""
        return self.mean.median if self.mean else 0.0

    @property
    def has_requests(self) -> bool:
        """Whether it received any request."""
        if self.failed_share > 0:
            return True
        return self.mean is not None and (self.requests_per_s is None or self.requests_per_s > 0)


def _find(context: DiagnosisContext) -> Conclusion:
    """The slowest node comes first."""
    nodes = _nodes(context)
    if not nodes:
        return unknown(context.why_unread("the response times of RPC nodes", "rpc"))
    used = [node for node in nodes if node.has_requests]
    if not used:
        return Conclusion(Answer.NO, "no RPC node received a request")
    slow = [node for node in used if _is_slow(node, used)]
    reported = slow or used
    evidence = [piece for node in reported for piece in _evidence(context, node, used)]
    message = "; ".join(_describe(context, node) for node in reported)
    if not slow:
        return Conclusion(Answer.NO, message, evidence)
    others = [node for node in used if node not in slow and node.mean]
    if others:
        fastest = min(others, key=lambda node: (node.median_ms, node.name))
        message += f"; {fastest.name} answered in {format_milliseconds(fastest.median_ms)}"
    return Conclusion(Answer.YES, message, evidence, _ADVICE)


def _nodes(context: DiagnosisContext) -> list[RpcNode]:
    names = [series.name.removeprefix(_RPC) for series in context.telemetry.of(_RPC)]
    found = []
    # A node that never answers has failures and no response time.
    for name in sorted({name.rpartition(".")[0] for name in names}):
        mean, answers, failures, slow = (
            slow_slice(context, f"{_RPC}{name}.{figure}")
            for figure in ("mean_ms", "requests_per_s", "failures_per_s", "slow_share")
        )
        if mean is None and failures is None:
            continue
        failed = failures.mean if failures else 0.0
        total = failed + (answers.mean if answers else 0.0)
        found.append(
            RpcNode(
                name,
                mean,
                answers.mean if answers else None,
                failed / total if total else 0.0,
                slow.mean if slow else 0.0,
            )
        )
    return sorted(found, key=lambda node: (-node.median_ms, node.name))


def _is_slow(node: RpcNode, nodes: list[RpcNode]) -> bool:
    if max(node.failed_share, node.slow_share) >= RPC_LATE_SHARE:
        return True
    return node.median_ms >= _slow_from_ms(node, nodes)


def _slow_from_ms(node: RpcNode, nodes: list[RpcNode]) -> float:
    """The response time from which on it is slow: near 100 ms, or far above another node's."""
    others = [other.median_ms for other in nodes if other is not node and other.mean]
    least_ms = NEAR_SHARE * RPC_MS
    if others:
        least_ms = min(least_ms, max(RPC_NOTABLE_MS, RPC_TIMES_OTHERS * min(others)))
    return least_ms


def _describe(context: DiagnosisContext, node: RpcNode) -> str:
    parts = []
    if node.mean is not None:
        part = f"took {format_milliseconds(node.median_ms)} to answer"
        baseline = baseline_slice(context, node.mean.series.name)
        if baseline is not None:
            part += f" ({format_milliseconds(baseline.median)} in the other seconds)"
        parts.append(part)
    if node.slow_share:
        parts.append(
            f"more than {format_milliseconds(RPC_MS)} for {format_percent(node.slow_share)} of its"
            " answers"
        )
    if node.failed_share:
        parts.append(f"gave no answer to {format_percent(node.failed_share)} of the requests")
    return f"{node.name} {', '.join(parts)}"


def _evidence(context: DiagnosisContext, node: RpcNode, nodes: list[RpcNode]) -> list[Evidence]:
    found = []
    if node.mean is not None:
        message = f"{node.name}: {format_milliseconds(node.median_ms)}"
        least_ms = _slow_from_ms(node, nodes)
        found.append(evidence_of(context, node.mean, message, node.median_ms, least_ms))
    late = slow_slice(context, f"rpc.{node.name}.slow_share")
    if late is not None and late.mean > 0:
        message = f"{node.name}: {format_percent(late.mean)} of its answers exceeded the limit"
        found.append(evidence_of(context, late, message, late.mean, RPC_LATE_SHARE))
    failures = slow_slice(context, f"rpc.{node.name}.failures_per_s")
    if failures is not None and failures.mean > 0:
        message = f"{node.name}: {failures.mean:.2g} requests per second without an answer"
        found.append(evidence_of(context, failures, message, failures.mean))
    return found


QUESTION = DiagnosisQuestion("rpc", "Do RPC nodes answer slowly?", _find)
