"""Whether the engine received every entry that Redis had added to the stream."""

from __future__ import annotations

from harness.analysis.anomalies import EXAMPLES_MAX, Anomaly, AnomalySummary
from harness.analysis.integrity.stream_trimming import StreamHistory
from harness.analysis.samples import SignalOutcome
from harness.formatting import format_count
from harness.judge.anomaly_check import anomaly_check
from harness.judge.check import (
    Check,
    CheckContext,
    CheckKind,
    CheckSpec,
    ContractPart,
    Figure,
    NotApplicable,
)
from harness.judge.final_state import ConsumerGroup
from harness.judge.verdict import Verdict

STREAM_DRAINED = CheckSpec(
    "stream_drained",
    "stream drained",
    CheckKind.INTEGRITY,
    fail="entries were never delivered to the engine's group, or never acknowledged",
    invalid="the engine's group in Redis was not read",
    inconclusive="Redis reports no lag of the group, or pending entries that were not listed",
    needs=(ContractPart.GROUP,),
)
STREAM_TRIMMED = CheckSpec(
    "stream_trimmed",
    "no unread entries trimmed",
    CheckKind.INTEGRITY,
    fail="an entry was trimmed from the stream before the engine's group had read it",
    invalid="no sample of the stream has its entries",
    needs=(ContractPart.GROUP,),
)
STREAM_ENTRIES_ADDED = CheckSpec(
    "stream_entries_added",
    "stream entries match acknowledgements",
    CheckKind.INTEGRITY,
    fail="Redis acknowledged more entries than were added: it lost some",
    invalid="other clients wrote to a stream that only the run uses",
)
_UNREAD = "let the harness read stream and group in Redis (XINFO, XPENDING) until the run is over"


def check_drained(case: CheckContext) -> Check:
    """Every entry was delivered and acknowledged, as far as Redis reports."""
    group = case.final.group
    if group is None:
        message = "the engine's group in Redis was not read"
        return STREAM_DRAINED.judged(Verdict.INVALID, message, hint=_UNREAD)
    if case.analysis.signals.outcomes().of(SignalOutcome.IN_FLIGHT):
        return STREAM_DRAINED.not_applicable(
            NotApplicable.IN_FLIGHT, "signals were in flight when the observation ended"
        )
    findings = [case.analysis.finding(kind) for kind in (Anomaly.LEFT_PENDING, Anomaly.UNDELIVERED)]
    verdict, message = _left(group) if case.is_dedicated else _left_of_ours(group, findings)
    figures: dict[str, Figure] = {"pending": group.pending, "lag": group.lag}
    traces = dict.fromkeys(trace for finding in findings for trace in finding.traces)
    return STREAM_DRAINED.judged(verdict, message, figures, tuple(traces)[:EXAMPLES_MAX])


def _left(group: ConsumerGroup) -> tuple[Verdict, str]:
    """On servers of our own: nothing at all may be left."""
    left = []
    if group.pending:
        left.append(f"{group.pending:,} delivered and never acknowledged")
    if group.lag:
        left.append(f"{group.lag:,} never delivered")
    elif group.undelivered:
        left.append("the newest never delivered")
    if left:
        return Verdict.FAIL, "entries of the engine's group: " + ", ".join(left)
    if group.lag is not None:
        return Verdict.PASS, "nothing is pending, the lag is zero"
    if group.reports_lag:
        message = "nothing is pending, but Redis does not report the group's lag"
        return Verdict.INCONCLUSIVE, message
    if group.undelivered is False:
        return Verdict.PASS, "nothing is pending, and the newest entry was delivered"
    message = "nothing is pending; this Redis (before 7.0) does not report what was never delivered"
    return Verdict.PASS, message


def _left_of_ours(group: ConsumerGroup, findings: list[AnomalySummary]) -> tuple[Verdict, str]:
    """Where others write too: what is left of them is none of our business."""
    if group.listed_count is None:
        return _left(group)
    pending, undelivered = (finding.count for finding in findings)
    if pending or undelivered:
        message = f"{pending:,} delivered and never acknowledged, {undelivered:,} never delivered"
        return Verdict.FAIL, f"signals left in the stream: {message}"
    if group.pending > group.listed_count:
        message = (
            f"{group.pending:,} entries are pending, and {group.listed_count:,} of them are of"
            " others"
        )
        return Verdict.INCONCLUSIVE, f"{message}; the others were not listed"
    others = f"; {format_count(group.pending, 'entry', 'entries')} of others pending" * (
        group.pending > 0
    )
    return Verdict.PASS, f"no signal is pending or undelivered{others}"


def check_trimmed(case: CheckContext) -> Check:
    """No entry was trimmed from the stream before the engine's group had read it."""
    history = case.analysis.integrity.stream
    if history is None:
        return STREAM_TRIMMED.not_applicable(
            NotApplicable.NOT_RECORDED, "the stream was not sampled during the run"
        )
    if not history.snapshot_count:
        message = "no sample of the stream has its entries"
        return STREAM_TRIMMED.judged(Verdict.INVALID, message, hint=_UNREAD)
    text = "trimmed from the stream before the engine's group had read them"
    samples = format_count(history.snapshot_count, "sample")
    good = f"{samples} of the stream show no lost signal trimmed unread"
    return anomaly_check(STREAM_TRIMMED, case, good, ((Anomaly.TRIMMED, text),))


def check_added(case: CheckContext) -> Check:
    """As many entries were added to the stream as Redis acknowledged to the swarm."""
    history = case.analysis.integrity.stream
    added = _added(case, history) if history else None
    if added is None:
        if history is None:
            return STREAM_ENTRIES_ADDED.not_applicable(
                NotApplicable.NOT_RECORDED, "the stream was not sampled before the first signal"
            )
        return STREAM_ENTRIES_ADDED.not_applicable(
            NotApplicable.REDIS_VERSION,
            "this Redis (before 7.0) does not report how many entries were added",
        )
    account = case.analysis.signals.outcomes()
    counts = f"{format_count(added, 'entry', 'entries')} added, {account.accepted:,} acknowledged"
    if account.unconfirmed:
        counts += f" and {account.unconfirmed:,} unanswered"
    figures: dict[str, Figure] = {
        "added": added,
        "acknowledged": account.accepted,
        "unanswered": account.unconfirmed,
    }
    surplus = added - account.accepted - account.unconfirmed
    if added < account.accepted:
        lacking = format_count(
            account.accepted - added, "acknowledged entry", "acknowledged entries"
        )
        return STREAM_ENTRIES_ADDED.judged(
            Verdict.FAIL, f"{counts}: Redis has lost {lacking}", figures
        )
    if surplus <= 0:
        return STREAM_ENTRIES_ADDED.judged(Verdict.PASS, counts, figures)
    if not case.is_dedicated:
        return STREAM_ENTRIES_ADDED.judged(
            Verdict.PASS, f"{counts}; {surplus:,} are other traffic", figures
        )
    # Servers of the harness have no other writers: either one wrote, and the load was not the one
    # asked for, or the system under test fed itself.
    why = f"{counts}: another client wrote {surplus:,} to a stream that only the run uses"
    hint = "let nothing but the run write to the stream, or attach to the system (--stack attach)"
    return STREAM_ENTRIES_ADDED.judged(Verdict.INVALID, why, figures, hint=hint)


def _added(case: CheckContext, history: StreamHistory) -> int | None:
    """Entries added from before the first signal until after the drain."""
    final = case.final.entries_added
    if history.added_before is None or final is None:
        return None
    return final - history.added_before
