"""Objectives of shares: verdict, interval, and the cause of a missed limit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.recorder import Cell, CellKey, Metric
from harness.analysis.run_analysis import SignalAnalysis
from harness.analysis.samples import SignalOutcome
from harness.analysis.series import Series
from harness.analysis.share_interval import (
    ShareInterval,
    estimate_share_sample,
    estimate_tail_sample,
    share_interval,
)
from harness.analysis.statistics import CONFIDENCE
from harness.contract.names import State
from harness.evidence.records import Mode
from harness.judge import shares
from harness.judge.check import Check, CheckContext
from harness.judge.decision import decide_share
from harness.judge.inconclusive import HOST, INCONCLUSIVE_BY
from harness.judge.verdict import Verdict
from harness.scenario import Objective, Phase

N = 10_000
MS = 1_000_000
DURATION_NS = 2 * N * MS
PASS, FAIL, INVALID, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INVALID, Verdict.INCONCLUSIVE
WORDS = "somebody else had the cores"


def objective_of(metric: str, limit: float | None) -> Objective:
    """An objective of a share; None where the text gives no limit."""
    known = cast("Any", metric)
    return Objective(text=f"{metric} objective", metric=known, limit_share=limit)


def spread(number: int, of: int) -> NDArray[np.bool_]:
    """So many marks among others, evenly: nothing correlates."""
    marks: NDArray[np.bool_] = np.diff(np.arange(of + 1) * number // of) == 1
    return marks


def series_of(chosen: NDArray[np.bool_]) -> Series:
    """One signal every 2 ms; of them, these."""
    when = np.flatnonzero(chosen) * 2 * MS
    found = Series()
    found.add(when, np.full(len(when), MS))
    return found


def cells_of(account: SignalOutcomeCounts) -> dict[CellKey, Cell]:
    """Both modes in turn; the warm-up is worse than the measured phase."""
    signals, rejected = account.ordinary, account.ordinary_rejected
    missed = spread(max(0, signals - account.arrived), signals) if signals else np.zeros(0, bool)
    refused = missed.copy()
    refused[missed] = spread(rejected, int(missed.sum())) if missed.any() else False
    cells = {
        CellKey(Phase.WARMUP, Mode.LITE): Cell(
            account=SignalOutcomeCounts({SignalOutcome.REJECTED: N})
        )
    }
    for mode in Mode:
        own = np.arange(signals) % 2 == mode
        cell = cells[CellKey(Phase.MEASURE, mode)] = Cell()
        for kept, chosen in (
            (cell.series, own),
            (cell.rejected, own & refused),
            (cell.censored_series, own & missed & ~refused),
        ):
            if chosen.any():
                kept[Metric.LATENCY] = series_of(chosen)
    cells[CellKey(Phase.MEASURE, Mode.LITE)].account = account
    return cells


def case_of(
    account: SignalOutcomeCounts | None = None,
    *,
    in_phase: int = 0,
    attempted: int = N,
    intended: int | None = N,
    events: tuple[str, ...] = (),
    confidence: float = CONFIDENCE,
) -> CheckContext:
    """As much of a case as shares look at."""
    signals = SimpleNamespace(cells=cells_of(account or SignalOutcomeCounts()))
    signals.outcomes = lambda *phases: SignalAnalysis.outcomes(
        cast("SignalAnalysis", signals), *phases
    )
    analysis = SimpleNamespace(
        signals=signals,
        timeline=SimpleNamespace(duration_ns={Phase.MEASURE: DURATION_NS}.__getitem__),
    )
    rates = [
        SimpleNamespace(phase=phase, intended=number, attempted=attempted, in_phase=sent)
        for phase, number, sent in ((Phase.WARMUP, N, 1), (Phase.MEASURE, intended, in_phase))
    ]
    fake = SimpleNamespace(
        analysis=analysis,
        measurement=SimpleNamespace(rates=rates),
        run=SimpleNamespace(events=[SimpleNamespace(kind=kind) for kind in events]),
        is_interrupted="interrupted" in events,
        confidence=confidence,
    )
    return cast("CheckContext", fake)


@pytest.fixture(autouse=True)
def causes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets whether the generator was late, and whether the host had interference; neither was."""

    def be(*, late: bool = False, host: bool = False) -> None:
        monkeypatch.setattr(shares, "generator_was_late", lambda _: late)
        monkeypatch.setattr(shares, "starved_by_runs", lambda *_, **__: "")
        monkeypatch.setattr(shares, "runs_explain_rejections", lambda *_: "")
        reported = {0.01: WORDS} if host else {}
        monkeypatch.setattr(
            shares, "interference_explains_rejections", lambda _, limit: reported.get(limit)
        )

    be()
    return be


def rejected(invariant: int, stale: int = 0) -> SignalOutcomeCounts:
    """N signals, of which so many were rejected for either reason."""
    by = {State.INVARIANT_BROKEN: invariant, State.STALE_DATA_ERROR: stale}
    refused = invariant + stale
    return SignalOutcomeCounts(
        outcomes={SignalOutcome.SIMULATED: N - refused, SignalOutcome.REJECTED: refused},
        rejected_by={state: number for state, number in by.items() if number},
    )


def evenly(marked: int, confidence: float = CONFIDENCE) -> ShareInterval:
    """The interval of so many of N signals, which do not correlate."""
    effective = estimate_share_sample(
        series_of(np.ones(N, dtype=np.bool_)), series_of(spread(marked, N))
    )
    return share_interval(marked, effective, confidence)


def bounds(found: Check) -> tuple[Any, ...]:
    """What a check tells of its interval."""
    names = ("lower_share", "upper_share", "confidence", "signals", "effective")
    return tuple(found.figures[name] for name in names)


@pytest.mark.parametrize(
    ("invariant", "stale", "cause", "verdict"),
    [
        (0, 0, "", PASS),
        (50, 0, "", PASS),
        (90, 0, "", OPEN),
        (110, 0, "", OPEN),
        (200, 0, "", FAIL),
        (0, 200, "", FAIL),
        (200, 0, "late", FAIL),
        (50, 0, "late", PASS),
        (100, 0, "late", OPEN),
        (0, 99, "late", OPEN),
        (0, 100, "late", INVALID),
        (50, 200, "late", INVALID),
        (99, 101, "late", INVALID),
        (100, 100, "late", FAIL),
        (0, 200, "late host", INVALID),
        (0, 50, "host", PASS),
        (0, 110, "host", OPEN),
        (99, 101, "host", OPEN),
        (100, 100, "host", FAIL),
    ],
)
def test_rejections_and_whose_doing_they_are(
    invariant: int, stale: int, cause: str, verdict: Verdict, causes: Any
) -> None:
    """Stale data of a late generator, or of host interference, excuse the engine; others do not."""
    causes(late="late" in cause, host="host" in cause)
    refused = invariant + stale
    check = shares.check_rejected(
        case_of(rejected(invariant, stale)), objective_of("rejected", 0.01)
    )
    assert check.status.verdict is verdict
    assert (check.figures["rejected_share"], check.figures["limit_share"]) == (refused / N, 0.01)
    by_host = cause == "host" and refused >= 200 and verdict is OPEN
    assert check.figures[INCONCLUSIVE_BY] == (HOST if by_host else None)
    assert (WORDS in check.message) is by_host
    assert ("its data stale" in check.message) is (verdict is INVALID)
    by_length = "longer" in check.message or "no reasonable length" in check.message
    assert by_length is (verdict is OPEN and not by_host)
    assert (f"{invariant:,} INVARIANT_BROKEN" in check.message) is (invariant > 0)
    exact = evenly(refused)
    assert bounds(check) == (
        exact.lower,
        exact.upper,
        CONFIDENCE,
        N,
        exact.effective.effective_size,
    )
    assert check.figures["longer_ns"] == decide_share(exact, 0.01, DURATION_NS).longer_ns


def test_rejections_of_signals_that_were_to_be_refused_do_not_count() -> None:
    """Only ordinary signals are in the share; where there is none, nothing can be said."""
    account = SignalOutcomeCounts(
        {SignalOutcome.SIMULATED: N, SignalOutcome.REJECTED: N}, stale=N, stale_rejected=N
    )
    found = shares.check_rejected(case_of(account), objective_of("rejected", 0.01))
    assert (found.status.verdict, found.figures["rejected_share"]) == (PASS, 0.0)
    assert found.figures["signals"] == N
    none = shares.check_rejected(case_of(), objective_of("rejected", 0.01))
    assert none.status.verdict is INVALID
    assert none.figures == {"rejected_share": 0.0, "limit_share": 0.01}
    assert none.message.endswith("no cause to refuse; the limit is 1 %")


def test_no_limit_is_the_strictest() -> None:
    """No share is below zero, and every one is at least zero."""
    for refused in (0, 1):
        found = shares.check_rejected(case_of(rejected(refused)), objective_of("rejected", None))
        assert (found.status.verdict, found.figures["limit_share"]) == (FAIL, 0.0)
    for check in (shares.check_simulated, shares.check_rate):
        found = check(
            case_of(SignalOutcomeCounts({SignalOutcome.LOST: N})), objective_of("any", None)
        )
        assert (found.status.verdict, found.figures["limit_share"]) == (PASS, 0.0)


@pytest.mark.parametrize(
    ("lost", "in_flight", "verdict"),
    [
        (0, 0, PASS),
        (900, 0, PASS),
        (980, 0, OPEN),
        (1_020, 0, OPEN),
        (2_000, 0, FAIL),
        (0, 900, PASS),
        (0, 980, INVALID),
        (0, 2_000, INVALID),
        (1_000, 1_000, INVALID),
        (1_900, 100, FAIL),
        (0, N, INVALID),
    ],
)
def test_arrivals_and_signals_nobody_waited_for(
    lost: int, in_flight: int, verdict: Verdict
) -> None:
    """FAIL only if even the arrival of every open signal would not have met the objective."""
    missed = lost + in_flight
    account = SignalOutcomeCounts(
        {
            SignalOutcome.SIMULATED: N - missed,
            SignalOutcome.LOST: lost,
            SignalOutcome.IN_FLIGHT: in_flight,
        }
    )
    check = shares.check_simulated(case_of(account), objective_of("simulated", 0.9))
    assert check.status.verdict is verdict
    assert (check.figures["attempted"], check.figures["arrived"]) == (N, N - missed)
    not_watched = f"{in_flight:,} signals not observed to the end"
    assert (not_watched in check.message) is (in_flight > 0 and verdict is not PASS)
    assert ("longer" in check.message) is (verdict is OPEN)
    exact = evenly(missed)
    size = exact.effective.effective_size
    assert bounds(check) == (1 - exact.upper, 1 - exact.lower, CONFIDENCE, N, size)
    limit = 1 - 0.9
    longer_ns = decide_share(exact, limit, DURATION_NS, including=True).longer_ns
    assert check.figures["longer_ns"] == longer_ns
    assert f", {100 * (N - missed) / N:.3g} %, between" in check.message


def test_rejections_are_missing_arrivals_too() -> None:
    """Half of what is missing was rejected, half lost; both are in the effective sample size."""
    account = SignalOutcomeCounts(
        {SignalOutcome.SIMULATED: N - 600, SignalOutcome.LOST: 300, SignalOutcome.REJECTED: 300}
    )
    found = shares.share_series(case_of(account), objective_of("simulated", 0.9))
    assert [len(one) for one in found] == [N, 600]
    found = shares.share_series(case_of(account), objective_of("rejected", 0.1))
    assert [len(one) for one in found] == [N, 300]


def test_nothing_attempted_is_no_share() -> None:
    """Neither of arrivals nor of signals that were due."""
    found = shares.check_simulated(case_of(), objective_of("simulated", 0.9))
    assert found.status.verdict is INVALID
    assert found.figures == {"attempted": 0, "arrived": 0, "limit_share": 0.9}
    assert found.message.endswith("none was attempted; at least 90 % is asked")
    for intended in (None, 0):
        due = shares.check_rate(case_of(intended=intended), objective_of("rate", 0.9))
        assert due.status.verdict is INVALID
        assert due.figures == {"intended": intended, "in_phase": 0, "limit_share": 0.9}
        assert "none were due" in due.message


def test_signals_sent_stale_stand_for_no_other() -> None:
    """What was to be refused and arrived makes up for nothing, and is not waited for."""
    arrived = SignalOutcomeCounts({SignalOutcome.SIMULATED: 2 * N}, stale=N)
    found = shares.check_simulated(case_of(arrived), objective_of("simulated", 0.9))
    assert found.figures["arrived"] == found.figures["attempted"] == N
    outcomes = {SignalOutcome.SIMULATED: N - 2_000, SignalOutcome.IN_FLIGHT: 4_000}
    found = shares.check_simulated(
        case_of(SignalOutcomeCounts(outcomes, stale=2_000)), objective_of("simulated", 0.9)
    )
    assert found.status.verdict is INVALID
    assert "2,000 signals not observed" in found.message


@pytest.mark.parametrize(
    ("in_phase", "events", "late", "verdict"),
    [
        (N, (), False, PASS),
        (N + 1, (), False, PASS),
        (N, ("interrupted",), True, PASS),
        (5_000, (), False, FAIL),
        (5_000, ("service_restarted",), False, FAIL),
        (5_000, (), True, INVALID),
        (5_000, ("swarm_died",), False, INVALID),
        (5_000, ("interrupted",), False, OPEN),
        (5_000, ("interrupted", "swarm_died"), True, OPEN),
        (9_000, (), True, OPEN),
        (8_999, (), False, OPEN),
        (8_999, (), True, INVALID),
    ],
)
def test_rate_and_whose_doing_a_shortfall_is(
    in_phase: int, events: tuple[str, ...], late: bool, verdict: Verdict, causes: Any
) -> None:
    """A run cut short and a late generator say nothing of the system; nor does who interrupts."""
    causes(late=late)
    check = shares.check_rate(case_of(in_phase=in_phase, events=events), objective_of("rate", 0.9))
    assert check.status.verdict is verdict
    assert (check.figures["in_phase"], check.figures["intended"]) == (in_phase, N)
    cut = ", ".join(kind for kind in events if kind != "service_restarted")
    assert (f"; the run was cut short ({cut})" in check.message) is bool(cut)
    missed = max(0, N - in_phase)
    exact = share_interval(missed, estimate_tail_sample(N, missed))
    size = exact.effective.effective_size
    assert bounds(check) == (1 - exact.upper, 1 - exact.lower, CONFIDENCE, N, size)
    assert (f"(effective sample size {size:,} of {N:,})" in check.message) is (missed > 0)
    # A run that somebody interrupts is not too short for its interval.
    assert ("longer" in check.message or "no reasonable length" in check.message) is (
        verdict is OPEN and not events
    )


@pytest.mark.parametrize(
    ("attempted", "verdict"), [(8_999, INVALID), (9_000, FAIL), (5_000, INVALID)]
)
def test_signals_never_attempted_say_nothing_of_the_system(
    attempted: int, verdict: Verdict
) -> None:
    """Even where too few were sent to speak of their lateness."""
    case = case_of(in_phase=5_000, attempted=attempted)
    assert shares.check_rate(case, objective_of("rate", 0.9)).status.verdict is verdict


@pytest.mark.parametrize("missed", [0, 1])
def test_a_hundred_percent_is_the_samples_own(missed: int, causes: Any) -> None:
    """Without a missing signal PASS, with a single one FAIL, unless the cause lies elsewhere."""

    def of(metric: str, outcome: SignalOutcome = SignalOutcome.LOST) -> Verdict:
        account = SignalOutcomeCounts({SignalOutcome.SIMULATED: N - missed, outcome: missed})
        check = shares.check_rate if metric == "rate" else shares.check_simulated
        case = case_of(account, in_phase=N - missed)
        return check(case, objective_of(metric, 1.0)).status.verdict

    assert of("simulated") is of("rate") is (FAIL if missed else PASS)
    assert of("simulated", SignalOutcome.IN_FLIGHT) is (INVALID if missed else PASS)
    causes(late=True)
    assert of("rate") is (INVALID if missed else PASS)


def test_shares_at_their_limit() -> None:
    """The interval of a share of exactly the limit holds the limit: nothing is decided."""
    eighth, case = objective_of("any", 0.125), case_of(rejected(N // 8))
    assert shares.check_rejected(case, eighth).status.verdict is OPEN
    case = case_of(
        SignalOutcomeCounts({SignalOutcome.SIMULATED: N // 8, SignalOutcome.LOST: N * 7 // 8}),
        in_phase=N // 8,
    )
    for check in (shares.check_simulated, shares.check_rate):
        found = check(case, eighth)
        assert found.status.verdict is OPEN
        assert found.figures["longer_ns"] is None


def test_confidence_is_that_of_the_case() -> None:
    """Four analyses of one run leave each bound 98.75 %: 83 of 10,000 no longer keep 1 %."""
    account = SignalOutcomeCounts({SignalOutcome.SIMULATED: N - 83, SignalOutcome.REJECTED: 83})
    for check, limit in ((shares.check_rejected, 0.01), (shares.check_simulated, 0.99)):
        objective = objective_of("simulated" if limit > 0.5 else "rejected", limit)
        once = check(case_of(account), objective)
        often = check(case_of(account, confidence=0.9875), objective)
        assert (once.status.verdict, often.status.verdict) == (PASS, OPEN)
        exact = evenly(83, 0.9875)
        sides = (exact.lower, exact.upper)
        wider = sides if limit < 0.5 else (1 - exact.upper, 1 - exact.lower)
        assert bounds(often) == (*wider, 0.9875, N, exact.effective.effective_size)
        assert "each at 98.8 %" in often.message
    rate = shares.check_rate(case_of(in_phase=N, confidence=0.9875), objective_of("rate", 0.9))
    assert rate.figures["lower_share"] == 1 - evenly(0, 0.9875).upper
