"""Which level a search of a capacity tries next, from its plan and the outcomes of all trials.

`advance` is a pure function: a search is resumed by replaying the stored outcomes.

1. Bracket: from the start, levels are doubled while they are met and halved while they are broken.
2. Bisect: the bracket is halved until it is half as wide as asked for, which leaves room for one
   step down. A level that stays undecided after its extensions is neither bound: levels around it
   are tried instead.
3. Confirm: the lower bound has to meet every one of the confirmations, on fresh data, each at the
   confidence 1 - alpha / 2^j for the j-th level so tested (as the extensions of a trial look at
   data again, they share that alpha). The errors of all levels together stay below alpha. A level
   that breaks is the new upper bound, and the search goes on with trials as long as a
   confirmation; from a level that stays undecided the search steps down, each time twice as far.
4. One trial at the upper bound must not pass. If it does, the bound was wrong, and the search goes
   on above it.

The structure is that of MLRsearch (draft-ietf-bmwg-mlrsearch), with a confident answer per trial.
Answers need not be monotone: `_known` says which of two that contradict each other counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
    settled: list[_Settled] = []
    rest = list(outcomes)
    while True:
        known = _known(plan, settled)
        step = _next_step(plan, known)
        if isinstance(step, EndReason):
            if rest:
                raise ValueError(f"trial {rest[0].request.number} follows the end of the search")
            return _ended(plan, known, outcomes, step)
        answer, request, used = _settle(plan, step, known, rest, len(outcomes) - len(rest))
        if request is not None:
            if len(outcomes) >= plan.trials_max:
                return _ended(plan, known, outcomes, EndReason.TRIALS_EXHAUSTED)
            return SearchState(bounds=_bounds(plan, known, outcomes), request=request)
        rest = rest[used:]
        if answer is None:
            return _ended(plan, known, outcomes, EndReason.TOO_MANY_INVALID)
        settled.append(_Settled(step, answer))


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


@dataclass(frozen=True, slots=True)
class _Step:
    """A level to be tried for a purpose, until it is answered."""

    level: float
    purpose: Purpose
    part: int = 1


@dataclass(frozen=True, slots=True)
class _Settled:
    """A step with its answer: met, broken, or undecided after all extensions."""

    step: _Step
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Level:
    """What is known of one level.

    Attributes:
        met_parts: confirmations that it met.
        is_confirmed_broken: its trial as upper bound did not pass.
        is_refuted: its trial as upper bound passed.
        has_failed: one of its confirmations was not met.
    """

    level: float
    answer: Answer
    met_parts: int = 0
    is_confirmed_broken: bool = False
    is_refuted: bool = False
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """The bracket, and what led to it.

    Attributes:
        levels: by level.
        proven: highest level with all confirmations.
        undecided: between the bounds, ascending.
        confirmed_levels: levels whose confirmation was tried, in order.
        undecided_confirmations: how many levels stayed undecided in a confirmation.
        is_lengthened: a level broke in a confirmation that a shorter trial had met.
    """

    levels: dict[float, _Level]
    proven: float | None
    met: float | None
    broken: float | None
    undecided: tuple[float, ...]
    confirmed_levels: tuple[float, ...]
    undecided_confirmations: int
    is_lengthened: bool


def _known(plan: SearchPlan, settled: Iterable[_Settled]) -> _Known:
    """The bracket of all answers.

    A confirmation overrules a shorter trial of the same level; two confirmations that contradict
    each other leave it undecided. A proven level overrules a level below it that broke; else the
    lowest broken level overrules what was met above it, until its own confirmation refutes it.
    """
    levels: dict[float, _Level] = {}
    confirmed: dict[float, None] = {}
    undecided_confirmations, is_lengthened = 0, False
    for one in settled:
        step, answer = one.step, one.answer
        if step.purpose is Purpose.CONFIRM_MET:
            confirmed[step.level] = None
            undecided_confirmations += answer is Answer.UNDECIDED
            is_lengthened |= answer is Answer.BROKEN
        levels[step.level] = _updated(levels.get(step.level), one)
    proven = max(
        (
            level.level
            for level in levels.values()
            if level.answer is Answer.MET and level.met_parts >= plan.confirmations
        ),
        default=None,
    )
    broken = min(
        (
            level.level
            for level in levels.values()
            if level.answer is Answer.BROKEN and (proven is None or level.level > proven)
        ),
        default=None,
    )
    met = max(
        (
            level.level
            for level in levels.values()
            if level.answer is Answer.MET and (broken is None or level.level < broken)
        ),
        default=None,
    )
    undecided = sorted(
        level.level
        for level in levels.values()
        if level.answer is Answer.UNDECIDED
        and (met is None or level.level > met)
        and (broken is None or level.level < broken)
    )
    return _Known(
        levels=levels,
        proven=proven,
        met=met,
        broken=broken,
        undecided=tuple(undecided),
        confirmed_levels=tuple(confirmed),
        undecided_confirmations=undecided_confirmations,
        is_lengthened=is_lengthened,
    )


def _updated(before: _Level | None, settled: _Settled) -> _Level:
    """What is known of a level after one more answer."""
    step, answer = settled.step, settled.answer
    level = before or _Level(step.level, answer)
    if step.purpose is Purpose.CONFIRM_MET:
        if answer is Answer.MET:
            return replace(level, answer=answer, met_parts=level.met_parts + 1)
        is_contradicted = level.is_refuted and answer is Answer.BROKEN
        return replace(
            level, answer=Answer.UNDECIDED if is_contradicted else answer, has_failed=True
        )
    if step.purpose is Purpose.CONFIRM_BROKEN:
        if answer is not Answer.MET:
            return replace(level, is_confirmed_broken=True)
        return replace(
            level, answer=Answer.UNDECIDED if level.has_failed else answer, is_refuted=True
        )
    return replace(level, answer=answer)


def _next_step(plan: SearchPlan, known: _Known) -> _Step | EndReason:
    if not known.levels:
        return _Step(plan.within(plan.start), Purpose.BRACKET)
    if known.met is None:
        return _below(plan, known)
    if known.broken is None:
        highest = max((known.met, *known.undecided))
        if highest < plan.maximum:
            return _Step(_unknown_above(plan, highest), Purpose.BRACKET)
    level = _bisecting_level(plan, known)
    return _Step(level, Purpose.BISECT) if level is not None else _confirming(plan, known)


def _below(plan: SearchPlan, known: _Known) -> _Step | EndReason:
    """No level is met: lower ones, down to the minimum."""
    lowest = min(known.levels)
    if lowest > plan.minimum:
        lower = plan.within(lowest / 2)
        is_near = lower - plan.minimum < plan.width_at(lowest) or lower >= lowest
        return _Step(plan.minimum if is_near else lower, Purpose.BRACKET)
    level = known.levels[lowest]
    if level.answer is not Answer.BROKEN:
        return EndReason.UNDECIDED
    if not level.is_confirmed_broken:
        return _Step(lowest, Purpose.CONFIRM_BROKEN)
    return EndReason.NEVER_MET


def _unknown_above(plan: SearchPlan, highest: float) -> float:
    higher = plan.within(max(highest * 2, highest + plan.width_at(highest)))
    return higher if higher > highest else plan.maximum


def _bisecting_level(plan: SearchPlan, known: _Known) -> float | None:
    """The middle of the widest gap beside undecided levels; None once they are narrow."""
    edges = (known.met, *known.undecided, known.broken)
    gaps = [(edges[0], edges[1])]
    if known.undecided:
        gaps.append((edges[-2], edges[-1]))
        if known.levels[known.undecided[0]].has_failed:
            del gaps[0]  # the step down from a failed confirmation decides what is tried there
    candidates = []
    for lower, upper in gaps:
        if lower is None or upper is None or upper - lower <= _GAP * plan.width_at(upper):
            continue
        middle = plan.within((lower + upper) / 2)
        if lower < middle < upper and middle not in known.levels:
            candidates.append((upper - lower, middle))
    return max(candidates)[1] if candidates else None


def _confirming(plan: SearchPlan, known: _Known) -> _Step | EndReason:
    candidate = _candidate(plan, known)
    level = known.levels.get(candidate)
    met_parts = level.met_parts if level is not None else 0
    if met_parts < plan.confirmations:
        return _Step(candidate, Purpose.CONFIRM_MET, met_parts + 1)
    if known.broken is None:
        return EndReason.NEVER_BROKEN if candidate >= plan.maximum else EndReason.UNDECIDED
    if not known.levels[known.broken].is_confirmed_broken:
        return _Step(known.broken, Purpose.CONFIRM_BROKEN)
    is_narrow = plan.is_narrow(candidate, known.broken)
    return EndReason.FOUND if is_narrow else EndReason.UNDECIDED


def _candidate(plan: SearchPlan, known: _Known) -> float:
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
    plan: SearchPlan, step: _Step, known: _Known, rest: Sequence[TrialOutcome], before: int
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


def _extensions(plan: SearchPlan, step: _Step) -> int:
    """How often the step is extended; an upper bound only has to not pass."""
    return 0 if step.purpose is Purpose.CONFIRM_BROKEN else plan.extensions


def _request(
    plan: SearchPlan, step: _Step, known: _Known, numbers: tuple[int, int, int]
) -> TrialRequest:
    """The trial of a step; numbers: of the trial, of the attempt, and of its extension."""
    number, attempt, extension = numbers
    alpha, factor = plan.alpha, 2.0**extension
    if step.purpose.is_confirmation:
        length_s = until_s = plan.confirmation_s * factor
    else:
        least_s = plan.confirmation_s if known.is_lengthened else 0.0
        length_s = max(least_s, plan.trial_least_s) * factor
        until_s = max(length_s, plan.trial_most_s * factor / 2.0**plan.extensions)
    if step.purpose is Purpose.CONFIRM_MET:
        tested = known.confirmed_levels
        order = tested.index(step.level) if step.level in tested else len(tested)
        alpha = plan.alpha / 2.0 ** (order + 1) / (1 + plan.extensions)
    return TrialRequest(
        number=number,
        level=step.level,
        purpose=step.purpose,
        part=step.part,
        attempt=attempt,
        length_s=length_s,
        until_decided_s=until_s,
        confidence=1 - alpha,
    )


def _ended(
    plan: SearchPlan, known: _Known, outcomes: Sequence[TrialOutcome], reason: EndReason
) -> SearchState:
    status = {
        EndReason.FOUND: SearchStatus.PASS,
        EndReason.NEVER_BROKEN: SearchStatus.PASS,
        EndReason.NEVER_MET: SearchStatus.FAIL,
        EndReason.TOO_MANY_INVALID: SearchStatus.INVALID,
    }.get(reason, SearchStatus.INCONCLUSIVE)
    return SearchState(bounds=_bounds(plan, known, outcomes), reason=reason, status=status)


def _bounds(plan: SearchPlan, known: _Known, outcomes: Sequence[TrialOutcome]) -> Bounds:
    proven, broken = known.proven, known.broken
    confirmed = broken if broken is not None and known.levels[broken].is_confirmed_broken else None
    lower = proven if proven is not None else known.met
    is_narrow = proven is not None and confirmed is not None and plan.is_narrow(proven, confirmed)
    return Bounds(
        proven_met=proven,
        met=known.met,
        broken=broken,
        confirmed_broken=confirmed,
        stable=_stable(proven, outcomes),
        undecided=known.undecided,
        is_narrow=is_narrow,
        estimate=(lower + broken) / 2 if lower is not None and broken is not None else None,
        operating=_operating(plan, proven),
    )


def _stable(proven: float | None, outcomes: Sequence[TrialOutcome]) -> float | None:
    """Highest level with a stable backlog; a growing one below a proven level was a disturbance."""
    growing = min(
        (
            outcome.request.level
            for outcome in outcomes
            if outcome.is_backlog_stable is False
            and (proven is None or outcome.request.level > proven)
        ),
        default=float("inf"),
    )
    stable = {
        outcome.request.level
        for outcome in outcomes
        if outcome.is_backlog_stable and outcome.request.level < growing
    }
    return max(stable, default=None)


def _operating(plan: SearchPlan, proven: float | None) -> float | None:
    if proven is None:
        return None
    level = proven * plan.headroom
    return float(int(level)) if plan.is_whole else round(level, 6)
