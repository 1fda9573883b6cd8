"""Faults to be injected while the load is on: their common type, and when each is due."""

from __future__ import annotations

import operator
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Annotated

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from harness.clock import NS_PER_S
from harness.scenario.fault_base import FaultBase
from harness.scenario.fault_registry import fault_kinds
from harness.scenario.sentinel import Sentinel

_EXAMPLES_MAX = 20


class _ByKind:
    """Validates a fault as the model of its kind, whichever kinds there are."""

    @staticmethod
    def __get_pydantic_core_schema__(source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source
        models = reduce(operator.or_, fault_kinds().values())
        return handler.generate_schema(Annotated[models, Field(discriminator="kind")])


# A fault of any kind. A model with such a field needs `defer_build`, since the kinds are loaded
# when its first value is validated.
Fault = Annotated[FaultBase, _ByKind]


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One occurrence of a fault.

    Attributes:
        number: its place in the order of time, from 0.
        fault: what is done, and to whom.
        at_ns: when, after t0.
        for_ns: how long it lasts; 0 where it is a moment.
    """

    number: int
    fault: Fault
    at_ns: int
    for_ns: int

    @property
    def kind(self) -> str:
        """What is done."""
        return self.fault.kind

    @property
    def target(self) -> str:
        """To which service."""
        return self.fault.target

    @property
    def peer(self) -> str:
        """The other service, of a fault between two; empty for the others."""
        return self.fault.second_target

    @property
    def end_ns(self) -> int:
        """When it is healed, after t0."""
        return self.at_ns + self.for_ns


def occurrence_count(faults: Sequence[Fault]) -> int:
    """How many occurrences there are, without planning any."""
    return sum(len(fault.at_s) * fault.times for fault in faults)


def plan_faults(faults: Sequence[Fault], seed: int, start_ns: int) -> tuple[PlannedFault, ...]:
    """Every occurrence in the order of time; a pure function of its arguments.

    Args:
        faults: as the scenario has them.
        seed: of the scenario.
        start_ns: start of the measured phase, after t0.
    """
    found: list[tuple[int, Fault]] = []
    for place, fault in enumerate(faults):
        chance = random.Random(f"{seed}/fault/{place}")  # noqa: S311 - to be repeatable, not secret
        for moment_s in fault.at_s:
            for time in range(fault.times):
                late_s = chance.random() * fault.jitter_s
                at_s = moment_s + time * fault.every_s + late_s
                found.append((start_ns + round(at_s * NS_PER_S), fault))
    found.sort(key=lambda item: item[0])
    return tuple(
        PlannedFault(number, fault, at_ns, fault.length_ns)
        for number, (at_ns, fault) in enumerate(found)
    )


def find_misplaced(planned: Sequence[PlannedFault], end_ns: int) -> list[str]:
    """What is wrong with the times: beyond the measured load, or two at once on one service."""
    problems = [
        f"fault {one.kind} of {one.target} at {one.at_ns / NS_PER_S:g} s of the load lasts beyond"
        f" the measured load, which ends at {end_ns / NS_PER_S:g} s"
        for one in planned
        if one.end_ns >= end_ns
    ]
    problems += _find_repeated(planned)
    return (problems + find_overlapping(planned))[:_EXAMPLES_MAX]


def _find_repeated(planned: Sequence[PlannedFault]) -> list[str]:
    """Faults that a scenario has more than once though their kind allows one."""
    counts = Counter(one.kind for one in planned)
    reasons = {one.kind: one.fault.once for one in planned if one.fault.once}
    return [f"fault {kind}: {why}" for kind, why in reasons.items() if counts[kind] > 1]


def find_misfits(faults: Sequence[Fault], sentinel: Sentinel) -> list[str]:
    """Faults that would show nothing on a chain with this rule, and why."""
    found = ((place, fault.find_misfit(sentinel)) for place, fault in enumerate(faults))
    return [f"fault.{place}: {problem}" for place, problem in found if problem]


def find_overlapping(planned: Sequence[PlannedFault]) -> list[str]:
    """Faults that begin on a service, or on a link, before the one before them is over."""
    problems: list[str] = []
    last: dict[frozenset[str], PlannedFault] = {}
    for one in planned:
        # One after the other on a service, and on a link, whichever end is the target.
        places = [frozenset({one.target})]
        if one.peer:
            places.append(frozenset({one.target, one.peer}))
        problems += [
            f"fault {one.kind} of {one.target} at {one.at_ns / NS_PER_S:g} s of the load begins"
            f" before {before.kind} is over"
            for before in dict.fromkeys(last[place] for place in places if place in last)
            if one.at_ns <= before.end_ns
        ]
        last |= dict.fromkeys(places, one)
    return problems[:_EXAMPLES_MAX]
