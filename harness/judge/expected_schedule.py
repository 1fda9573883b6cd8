"""What the plan asked for, computed anew from seed and load."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.attempt_totals import AttemptTotals, weigh
from harness.evidence.run_documents import RunPlan
from harness.schedule.pacing import intended_offsets

_BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class ExpectedSchedule:
    """The plan's schedule.

    Attributes:
        by_stage: signals of each stage of the timeline.
        differing_agents: agents whose journaled intended times are not those of the plan.
        surplus_agents: agents that attempted more than the plan has.
    """

    by_stage: tuple[int, ...]
    differing_agents: tuple[int, ...]
    surplus_agents: tuple[int, ...]


def expected_schedule(plan: RunPlan, attempted: AttemptTotals) -> ExpectedSchedule:
    """The plan's schedule, held against what was attempted; memory is one block of one agent."""
    timeline = plan.load.timeline()
    by_stage = [0] * len(timeline)
    differing, surplus = [], []
    for agent in range(max(stage.agents for stage in timeline)):
        journaled = int(attempted.by_agent[agent])
        total = 0
        count = 0
        for stage, offsets in intended_offsets(plan.load, plan.seed, agent, block=_BLOCK):
            by_stage[stage] += len(offsets)
            own = offsets[: max(0, journaled - count)]
            total += int(weigh(own, count).sum(dtype=np.uint64))
            count += len(offsets)
        if journaled > count:
            surplus.append(agent)
        elif total % (1 << 64) != int(attempted.sum_by_agent[agent]):
            differing.append(agent)
    beyond = np.flatnonzero(attempted.by_agent[max(stage.agents for stage in timeline) :])
    first = max(stage.agents for stage in timeline)
    surplus += [first + int(agent) for agent in beyond]
    return ExpectedSchedule(tuple(by_stage), tuple(differing), tuple(surplus))
