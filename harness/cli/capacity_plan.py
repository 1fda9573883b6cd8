"""The plan of a search, from the options of `harness capacity`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from harness.analysis.capacity.trials import SearchPlan
from harness.contract.trace_id import AGENT_MAX
from harness.durations import parse_duration_s
from harness.errors import UsageError, nearest
from harness.scenario import Scenario
from harness.scenario.capacity_axis import CapacityAxis, stage_of
from harness.scenario.file import format_problems

_SHARE = re.compile(r"^([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(%)?$")
_TIMES = re.compile(r"^([0-9]{1,2})x(.+)$")
RATE_MAX = 100_000.0
_SHARE_START = 0.25
# A confirmation goes on while it is undecided, up to so many times its length.
_CONFIRM_GROWTH = 4
# Which option a wrong figure of the plan comes from.
_OPTIONS = {
    "start": "--start",
    "minimum": "--min",
    "maximum": "--max",
    "width": "--width",
    "confirmations": "--confirm",
    "confirmation_s": "--confirm",
    "headroom": "--headroom",
    "trial_least_s": "--trial",
    "trial_most_s": "--trial",
}


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The options as text; None where they were not given."""

    start: str | None = None
    minimum: str | None = None
    maximum: str | None = None
    width: str | None = None
    headroom: str | None = None
    confirm: str | None = None
    trial: str | None = None

    def given(self) -> dict[str, object]:
        """By the name of the option."""
        return {
            "--start": self.start,
            "--min": self.minimum,
            "--max": self.maximum,
            "--width": self.width,
            "--headroom": self.headroom,
            "--confirm": self.confirm,
            "--trial": self.trial,
        }


def parse_axis(text: str) -> CapacityAxis:
    """An axis by its name.

    Raises:
        UsageError: there is no such axis; with the nearest name.
    """
    names = [axis.value for axis in CapacityAxis]
    if text in names:
        return CapacityAxis(text)
    near = nearest(text, names)
    raise UsageError(
        f"there is no axis {text!r}",
        where="--axis",
        hint=(f"did you mean {near}? " if near else "") + f"possible are {', '.join(names)}",
    )


def make_plan(scenario: Scenario, axis: CapacityAxis, options: PlanOptions) -> SearchPlan:
    """The plan that the options ask for, on an axis.

    Raises:
        UsageError: an option cannot be read, or they do not fit each other.
    """
    stage = stage_of(scenario)
    plan: dict[str, Any] = _defaults(axis, stage.rate_from, stage.agents)
    for key, text in (
        ("start", options.start),
        ("minimum", options.minimum),
        ("maximum", options.maximum),
    ):
        if text is not None:
            plan[key] = _level(text, axis, _OPTIONS[key])
    if options.start is None:
        plan["start"] = min(max(plan["start"], plan["minimum"]), plan["maximum"])
    if options.width is not None:
        plan["width"] = _share(options.width, "--width")
    if options.headroom is not None:
        plan["headroom"] = _share(options.headroom, "--headroom")
    if options.confirm is not None:
        match = _TIMES.match(options.confirm)
        if match is None:
            raise UsageError(
                f"{options.confirm!r} is not NUMBERxLENGTH", where="--confirm", hint="write 3x60s"
            )
        plan["confirmations"] = int(match[1])
        plan["confirmation_s"] = parse_duration_s(match[2], "--confirm")
        plan["confirmation_most_s"] = _CONFIRM_GROWTH * plan["confirmation_s"]
    if options.trial is not None:
        least, separator, most = options.trial.partition("-")
        plan["trial_least_s"] = parse_duration_s(least, "--trial")
        plan["trial_most_s"] = parse_duration_s(most if separator else least, "--trial")
    try:
        return SearchPlan.model_validate(plan)
    except ValidationError as error:
        raise _refused(error, plan) from error


def _defaults(axis: CapacityAxis, rate: float, agents: int) -> dict[str, Any]:
    if axis is CapacityAxis.AGENTS:
        return {"start": agents, "minimum": 1, "maximum": AGENT_MAX + 1, "is_whole": True}
    if axis.is_share:
        return {
            "start": _SHARE_START, "minimum": 0.0, "maximum": 1.0, "width_kind": "absolute"
        }  # fmt: skip
    return {"start": rate or 1.0, "minimum": 1.0, "maximum": RATE_MAX}


def _level(text: str, axis: CapacityAxis, where: str) -> float:
    if axis.is_share:
        return _share(text, where)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UsageError(f"{text!r} is no number", where=where, hint="write 500")
    return value


def _share(text: str, where: str) -> float:
    """`5%` or `0.05`."""
    match = _SHARE.match(text.strip())
    value = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"{text!r} is no share", where=where, hint="write 5% or 0.05")
    return value


def _refused(error: ValidationError, plan: Mapping[str, Any]) -> UsageError:
    keys = [str(one["loc"][0]) for one in error.errors() if one["loc"]]
    named = list(dict.fromkeys(_OPTIONS[key] for key in keys if key in _OPTIONS))
    return UsageError(
        format_problems(error, "the range"),
        where=", ".join(named) or "--start, --min, --max",
        hint=f"the search goes from {plan['minimum']:g} to {plan['maximum']:g}",
    )
