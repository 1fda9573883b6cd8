"""Which findings count as violations, and what is reported beside them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.analysis.anomalies import EXAMPLES_MAX, NO_ANOMALY, Anomaly, AnomalySummary
from harness.analysis.integrity.nonce_order import NonceOrderCheck
from harness.analysis.integrity.nonces import NonceRange
from harness.analysis.outcome_counts import SignalOutcomeCounts
from harness.analysis.samples import SignalOutcome
from harness.judge.check import Check, CheckContext
from harness.judge.integrity import (
    check_effects,
    check_nonces,
    check_order,
    check_stale,
    check_transitions,
)
from harness.judge.verdict import Status, Verdict

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
NOT_APPLICABLE = Status.NOT_APPLICABLE


def case_of(
    findings: dict[Anomaly, int] | None = None,
    *,
    kind: str = "attach",
    account: SignalOutcomeCounts | None = None,
    gaps: int | None = 0,
    way: str = "logical",
    ordered: tuple[int, int] = (10, 0),
    nonces: tuple[NonceRange, ...] = (),
    next_nonces: dict[int, int] | None = None,
    stale_share: float = 0.0,
) -> CheckContext:
    """As much of a case as these checks look at; `gaps` None without an observer's end."""
    found = {one: AnomalySummary(number, ("a trace",)) for one, number in (findings or {}).items()}
    counts = account or SignalOutcomeCounts({SignalOutcome.SIMULATED: 100})
    fake = SimpleNamespace(
        analysis=SimpleNamespace(
            finding=lambda one: found.get(one, NO_ANOMALY),
            signals=SimpleNamespace(outcomes=lambda: counts),
            integrity=SimpleNamespace(
                nonce_order=NonceOrderCheck(*ordered), final_state=SimpleNamespace(nonces=nonces)
            ),
            evidence=SimpleNamespace(foreign=0),
        ),
        observer=None if gaps is None else SimpleNamespace(way=way, gaps=gaps, foreign=0),
        stack={"kind": kind},
        final=SimpleNamespace(next_nonces=next_nonces, unattributed=None),
        plan=SimpleNamespace(
            addresses=lambda: SimpleNamespace(text=lambda index: f"0x{index}"),
            signals=SimpleNamespace(stale_share=stale_share),
        ),
        on_own_servers=kind != "attach",
        is_dedicated=kind != "attach",
    )
    return cast("CheckContext", fake)


def effects(case: CheckContext) -> dict[str, Check]:
    """The checks of effects by name."""
    return {check.id: check for check in check_effects(case)}


def test_trimmed_signals_are_reported_where_losses_are() -> None:
    """Beside the losses and nowhere else, and only where there are any."""
    reported = {
        name
        for name, one in effects(case_of({Anomaly.TRIMMED: 3})).items()
        if "trimmed" in one.message
    }
    assert reported == {"signals_lost"}
    assert not [one for one in effects(case_of()).values() if "trimmed" in one.message]


@pytest.mark.parametrize(("kind", "verdict"), [("process", FAIL), ("attach", PASS)])
def test_unknown_states_are_wrong_where_nothing_leads_there(kind: str, verdict: Verdict) -> None:
    """A team's own system may go on from SIMULATED; ours does not."""
    found = effects(case_of({Anomaly.STATE_UNKNOWN: 1}, kind=kind))
    assert {name for name, one in found.items() if one.status.verdict is FAIL} == (
        {"final_rows_match"} if verdict is FAIL else set()
    )


@pytest.mark.parametrize(
    ("kind", "skipped", "gaps", "status"),
    [
        ("process", 1, 0, Status.FAIL),
        ("process", 100, 0, Status.FAIL),
        ("process", 1, 1, NOT_APPLICABLE),
        ("process", 1, None, NOT_APPLICABLE),
        ("attach", 99, 0, Status.FAIL),
        ("attach", 100, 0, Status.PASS),
        ("attach", 101, 0, Status.PASS),
        ("attach", 100, 1, NOT_APPLICABLE),
    ],
)
def test_init_may_be_missing(kind: str, skipped: int, gaps: int | None, status: Status) -> None:
    """Where an attached system shows it of no signal, or the observer was cut off."""
    case = case_of({Anomaly.WITHOUT_INIT: skipped}, kind=kind, gaps=gaps)
    assert check_transitions(case).status is status
    assert check_transitions(case_of({Anomaly.AFTER_FINAL: 1}, gaps=gaps)).status is Status.FAIL


@pytest.mark.parametrize(
    ("way", "kind", "gaps", "skipped", "said"),
    [
        ("logical", "process", 0, 0, "every signal went from INIT to one final state"),
        ("logical", "attach", 0, 100, "every signal went to one final state and no further; the"),
        ("logical", "attach", 1, 0, "observer_gap"),
        ("polling", "attach", 0, 0, "observation_method"),
        ("stream", "attach", 0, 0, "observation_method"),
    ],
)
def test_only_the_log_shows_where_a_signal_came_from(
    way: str, kind: str, gaps: int, skipped: int, said: str
) -> None:
    """What nobody could see is not claimed; a way back that was seen fails all the same."""
    case = case_of({Anomaly.WITHOUT_INIT: skipped}, kind=kind, gaps=gaps, way=way)
    check = check_transitions(case)
    assert check.figures.get("reason") == said or check.message.startswith(said)
    back = case_of({Anomaly.AFTER_FINAL: 1}, kind=kind, gaps=gaps, way=way)
    assert check_transitions(back).status.verdict is FAIL


def test_agents_that_overtook_each_other_are_reported() -> None:
    """It is no violation; without a signal to compare nothing is judged."""
    plain, crossed = check_order(case_of()), check_order(case_of(ordered=(10, 2)))
    assert (plain.status.verdict, crossed.status.verdict) == (PASS, PASS)
    assert "overtook" not in plain.message
    assert "2 times agents on one address overtook" in crossed.message
    assert (plain.figures, crossed.figures) == ({}, {"crossed": 2})
    assert check_order(case_of(ordered=(0, 0))).status is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("share", "stale", "findings", "verdict"),
    [
        (0.0, 0, {}, None),
        (0.1, 0, {}, INCONCLUSIVE),
        (0.1, 5, {}, PASS),
        (0.1, 5, {Anomaly.STALE_SIMULATED: 1}, FAIL),
        (0.1, 5, {Anomaly.STALE_MISJUDGED: 1}, FAIL),
    ],
)
def test_stale_signals(
    share: float, stale: int, findings: dict[Anomaly, int], verdict: Verdict | None
) -> None:
    """Judged where the plan has them, and some were sent."""
    account = SignalOutcomeCounts({SignalOutcome.SIMULATED: 100}, stale=stale)
    found = list(check_stale(case_of(findings, account=account, stale_share=share)))
    assert [one.status.verdict for one in found] == ([] if verdict is None else [verdict])


def used(address: int, gaps: int = 0) -> NonceRange:
    """Nonces 0 to 9 of an address."""
    return NonceRange(address, 0, 10 - gaps, 9, tuple(range(1, 1 + gaps)), gaps)


@pytest.mark.parametrize(
    ("reported", "in_flight", "verdict"),
    [
        ({1: 10}, 0, PASS),
        ({1: 9}, 0, FAIL),
        ({1: 11}, 0, FAIL),
        ({1: 11}, 1, PASS),
        ({}, 0, FAIL),
        ({}, 1, PASS),
        (None, 0, PASS),
    ],
)
def test_next_nonce_follows_the_highest(
    reported: dict[int, int] | None, in_flight: int, verdict: Verdict
) -> None:
    """Unless its value is unknown, or signals are still open."""
    account = SignalOutcomeCounts({SignalOutcome.SIMULATED: 10, SignalOutcome.IN_FLIGHT: in_flight})
    found = check_nonces(case_of(nonces=(used(1),), next_nonces=reported, account=account))
    assert found.status.verdict is verdict
    assert ("10 nonces over 1 address, without" in found.message) == (verdict is PASS)


@pytest.mark.parametrize("addresses", [1, 3, 4, 30])
def test_gaps_name_three_addresses_and_count_the_rest(addresses: int) -> None:
    """However many have gaps, the message and its examples stay short."""
    nonces = tuple(used(index, gaps=5) for index in range(addresses))
    found = check_nonces(case_of(nonces=nonces))
    figures: dict[str, Any] = dict(found.figures)
    assert (found.status.verdict, figures["addresses_with_gaps"]) == (FAIL, addresses)
    assert found.message.count("skipped 5 nonces (first: 1, 2, 3)") == min(3, addresses)
    assert (f"; {addresses - 3} more such" in found.message) == (addresses > 3)
    assert ("more such" in found.message) == (addresses > 3)
    assert len(found.examples) == min(addresses, EXAMPLES_MAX)


def test_repeated_nonces_fail_without_a_gap() -> None:
    """A finding alone is enough."""
    found = check_nonces(case_of({Anomaly.NONCE_REPEATED: 2}, nonces=(used(1),)))
    assert found.status.verdict is FAIL
    assert found.examples == ("a trace",)
