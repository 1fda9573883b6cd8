"""Whether the observer measured the system, not itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.analysis.recorder import Metric
from harness.clock import NS_PER_MS
from harness.contract.observation import ObservationMethod, method_of
from harness.formatting import format_count, format_duration
from harness.judge.advice import observer_advice
from harness.judge.check import (
    Check,
    CheckContext,
    CheckKind,
    CheckSpec,
    Figure,
    NotApplicable,
    Problem,
)
from harness.judge.host_interference import format_interference, host_interference
from harness.judge.inconclusive import OBSERVER, inconclusive_checks
from harness.judge.limits import OBSERVER_P99
from harness.judge.self_monitoring import describe_observer_usage
from harness.judge.validity import outside_fault_windows
from harness.scenario import Phase

OBSERVER_DELAY = CheckSpec(
    "observer_delay",
    "observer delay",
    CheckKind.VALIDITY,
    invalid="P99 from commit to observation above 10 % of the tightest limit, at least 20 ms: the"
    " observer measured itself. Without commit times it counts from the read before, and only if a"
    " verdict rests on it",
)
REPORTS_AFTER_COMMIT = CheckSpec(
    "reports_after_commit",
    "reports follow commits",
    CheckKind.VALIDITY,
    invalid="a report of the system (`notification`, `stream`) came before its table showed the"
    " state: latencies are longer than what was observed",
)
_COMMITS = "turn track_commit_timestamp on, or use the way logical"


def check_observer(case: CheckContext, before: Sequence[Check]) -> Check:
    """The time from the lower bound of the commit to the observation is short enough.

    Where some commit time is not known, that time is the pause between two reads. It spoils only a
    verdict that rests on it: an objective that the observations meet is met.

    Args:
        case: the run.
        before: the objectives, checked.
    """
    histogram, where = outside_fault_windows(case, Metric.OBSERVER)
    value = histogram.percentile_ns(99)
    if value is None:
        return OBSERVER_DELAY.valid_unless([], "there is no observation to measure it by")
    most = OBSERVER_P99.of(case.scenario)
    figures: dict[str, Figure] = {"delay_ns": value, "limit_ns": most}
    by_commit = not case.analysis.signals.outcomes(Phase.MEASURE).commit_unknown
    since = "commit" if by_commit else "the read before"
    message = (
        f"P99 from {since} to observation is {format_duration(value)}{where},"
        f" {format_duration(most)} is allowed"
    )
    if value <= most:
        return OBSERVER_DELAY.valid_unless([], message, figures)
    if by_commit:
        message = f"{message}; {OBSERVER_P99.reason}"
        if others := format_interference(host_interference(case)):
            message += f"; {others}"
        if work := describe_observer_usage(case):
            message += f"; {work}"
        return OBSERVER_DELAY.valid_unless(
            [Problem(message, observer_advice(case))], message, figures
        )
    if not inconclusive_checks(before, OBSERVER):
        return OBSERVER_DELAY.valid_unless([], f"{message}; no verdict rests on it", figures)
    change = _change(case, value - most)
    message = "; ".join(filter(None, (message, OBSERVER_P99.reason, change)))
    return OBSERVER_DELAY.valid_unless([Problem(message, _hint(case, change))], message, figures)


def check_notifications(case: CheckContext) -> Iterator[Check]:
    """States that the system reports are in its table by then; else it reports too early."""
    observer = case.observer
    if observer is None or not observer.way or not method_of(observer.way).is_self_reported:
        return
    early = []
    if observer.words_early:
        longest = observer.words_early_max_ns
        by = (
            "without being there in the end"
            if longest is None
            else f"by up to {format_duration(longest)}"
        )
        message = (
            f"{observer.words_early:,} of {format_count(observer.words_checked, 'report')}"
            f" came before the table showed the state, {by}: the system reports before it commits,"
            " and latencies are longer than observed"
        )
        early = [Problem(message, "report after the COMMIT, or choose the way polling or logical")]
    good = (
        f"{format_count(observer.words_checked, 'report')} compared with the table,"
        " which showed each state"
    )
    if not observer.words_checked and not early:
        yield REPORTS_AFTER_COMMIT.not_applicable(
            NotApplicable.NOTHING_TO_COMPARE,
            "no report was compared with the table",
            words=observer.words_checked,
            early=observer.words_early,
        )
        return
    figures: dict[str, Figure] = {"words": observer.words_checked, "early": observer.words_early}
    yield REPORTS_AFTER_COMMIT.valid_unless(early, good, figures)


def _change(case: CheckContext, surplus_ns: int) -> str:
    """What to change of the polls; empty of other ways."""
    if case.plan.contract.seen.way is not ObservationMethod.POLLING:
        return ""
    pause_ms = case.plan.contract.seen.pause_ms
    wanted_ms = pause_ms + -surplus_ns // NS_PER_MS
    message = f"polls pause for {pause_ms} ms at least: "
    if wanted_ms > 0:
        message += f"set seen.pause_ms to {wanted_ms} or less, or "
    else:
        message += "a poll is too slow, is there an index on the trace id? Or "
    return message + _COMMITS


def _hint(case: CheckContext, change: str) -> str:
    if case.plan.contract.seen.way is ObservationMethod.LOGICAL:
        return observer_advice(case)
    return change or f"{_COMMITS} (contract key seen.way)"
