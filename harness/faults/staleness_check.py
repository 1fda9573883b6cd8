"""What has to become of signals while somebody lies behind the chain."""

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
    """That signals whose data lay too far behind were refused for just that, and soon enough.

    A run in which nobody was held up, and nothing was simulated that should not have been, does
    not mention it.
    """
    found = anomaly_check(STALE_REFUSED_IN_TIME, case, "", _ANOMALIES)
    stood, behind = case.measurement.standstills, case.analysis.faults.head_lag
    words = [_words(one) for one in stood]
    if found.status is Status.FAIL:
        yield found.model_copy(update={"message": "; ".join((found.message, *words))})
        return
    if not case.scenario.has_feed_stall:
        return
    figures = {**found.figures, "refused": sum(one.refused for one in stood)}
    verdict, said = Verdict.PASS, "; ".join(words)
    if behind is None or not behind.can_judge:
        verdict, said = Verdict.INCONCLUSIVE, "it is not known where the head of the chain was"
    elif not stood or not all(one.refused for one in stood):
        verdict = Verdict.INCONCLUSIVE
        said = "no signal was refused as stale while agents were held up"
    yield STALE_REFUSED_IN_TIME.judged(verdict, said, figures)


def _words(one: ChainFeedStallFigures) -> str:
    refused = "no signal was refused"
    if one.refused:
        refused = (
            f"{format_count(one.refused, 'signal')} refused, the first"
            f" {_time(one.first_refused_s)} after the agents were held up"
        )
    accepted = "none was accepted that lay behind"
    if one.accepted_for_s is not None:
        accepted = (
            f"the last was accepted {_time(one.accepted_for_s)} after its block was followed,"
            f" {_time(one.within_s)} are allowed"
        )
    return f"{refused}; {accepted}"


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else format_duration(round(seconds * NS_PER_S))


def check_stale_node_avoided(case: CheckContext) -> Iterator[Check]:
    """That an RPC node which lies behind is asked no more while it does."""
    records = [one for one in case.analysis.faults.records or () if one.kind == _STALE_NODE]
    proven = [one for one in records if one.proven_ns is not None]
    if not proven:
        return
    kept = [one for one in proven if one.answered_ns is None]
    # A run that was broken off took the fault away before anybody had to leave the node.
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
        f" {format_duration(max(took, default=0))} after a node stood still",
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
