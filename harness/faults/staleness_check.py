"""What has to happen to signals, and to an RPC node, whose view of the chain is stale."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.anomalies import Anomaly
from harness.analysis.faults.chain_feed_stall_figures import ChainFeedStallFigures
from harness.clock import NS_PER_S
from harness.evidence.fault_log import FaultRecord
from harness.formatting import format_count, format_duration
from harness.judge.anomaly_check import anomaly_check
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec
from harness.judge.verdict import Status, Verdict

STALE_REFUSED_IN_TIME = CheckSpec(
    "stale_refused_in_time",
    "stale signals rejected in time",
    CheckKind.INTEGRITY,
    fail="a signal was simulated although its data were too old, or rejected for another reason",
    inconclusive="the head of the chain is not known, or no signal was rejected as stale while the"
    " chain feed stalled",
)
STALE_NODE_AVOIDED = CheckSpec(
    "stale_node_avoided",
    "stale RPC nodes avoided",
    CheckKind.INTEGRITY,
    fail="a stale RPC node was asked until its fault was over",
    inconclusive="the same of a fault that was cut short",
)
_STALE_NODE = "rpc_stale"
_ANOMALIES = (
    (Anomaly.HEAD_LAG_SIMULATED, "simulated although the head was too far past their block"),
    (Anomaly.HEAD_LAG_TOO_LONG, "simulated although their block had been followed too long before"),
    (Anomaly.HEAD_LAG_MISJUDGED, "refused for another reason although their data were stale"),
)


def check_staleness(case: CheckContext) -> Iterator[Check]:
    """That signals with stale data were rejected for that reason, and soon enough.

    A run without a feed stall in which no stale signal was simulated has no such check.
    """
    found = anomaly_check(STALE_REFUSED_IN_TIME, case, "", _ANOMALIES)
    stalls, head_lag = case.measurement.standstills, case.analysis.faults.head_lag
    messages = [_format_stall(one) for one in stalls]
    if found.status is Status.FAIL:
        yield found.model_copy(update={"message": "; ".join((found.message, *messages))})
        return
    if not case.scenario.has_feed_stall:
        return
    figures = {**found.figures, "refused": sum(one.refused for one in stalls)}
    verdict, message = Verdict.PASS, "; ".join(messages)
    if head_lag is None or not head_lag.can_judge:
        verdict, message = Verdict.INCONCLUSIVE, "it is not known where the head of the chain was"
    elif not stalls or not all(one.refused for one in stalls):
        verdict = Verdict.INCONCLUSIVE
        message = "no signal was rejected as stale while the chain feed stalled"
    yield STALE_REFUSED_IN_TIME.judged(verdict, message, figures)


def _format_stall(one: ChainFeedStallFigures) -> str:
    rejected = "no signal was rejected"
    if one.refused:
        rejected = (
            f"{format_count(one.refused, 'signal')} rejected, the first"
            f" {_time(one.first_refused_s)} after the chain feed stalled"
        )
    accepted = "none was accepted with stale data"
    if one.accepted_for_s is not None:
        accepted = (
            f"the last was accepted {_time(one.accepted_for_s)} after its block was followed,"
            f" {_time(one.within_s)} are allowed"
        )
    return f"{rejected}; {accepted}"


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else format_duration(round(seconds * NS_PER_S))


def check_stale_node_avoided(case: CheckContext) -> Iterator[Check]:
    """That a stale RPC node is not asked any more while it is stale."""
    records = [one for one in case.analysis.faults.records or () if one.kind == _STALE_NODE]
    proven = [one for one in records if one.proven_ns is not None]
    if not proven:
        return
    kept = [one for one in proven if one.answered_ns is None]
    # An aborted run healed the fault before the adapter had to leave the node.
    short = all(_is_cut_short(one) for one in kept)
    took = [
        one.answered_ns - one.injected_ns
        for one in proven
        if one.answered_ns is not None and one.injected_ns is not None
    ]
    end = "was cut short" if short else "was over"
    bad = "; ".join(f"{one.target} was asked until its fault {end}" for one in kept)
    worse = Verdict.INCONCLUSIVE if short else Verdict.FAIL
    yield STALE_NODE_AVOIDED.judged(
        worse if kept else Verdict.PASS,
        bad
        or f"{format_count(len(proven), 'time')} another node took over, at the latest"
        f" {format_duration(max(took, default=0))} after a node stalled",
        {"left": len(took), "kept": len(kept), "longest_ns": max(took, default=None)},
    )


def _is_cut_short(record: FaultRecord) -> bool:
    if record.healed_ns is None or record.injected_ns is None:
        return False
    return record.healed_ns < record.injected_ns + record.for_ns


SIGNAL_CHECKS = (
    (check_staleness, (STALE_REFUSED_IN_TIME,)),
    (check_stale_node_avoided, (STALE_NODE_AVOIDED,)),
)
