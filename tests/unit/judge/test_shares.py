"""Promises of shares, from the counts alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.contract.names import State
from harness.judge import shares
from harness.judge.check import Case
from harness.judge.verdict import Verdict
from harness.measure.account import Account
from harness.measure.samples import Fate
from harness.scenario import Objective, Phase

# So many that an interval of a share is far narrower than its distance to the limit.
MANY = 1_000_000
PASS, FAIL, INVALID = Verdict.PASS, Verdict.FAIL, Verdict.INVALID


def objective_of(metric: str, limit: float | None) -> Objective:
    """A promise of a share; None where the text gives no limit."""
    fake = SimpleNamespace(text=f"{metric} promise", metric=metric, limit_share=limit)
    return cast("Objective", fake)


def case_of(
    account: Account | None = None,
    rates: tuple[tuple[Phase, float | None], ...] = (),
    events: tuple[str, ...] = (),
) -> Case:
    """As much of a case as shares look at; the warm-up is worse than the measured phase."""
    accounts = {Phase.MEASURE: account or Account()}
    fake = SimpleNamespace(
        gathered=SimpleNamespace(account=accounts.__getitem__),
        measurement=SimpleNamespace(
            rates=[
                SimpleNamespace(
                    phase=phase, share=share, intended=MANY, in_phase=int(MANY * (share or 0))
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
        (5_000, 0, False, PASS),
        (20_000, 0, False, FAIL),
        (20_000, 0, True, FAIL),
        (0, 20_000, False, FAIL),
        (0, 20_000, True, INVALID),
        (5_000, 20_000, True, INVALID),
        (20_000, 20_000, True, FAIL),
        (5_000, 0, True, PASS),
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
    account = rejected(0, 500_000)
    excused = Account(account.fates, account.rejected_by, stale=500_000, stale_rejected=500_000)
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
        ({Fate.SIMULATED: 950_000, Fate.LOST: 50_000}, PASS),
        ({Fate.SIMULATED: 800_000, Fate.LOST: 200_000}, FAIL),
        ({Fate.SIMULATED: 800_000, Fate.IN_FLIGHT: 200_000}, INVALID),
        ({Fate.SIMULATED: 800_000, Fate.LOST: 190_000, Fate.IN_FLIGHT: 10_000}, FAIL),
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
        (0.5, ("interrupted", "service_restarted"), False, INVALID),
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
    assert found.figures["intended"] == MANY
    assert ("(interrupted)" in found.said) == ("interrupted" in events)


def test_shares_at_their_limit() -> None:
    """The limit itself does not keep `<`, and keeps `>=`."""
    tenth = objective_of("any", 0.125)
    assert shares.check_rejected(case_of(rejected(MANY // 8)), tenth).verdict is FAIL
    rates = ((Phase.MEASURE, 0.125),)
    assert shares.check_rate(case_of(rates=rates), tenth).verdict is PASS
    fates = {Fate.SIMULATED: MANY // 8, Fate.LOST: MANY * 7 // 8}
    assert shares.check_simulated(case_of(Account(fates)), tenth).verdict is PASS
    fates = {Fate.IN_FLIGHT: MANY // 8, Fate.LOST: MANY * 7 // 8}
    assert shares.check_simulated(case_of(Account(fates)), tenth).verdict is INVALID


def test_rejections_at_the_limit_are_the_engines_doing(lateness: Any) -> None:
    """With others alone at the limit a late generator excuses nothing."""
    lateness(True)
    for stale in (0, 1_000):
        case = case_of(rejected(MANY // 8, stale))
        assert shares.check_rejected(case, objective_of("rejected", 0.125)).verdict is FAIL
