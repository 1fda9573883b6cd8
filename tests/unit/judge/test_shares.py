"""Promises of shares, from the counts alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from harness.contract.names import State
from harness.evidence.records import Mode
from harness.judge import shares
from harness.judge.check import Case
from harness.judge.verdict import Verdict
from harness.measure.account import Account
from harness.measure.recorder import Cell, CellKey, Metric
from harness.measure.samples import Fate
from harness.measure.series import Series
from harness.scenario import Objective, Phase

S = 1_000_000_000
# So many that an interval of a share is far narrower than its distance to the limit.
MANY = 20_000
PASS, FAIL, INVALID = Verdict.PASS, Verdict.FAIL, Verdict.INVALID
INCONCLUSIVE = Verdict.INCONCLUSIVE


def objective_of(metric: str, limit: float | None) -> Objective:
    """A promise of a share; None where the text gives no limit."""
    fake = SimpleNamespace(text=f"{metric} promise", metric=metric, limit_share=limit)
    return cast("Objective", fake)


def cell_of(account: Account) -> Cell:
    """The signals of an account in the order of time, each kind spread evenly."""
    cell = Cell(account=account)
    missing = account.ordinary - account.arrived - account.ordinary_rejected
    cell.series[Metric.LATENCY] = spread(account.ordinary)
    cell.rejected[Metric.LATENCY] = spread(account.ordinary_rejected)
    cell.had_series[Metric.LATENCY] = spread(missing)
    return cell


def spread(number: int) -> Series:
    """So many signals, evenly over a minute."""
    series = Series()
    if number > 0:
        times = np.arange(number, dtype=np.int64) * (60 * S) // number
        series.add(times, np.zeros(number, dtype=np.int64))
    return series


def case_of(
    account: Account | None = None,
    rates: tuple[tuple[Phase, float | None], ...] = (),
    events: tuple[str, ...] = (),
    confidence: float = 0.95,
) -> Case:
    """As much of a case as shares look at; the warm-up is worse than the measured phase."""
    account = account or Account()
    accounts = {Phase.MEASURE: account}
    timeline = SimpleNamespace(duration_ns={Phase.MEASURE: 60 * S}.__getitem__)
    fake = SimpleNamespace(
        confidence=confidence,
        is_interrupted="interrupted" in events,
        gathered=SimpleNamespace(
            account=accounts.__getitem__,
            timeline=timeline,
            cells={CellKey(Phase.MEASURE, Mode.LITE): cell_of(account)},
        ),
        measurement=SimpleNamespace(
            rates=[
                SimpleNamespace(
                    phase=phase,
                    share=share,
                    intended=None if share is None else MANY,
                    in_phase=int(MANY * (share or 0)),
                )
                for phase, share in rates
            ]
        ),
        run=SimpleNamespace(events=[SimpleNamespace(kind=kind) for kind in events]),
    )
    return cast("Case", fake)


@pytest.fixture(autouse=True)
def lateness(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets whether the generator was late; it was not."""

    def be(late: bool) -> None:
        monkeypatch.setattr(shares, "generator_was_late", lambda _: late)
        monkeypatch.setattr(shares, "rejections_were_disturbed", lambda *_: None)

    be(False)
    return be


def rejected(invariant: int, stale: int = 0) -> Account:
    """MANY signals, of which so many were rejected for either reason."""
    by = {State.INVARIANT_BROKEN: invariant, State.STALE_DATA_ERROR: stale}
    arrived = MANY - invariant - stale
    return Account(
        fates={Fate.SIMULATED: arrived, Fate.REJECTED: invariant + stale},
        rejected_by={state: number for state, number in by.items() if number},
    )


@pytest.mark.parametrize(
    ("invariant", "stale", "late", "verdict"),
    [
        (0, 0, False, PASS),
        (100, 0, False, PASS),
        (400, 0, False, FAIL),
        (400, 0, True, FAIL),
        (0, 400, False, FAIL),
        (0, 400, True, INVALID),
        (100, 400, True, INVALID),
        (400, 400, True, FAIL),
        (100, 0, True, PASS),
        (195, 0, False, INCONCLUSIVE),
        (205, 0, False, INCONCLUSIVE),
    ],
)
def test_rejections_and_whose_doing_they_are(
    invariant: int, stale: int, late: bool, verdict: Verdict, lateness: Any
) -> None:
    """Stale data of a late generator excuse the engine; other rejections do not."""
    lateness(late)
    case = case_of(rejected(invariant, stale))
    found = shares.check_rejected(case, objective_of("rejected", 0.01))
    assert found.verdict is verdict
    assert found.figures["rejected_share"] == (invariant + stale) / MANY
    assert found.figures["limit_share"] == 0.01


def test_rejections_of_signals_that_were_to_be_refused_do_not_count() -> None:
    """Only ordinary signals are in the share; where there is none, nothing can be said."""
    account = rejected(0, MANY // 2)
    excused = Account(account.fates, account.rejected_by, stale=MANY // 2, stale_rejected=MANY // 2)
    found = shares.check_rejected(case_of(excused), objective_of("rejected", 0.01))
    assert (found.verdict, found.figures["rejected_share"]) == (PASS, 0.0)
    none = shares.check_rejected(case_of(), objective_of("rejected", 0.01))
    assert (none.verdict, none.figures["rejected_share"]) == (INVALID, 0.0)


def test_no_limit_is_the_strictest() -> None:
    """A limit of zero forbids every rejection and asks for no arrival."""
    limit = objective_of("rejected", None)
    assert shares.check_rejected(case_of(rejected(1)), limit).verdict is FAIL
    assert shares.check_rejected(case_of(rejected(1)), limit).figures["limit_share"] == 0.0
    few = case_of(Account({Fate.SIMULATED: 1_000, Fate.LOST: MANY}), ((Phase.MEASURE, 0.5),))
    for check in (shares.check_simulated, shares.check_rate):
        found = check(few, objective_of("any", None))
        assert (found.verdict, found.figures["limit_share"]) == (PASS, 0.0)


@pytest.mark.parametrize(
    ("fates", "verdict"),
    [
        ({Fate.SIMULATED: MANY}, PASS),
        ({Fate.SIMULATED: 19_000, Fate.LOST: 1_000}, PASS),
        ({Fate.SIMULATED: 16_000, Fate.LOST: 4_000}, FAIL),
        ({Fate.SIMULATED: 16_000, Fate.IN_FLIGHT: 4_000}, INVALID),
        ({Fate.SIMULATED: 16_000, Fate.LOST: 3_800, Fate.IN_FLIGHT: 200}, FAIL),
        ({}, INVALID),
    ],
)
def test_arrivals_and_signals_nobody_waited_for(fates: dict[Fate, int], verdict: Verdict) -> None:
    """FAIL only if even the arrival of every open signal would not have kept the promise."""
    found = shares.check_simulated(case_of(Account(fates)), objective_of("simulated", 0.9))
    assert found.verdict is verdict
    attempted = sum(fates.values())
    assert found.figures["attempted"] == attempted
    assert found.figures["arrived"] == fates.get(Fate.SIMULATED, 0)
    assert ("not watched to the end" in found.said) == (Fate.IN_FLIGHT in fates)
    assert ("none was attempted" in found.said) == (attempted == 0)


def test_arrivals_of_signals_sent_stale_add_nothing() -> None:
    """What was to be refused and arrived all the same makes up for no other signal."""
    account = Account({Fate.SIMULATED: MANY}, stale=MANY // 2)
    found = shares.check_simulated(case_of(account), objective_of("simulated", 0.9))
    assert found.figures["arrived"] == found.figures["attempted"] == MANY // 2


@pytest.mark.parametrize(
    ("share", "events", "late", "verdict"),
    [
        (1.0, (), False, PASS),
        (1.0, ("interrupted",), True, PASS),
        (0.5, (), False, FAIL),
        (0.5, ("service_restarted",), False, FAIL),
        (0.5, (), True, INVALID),
        (0.5, ("interrupted", "service_restarted"), False, INCONCLUSIVE),
        (0.5, ("swarm_died",), False, INVALID),
        (None, (), False, INVALID),
    ],
)
def test_rate_and_whose_doing_a_shortfall_is(
    share: float | None, events: tuple[str, ...], late: bool, verdict: Verdict, lateness: Any
) -> None:
    """A run cut short, a late generator and no signal at all say nothing of the system."""
    lateness(late)
    rates = ((Phase.WARMUP, 0.7), (Phase.MEASURE, share))
    found = shares.check_rate(case_of(rates=rates, events=events), objective_of("rate", 0.9))
    assert found.verdict is verdict
    assert found.figures["in_phase"] == int(MANY * (share or 0))
    assert found.figures["intended"] == (None if share is None else MANY)
    assert ("(interrupted)" in found.said) == ("interrupted" in events)


def test_shares_at_their_limit_are_left_open() -> None:
    """No sample tells on which side of its limit a share lies that is the limit."""
    tenth = objective_of("rejected", 0.125)
    assert shares.check_rejected(case_of(rejected(MANY // 8)), tenth).verdict is INCONCLUSIVE
    fates = {Fate.SIMULATED: MANY // 8, Fate.LOST: MANY * 7 // 8}
    simulated = objective_of("simulated", 0.125)
    assert shares.check_simulated(case_of(Account(fates)), simulated).verdict is INCONCLUSIVE
    fates = {Fate.IN_FLIGHT: MANY // 8, Fate.LOST: MANY * 7 // 8}
    assert shares.check_simulated(case_of(Account(fates)), simulated).verdict is INVALID


def test_rejections_beyond_the_limit_are_the_engines_doing(lateness: Any) -> None:
    """With others alone beyond it a late generator excuses nothing."""
    lateness(True)
    for stale in (0, 1_000):
        case = case_of(rejected(MANY // 6, stale))
        assert shares.check_rejected(case, objective_of("rejected", 0.125)).verdict is FAIL


def test_a_disturbed_host_excuses_stale_data_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is decided; invariants are broken by the engine alone."""
    monkeypatch.setattr(shares, "rejections_were_disturbed", lambda *_: "others were at work")
    limit = objective_of("rejected", 0.01)
    found = shares.check_rejected(case_of(rejected(0, 400)), limit)
    assert (found.verdict, found.figures["undecided_by"]) == (INCONCLUSIVE, "host")
    assert "others were at work" in found.said
    assert shares.check_rejected(case_of(rejected(400)), limit).verdict is FAIL


@pytest.mark.parametrize(
    ("rejections", "confidence", "verdict"),
    [(175, 0.95, PASS), (175, 0.9875, INCONCLUSIVE), (226, 0.95, FAIL), (226, 0.99, INCONCLUSIVE)],
)
def test_an_analysis_of_many_is_surer(rejections: int, confidence: float, verdict: Verdict) -> None:
    """The bounds have the confidence of the case; 1 % of 20,000 are 200."""
    case = case_of(rejected(rejections), confidence=confidence)
    found = shares.check_rejected(case, objective_of("rejected", 0.01))
    assert (found.verdict, found.figures["confidence"]) == (verdict, confidence)
