"""What a search of the capacity varies: one figure of a scenario's load."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from harness.errors import UsageError
from harness.scenario.load import Phase, Stage
from harness.scenario.models import Scenario

_FIXED_HINT = "scenarios/capacity.toml is one without"


class CapacityAxis(StrEnum):
    """The figure that is searched; every other one stays as the scenario has it.

    RATE: signals/s of all agents together.
    AGENTS: agents; each sends as many signals/s as in the scenario.
    HOT_SHARE: share of the signals that trade from one address, 0..1.
    FULL_SHARE: share of the signals that are simulated in full, 0..1.
    """

    RATE = "rate"
    AGENTS = "agents"
    HOT_SHARE = "hot-share"
    FULL_SHARE = "full-share"

    @property
    def is_share(self) -> bool:
        """Whether its levels are shares, 0..1."""
        return self in (CapacityAxis.HOT_SHARE, CapacityAxis.FULL_SHARE)


def stage_of(scenario: Scenario) -> Stage:
    """The stage that a search varies: the first one that is measured.

    Raises:
        UsageError: no stage is measured.
    """
    for stage in scenario.load.stages:
        if stage.phase is Phase.MEASURE:
            return stage
    raise UsageError("no stage of the load is measured", where="load.stages")


def require_searchable(scenario: Scenario) -> None:
    """Make sure that a scenario says nothing that a search cannot keep.

    Raises:
        UsageError: it has faults, blocks or a gate, objectives of a stage or of a fault, or none of
            latency.
    """
    stage_of(scenario)
    fixed = {"fault": scenario.fault, "isolation": scenario.isolation, "gate": scenario.gate}
    for name, given in fixed.items():
        if given:
            raise UsageError(
                f"a search of the capacity has no [{name}]", where=name, hint=_FIXED_HINT
            )
    objectives = scenario.parsed_objectives()
    for one in objectives:
        if one.stage is not None or one.outside_faults or one.metric == "recovery":
            raise UsageError(
                f"{one.text!r} is not about a load of one stage without faults",
                where="objectives",
                hint="leave it out, as in p99 < 500 ms",
            )
    if not any(one.is_latency_percentile and one.is_estimated for one in objectives):
        raise UsageError(
            "no objective limits a percentile of latency",
            where="objectives",
            hint="add one, as in p99 < 500 ms",
        )


def at_level(scenario: Scenario, axis: CapacityAxis, level: float) -> dict[str, Any]:
    """A scenario as a document, of one stage, at a level of an axis.

    Args:
        scenario: the base.
        axis: what is varied.
        level: signals/s, agents, or a share.
    """
    stage, document = stage_of(scenario), scenario.model_dump(mode="json")
    agents, rate = stage.agents, stage.rate_from
    signals = document["signals"]
    if axis is CapacityAxis.RATE:
        rate = level
    elif axis is CapacityAxis.AGENTS:
        agents, rate = round(level), stage.rate_from / stage.agents * round(level)
    elif axis is CapacityAxis.HOT_SHARE:
        signals |= {"addresses": "hot" if level > 0 else "distinct", "hot_share": level}
    else:
        signals["full_share"] = level
    own = {"agents": agents, "rate_from": rate, "rate_to": rate, "duration_s": stage.duration_s}
    document["load"] |= {"stages": [own], "repeat": 1, "until_decided_s": None}
    return document
