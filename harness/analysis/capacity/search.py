"""Which level a search of a capacity tries next, from its plan and the outcomes of all trials.

`advance` is a pure function: a search is resumed by replaying the stored outcomes.

1. Bracket: from the start, levels are doubled while they are met and halved while they are broken.
2. Bisect: the bracket is halved until it is half as wide as asked for, which leaves room for one
   step down. A level that stays undecided after its extensions is neither bound: levels around it
   are tried instead.
3. Confirm: the lower bound has to meet every one of n confirmations, on fresh data. Each errs with
   probability (alpha / 2^j)^(1/n) at most at the j-th level so tested, so that all n err together
   with alpha / 2^j (they are independent: the system is idle before each), and the errors of all
   levels together stay below alpha. A level that breaks is the new upper bound, and the search
   goes on with trials as long as a confirmation; from a level that stays undecided the search
   steps down, each time twice as far.
4. One trial at the upper bound must not pass. If it does, the bound was wrong, and the search goes
   on above it.

The structure is that of MLRsearch (draft-ietf-bmwg-mlrsearch), with a confident answer per trial.
Answers need not be monotone: `known_of` says which of two that contradict each other counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.capacity.bounds import bounds_of
from harness.analysis.capacity.levels import Known, Settled, Step, known_of
from harness.analysis.capacity.trials import (
    Answer,
    Bounds,
    EndReason,
    Purpose,
    SearchPlan,
    SearchState,
    SearchStatus,
    TrialOutcome,
    TrialRequest,
)

__all__ = [
    "Answer", "Bounds", "EndReason", "Purpose", "SearchPlan", "SearchState", "SearchStatus",
    "TrialOutcome", "TrialRequest", "advance", "end_early",
]  # fmt: skip

# Room for one step down after a confirmation that stayed undecided.
_GAP = 0.5


def advance(plan: SearchPlan, outcomes: Sequence[TrialOutcome]) -> SearchState:
    """The next trial, or the end; the same for the same arguments.

    Args:
        plan: of the search.
        outcomes: of every trial so far, in order, repeated ones included.

    Raises:
        ValueError: an outcome is not that of the trial that the plan asked for.
    """
    settled: list[Settled] = []
    rest = list(outcomes)
    while True:
        known = known_of(plan, settled)
        step = _next_step(plan, known)
        if isinstance(step, EndReason):
            return _ended(plan, known, outcomes, step, rest)
        answer, request, used = _settle(plan, step, known, rest, len(outcomes) - len(rest))
        if request is not None:
            if len(outcomes) >= plan.trials_max:
                return _ended(plan, known, outcomes, EndReason.TRIALS_EXHAUSTED, ())
            return SearchState(bounds=bounds_of(plan, known, outcomes), request=request)
        rest = rest[used:]
        if answer is None:
            return _ended(plan, known, outcomes, EndReason.TOO_MANY_INVALID, rest)
        settled.append(Settled(step, answer))


def end_early(
    plan: SearchPlan,
    outcomes: Sequence[TrialOutcome],
    reason: EndReason = EndReason.OUT_OF_TIME,
) -> SearchState:
    """The best bounds so far of a search that its caller ends; INCONCLUSIVE unless it had ended.

    Args:
        plan: of the search.
        outcomes: of every trial so far.
        reason: why the caller ends it.
    """
    state = advance(plan, outcomes)
    if state.request is None:
        return state
    return SearchState(bounds=state.bounds, reason=reason, status=SearchStatus.INCONCLUSIVE)


def _next_step(plan: SearchPlan, known: Known) -> Step | EndReason:
    if not known.levels:
        return Step(plan.start, Purpose.BRACKET)
    if known.met is None:
        return _below(plan, known)
    if known.broken is None:
        highest = max((known.met, *known.undecided))
        if highest < plan.maximum:
            return Step(_unknown_above(plan, highest), Purpose.BRACKET)
    level = _bisecting_level(plan, known)
    return Step(level, Purpose.BISECT) if level is not None else _confirming(plan, known)


def _below(plan: SearchPlan, known: Known) -> Step | EndReason:
    """No level is met: lower ones, down to the minimum."""
    lowest = min(known.levels)
    if lowest > plan.minimum:
        lower = plan.within(lowest / 2)
        is_near = lower - plan.minimum < plan.width_at(lowest) or lower >= lowest
        return Step(plan.minimum if is_near else lower, Purpose.BRACKET)
    level = known.levels[lowest]
    if level.answer is not Answer.BROKEN:
        return EndReason.UNDECIDED
    if not level.is_confirmed_broken:
        return Step(lowest, Purpose.CONFIRM_BROKEN)
    return EndReason.NEVER_MET


def _unknown_above(plan: SearchPlan, highest: float) -> float:
    higher = plan.within(max(highest * 2, highest + plan.width_at(highest)))
    return higher if higher > highest else plan.maximum


def _bisecting_level(plan: SearchPlan, known: Known) -> float | None:
    """The middle of the widest gap beside undecided levels; None once they are narrow."""
    edges = (known.met, *known.undecided, known.broken)
    gaps = [(edges[0], edges[1])]
    part = _GAP
    if len(known.undecided) > 1 and not plan.is_narrow(known.undecided[0], known.undecided[-1]):
        part = 1.0  # the width cannot be reached: closer trials would cost much for little
    if known.undecided:
        gaps.append((edges[-2], edges[-1]))
        if known.levels[known.undecided[0]].has_failed:
            del gaps[0]  # the step down from a failed confirmation decides what is tried there
    candidates = []
    for lower, upper in gaps:
        if lower is None or upper is None or upper - lower <= part * plan.width_at(upper):
            continue
        middle = plan.within((lower + upper) / 2)
        if lower < middle < upper and middle not in known.levels:
            candidates.append((upper - lower, middle))
    return max(candidates)[1] if candidates else None


def _confirming(plan: SearchPlan, known: Known) -> Step | EndReason:
    candidate = _candidate(plan, known)
    level = known.levels.get(candidate)
    met_parts = level.met_parts if level is not None else 0
    if met_parts < plan.confirmations:
        return Step(candidate, Purpose.CONFIRM_MET, met_parts + 1)
    if known.broken is None:
        return EndReason.NEVER_BROKEN if candidate >= plan.maximum else EndReason.UNDECIDED
    if not known.levels[known.broken].is_confirmed_broken:
        return Step(known.broken, Purpose.CONFIRM_BROKEN)
    is_narrow = plan.is_narrow(candidate, known.broken)
    return EndReason.FOUND if is_narrow else EndReason.UNDECIDED


def _candidate(plan: SearchPlan, known: Known) -> float:
    """The lower bound, or a level between it and one that stayed undecided in a confirmation."""
    lower = known.met if known.met is not None else plan.minimum
    failed = [level for level in known.undecided if known.levels[level].has_failed]
    if not failed:
        return lower
    # The first step is half the width, the next one the width, and so on.
    distance = plan.width_at(failed[0]) * _GAP * 2 ** (known.undecided_confirmations - 1)
    stepped = plan.within(failed[0] - distance)
    is_new = stepped < failed[0] and stepped not in known.levels
    return max(lower, stepped) if is_new else lower


def _settle(
    plan: SearchPlan, step: Step, known: Known, rest: Sequence[TrialOutcome], before: int
) -> tuple[Answer | None, TrialRequest | None, int]:
    """The answer to a step and the number of outcomes it took, or the trial that it needs next.

    No answer and no request: too many trials were INVALID.
    """
    extensions = invalid = 0
    for used in range(len(rest) + 1):
        request = _request(plan, step, known, (before + used + 1, used + 1, extensions))
        if used == len(rest):
            return None, request, used
        outcome = rest[used]
        if outcome.request != request:
            raise ValueError(
                f"the outcome of trial {request.number} answers {outcome.request}, but the plan"
                f" asked for {request}"
            )
        if outcome.answer is Answer.INVALID:
            invalid += 1
            if invalid > plan.invalid_max:
                return None, None, used + 1
        elif outcome.answer is not Answer.UNDECIDED or extensions >= _extensions(plan, step):
            return outcome.answer, None, used + 1
        else:
            extensions += 1
    raise AssertionError("the loop returns at its last turn")


def _extensions(plan: SearchPlan, step: Step) -> int:
    """How often the step is tried again; a confirmation goes on by itself until it is decided."""
    return 0 if step.purpose.is_confirmation else plan.extensions


def _request(
    plan: SearchPlan, step: Step, known: Known, numbers: tuple[int, int, int]
) -> TrialRequest:
    """The trial of a step; numbers: of the trial, of the attempt, and of its extension."""
    number, attempt, extension = numbers
    alpha, factor = plan.steering_alpha, 2.0**extension
    if step.purpose is Purpose.CONFIRM_BROKEN:
        alpha, length_s, until_s = plan.alpha, plan.confirmation_s, plan.confirmation_s
    elif step.purpose is Purpose.CONFIRM_MET:
        tested = known.confirmed_levels
        order = tested.index(step.level) if step.level in tested else len(tested)
        alpha = (plan.alpha / 2.0 ** (order + 1)) ** (1 / plan.confirmations)
        length_s, until_s = plan.confirmation_s, plan.confirmation_most_s
    else:
        least_s = plan.confirmation_s if known.is_lengthened else 0.0
        length_s = max(least_s, plan.trial_least_s) * factor
        until_s = max(length_s, plan.trial_most_s * factor / 2.0**plan.extensions)
    return TrialRequest(
        number=number,
        level=step.level,
        purpose=step.purpose,
        part=step.part,
        attempt=attempt,
        length_s=length_s,
        until_decided_s=until_s,
        confidence=1 - alpha,
        confidence_broken=1 - plan.alpha,
    )


def _ended(
    plan: SearchPlan,
    known: Known,
    outcomes: Sequence[TrialOutcome],
    reason: EndReason,
    rest: Sequence[TrialOutcome],
) -> SearchState:
    """The end; the rest are outcomes after it, of which there must be none."""
    if rest:
        raise ValueError(f"trial {rest[0].request.number} follows the end of the search")
    status = {
        EndReason.FOUND: SearchStatus.PASS,
        EndReason.NEVER_BROKEN: SearchStatus.PASS,
        EndReason.NEVER_MET: SearchStatus.FAIL,
        EndReason.TOO_MANY_INVALID: SearchStatus.INVALID,
    }.get(reason, SearchStatus.INCONCLUSIVE)
    return SearchState(bounds=bounds_of(plan, known, outcomes), reason=reason, status=status)
