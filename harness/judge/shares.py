"""Promises of shares: of signals refused, simulated, sent in time."""

from __future__ import annotations

from harness.contract.names import State
from harness.judge.check import Case, Check, Figure, Kind
from harness.judge.validity import generator_was_late
from harness.judge.verdict import Verdict
from harness.judge.words import count, share
from harness.measure.samples import Fate
from harness.scenario import Objective, Phase

# Events after which a shortfall of the generator says nothing of the system under test.
CUT_SHORT = frozenset({"swarm_died", "interrupted", "observer_died", "stack_lost", "aborted"})


def check_rejected(case: Case, objective: Objective) -> Check:
    """That the engine refuses few enough."""
    account = case.gathered.account(Phase.MEASURE)
    limit = objective.limit_share or 0.0
    # Refusing what was sent stale on purpose is right, and no rejection in the promise's sense.
    part = account.ordinary_rejected / account.ordinary if account.ordinary else 0.0
    verdict, why = Verdict.PASS if part < limit else Verdict.FAIL, ""
    if not account.ordinary:
        verdict, why = Verdict.INVALID, "; no signal was sent that it had no cause to refuse"
    # What is sent late carries an old block: refusing it is right, and the generator's doing.
    stale = account.rejected_by.get(State.STALE_DATA_ERROR, 0)
    others = account.ordinary_rejected - stale
    if verdict is Verdict.FAIL and others < limit * account.ordinary and generator_was_late(case):
        verdict, why = Verdict.INVALID, "; the generator was late, and so its data stale"
    reasons = ", ".join(
        f"{number:,} {state.name}" for state, number in sorted(account.rejected_by.items())
    )
    return Check(
        name=objective.text,
        kind=Kind.OBJECTIVE,
        verdict=verdict,
        said=f"{share(part)} of {count(account.ordinary, 'signal')} were rejected"
        f"{f' ({reasons})' if reasons else ''}; the limit is {share(limit)}{why}",
        figures={"rejected_share": part, "limit_share": limit},
    )


def check_simulated(case: Case, objective: Objective) -> Check:
    """That enough of what was attempted reaches SIMULATED."""
    account = case.gathered.account(Phase.MEASURE)
    limit = objective.limit_share or 0.0
    # What was sent stale on purpose is not to arrive; if it does, another check fails.
    attempted = account.ordinary
    arrived = min(account.arrived, attempted)
    part = arrived / attempted if attempted else None
    verdict, why = Verdict.PASS, ""
    if part is None:
        verdict = Verdict.INVALID
    elif part < limit:
        # Signals that nobody waited for could still have arrived.
        open_ones = account.of(Fate.IN_FLIGHT)
        verdict = Verdict.FAIL if arrived + open_ones < limit * attempted else Verdict.INVALID
        why = f"; {count(open_ones, 'signal')} not watched to the end" if open_ones else ""
    told = f"{arrived:,} of {count(attempted, 'attempted signal')} reached SIMULATED"
    said = f"{told}, {'none was attempted' if part is None else share(part)}"
    figures: dict[str, Figure] = {"attempted": attempted, "arrived": arrived}
    return _at_least(objective, verdict, said, why, figures)


def check_rate(case: Case, objective: Objective) -> Check:
    """That the load was sent when it was to be sent."""
    limit = objective.limit_share or 0.0
    rate = next(rate for rate in case.measurement.rates if rate.phase == Phase.MEASURE)
    part = rate.share
    cut_short = sorted({event.kind for event in case.run.events} & CUT_SHORT)
    verdict = Verdict.PASS
    if part is None or part < limit:
        excused = cut_short or part is None or generator_was_late(case)
        verdict = Verdict.INVALID if excused else Verdict.FAIL
    why = f"; the run was cut short ({', '.join(cut_short)})" if cut_short else ""
    told = f"{rate.in_phase:,} of {rate.intended or 0:,} intended signals were sent in their phase"
    said = f"{told}, {'none were due' if part is None else share(part)}"
    figures: dict[str, Figure] = {"intended": rate.intended, "in_phase": rate.in_phase}
    return _at_least(objective, verdict, said, why, figures)


def _at_least(
    objective: Objective, verdict: Verdict, said: str, why: str, figures: dict[str, Figure]
) -> Check:
    """A share that must reach its limit."""
    limit = objective.limit_share or 0.0
    return Check(
        name=objective.text,
        kind=Kind.OBJECTIVE,
        verdict=verdict,
        said=f"{said}; at least {share(limit)} is asked{why}",
        figures={**figures, "limit_share": limit},
    )
