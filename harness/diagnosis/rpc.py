"""Question 4: do the RPC nodes answer in time?"""

from __future__ import annotations

from dataclasses import dataclass

from harness.diagnosis.answers import Answer, Evidence, Question, unknown_answer
from harness.diagnosis.context import DiagnosisContext
from harness.diagnosis.series_slice import SeriesSlice, baseline_slice, evidence_of, slow_slice
from harness.diagnosis.thresholds import (
    NEAR_SHARE,
    RPC_LATE_SHARE,
    RPC_MS,
    RPC_NOTABLE_MS,
    RPC_TIMES_OTHERS,
)
from harness.formatting import format_milliseconds, format_percent

KEY = "rpc"
ASKS = "Do RPC nodes answer slowly?"
_RPC, _MEAN = "rpc.", ".mean_ms"
_ADVICE = (
    "Switch to another node: the Chain-Adapter does so by itself when a node gives no answer within"
    " 100 ms, so see that it has a second node and that its time-out is in force. A node that"
    " answers slowly but in time is switched by hand: put the quicker one first."
)


@dataclass(frozen=True, slots=True)
class RpcNode:
    """A node in the time that matters.

    Attributes:
        mean: its time to an answer, in ms; None where it gave too few.
        requests_per_s: answers; None where nobody counted them.
        failed_share: of what it was asked, without an answer.
        slow_share: of its answers, those that took longer than the specified 100 ms.
    """

    name: str
    mean: SeriesSlice | None
    requests_per_s: float | None
    failed_share: float
    slow_share: float

    @property
    def median_ms(self) -> float:
        """Its time to an answer; 0 where there are too few."""
        return self.mean.median if self.mean else 0.0

    @property
    def asked(self) -> bool:
        """Whether anything was asked of it."""
        if self.failed_share > 0:
            return True
        return self.mean is not None and (self.requests_per_s is None or self.requests_per_s > 0)


def ask_rpc(subject: DiagnosisContext) -> Question:
    """Answer it, for the slowest node first."""
    nodes = _nodes(subject)
    if not nodes:
        return unknown_answer(KEY, ASKS, _missing(subject))
    asked = [node for node in nodes if node.asked]
    if not asked:
        return _answer(subject, Answer.NO, "nobody asked an RPC node", [])
    slow = [node for node in asked if _is_slow(node, asked)]
    told = slow or asked
    evidence = [piece for node in told for piece in _evidence(subject, node, asked)]
    said = "; ".join(_words(subject, node) for node in told)
    if not slow:
        return _answer(subject, Answer.NO, said, evidence)
    others = [node for node in asked if node not in slow and node.mean]
    if others:
        quick = min(others, key=lambda node: (node.median_ms, node.name))
        said += f"; {quick.name} answered in {format_milliseconds(quick.median_ms)}"
    return _answer(subject, Answer.YES, said, evidence, _ADVICE)


def _answer(
    subject: DiagnosisContext, answer: Answer, said: str, evidence: list[Evidence], advice: str = ""
) -> Question:
    return Question(
        key=KEY,
        asks=ASKS,
        answer=answer,
        message=subject.sentence(said),
        evidence=tuple(evidence),
        advice=advice,
    )


def _nodes(subject: DiagnosisContext) -> list[RpcNode]:
    tracks = [track.name.removeprefix(_RPC) for track in subject.telemetry.of(_RPC)]
    found = []
    # A node that never answers has no time to an answer, but failures.
    for name in sorted({track.rpartition(".")[0] for track in tracks}):
        mean, answers, failures, slow = (
            slow_slice(subject, f"{_RPC}{name}.{figure}")
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
    return node.median_ms >= _least_ms(node, nodes)


def _least_ms(node: RpcNode, nodes: list[RpcNode]) -> float:
    """From which time to an answer on it is slow: near the 100 ms, or far beyond another node's."""
    others = [other.median_ms for other in nodes if other is not node and other.mean]
    least_ms = NEAR_SHARE * RPC_MS
    if others:
        least_ms = min(least_ms, max(RPC_NOTABLE_MS, RPC_TIMES_OTHERS * min(others)))
    return least_ms


def _words(subject: DiagnosisContext, node: RpcNode) -> str:
    said = node.name
    if node.mean is not None:
        said += f" took {format_milliseconds(node.median_ms)} to answer"
    calm = baseline_slice(subject, node.mean.track.name) if node.mean else None
    if calm is not None:
        said += f" (in the other seconds {format_milliseconds(calm.median)})"
    if node.slow_share:
        said += f", more than {format_milliseconds(RPC_MS)} for {format_percent(node.slow_share)} of its answers"
    if node.failed_share:
        said += ", and" if node.mean else ""
        said += f" gave no answer to {format_percent(node.failed_share)} of the calls"
    return said


def _evidence(subject: DiagnosisContext, node: RpcNode, nodes: list[RpcNode]) -> list[Evidence]:
    found = []
    if node.mean is not None:
        said = f"{node.name}: {format_milliseconds(node.median_ms)}"
        least_ms = _least_ms(node, nodes)
        found.append(evidence_of(subject, node.mean, said, node.median_ms, least_ms))
    late = slow_slice(subject, f"rpc.{node.name}.slow_share")
    if late is not None and late.mean > 0:
        words = f"{node.name}: {format_percent(late.mean)} of its answers came later than the limit"
        found.append(evidence_of(subject, late, words, late.mean, RPC_LATE_SHARE))
    failures = slow_slice(subject, f"rpc.{node.name}.failures_per_s")
    if failures is not None and failures.mean > 0:
        failed = f"{node.name}: {failures.mean:.2g} calls a second without an answer"
        found.append(evidence_of(subject, failures, failed, failures.mean))
    return found


def _missing(subject: DiagnosisContext) -> str:
    telemetry = subject.telemetry
    if not telemetry.present:
        return "this run kept no telemetry"
    reasons = [why for name, why in sorted(telemetry.unread.items()) if name.startswith("rpc")]
    told = "; ".join(reasons) or "no chain adapter tells of any"
    return f"no RPC node's times were read: {told}"
