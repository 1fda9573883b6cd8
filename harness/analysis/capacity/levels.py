"""What the answers of a search say of each level, and the bracket that follows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.analysis.capacity.trials import Answer, Purpose, SearchPlan


@dataclass(frozen=True, slots=True)
class Step:
    """A level to be tried for a purpose, until it is answered."""

    level: float
    purpose: Purpose
    part: int = 1


@dataclass(frozen=True, slots=True)
class Settled:
    """A step with its answer: met, broken, or undecided after all extensions."""

    step: Step
    answer: Answer


@dataclass(frozen=True, slots=True)
class LevelState:
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
class Known:
    """The bracket, and what led to it.

    Attributes:
        levels: by level.
        proven: highest level with all confirmations.
        undecided: between the bounds, ascending.
        confirmed_levels: levels whose confirmation was tried, in order.
        undecided_confirmations: how many levels stayed undecided in a confirmation.
        is_lengthened: a level broke in a confirmation that a shorter trial had met.
    """

    levels: dict[float, LevelState]
    proven: float | None
    met: float | None
    broken: float | None
    undecided: tuple[float, ...]
    confirmed_levels: tuple[float, ...]
    undecided_confirmations: int
    is_lengthened: bool


def known_of(plan: SearchPlan, settled: Iterable[Settled]) -> Known:
    """The bracket of all answers.

    A confirmation overrules a shorter trial of the same level; two confirmations that contradict
    each other leave it undecided. A proven level overrules a level below it that broke; else the
    lowest broken level overrules what was met above it, until its own confirmation refutes it.
    """
    levels: dict[float, LevelState] = {}
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
    return Known(
        levels=levels,
        proven=proven,
        met=met,
        broken=broken,
        undecided=tuple(undecided),
        confirmed_levels=tuple(confirmed),
        undecided_confirmations=undecided_confirmations,
        is_lengthened=is_lengthened,
    )


def _updated(before: LevelState | None, settled: Settled) -> LevelState:
    """What is known of a level after one more answer."""
    step, answer = settled.step, settled.answer
    level = before or LevelState(step.level, answer)
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
