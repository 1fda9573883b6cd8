"""The lines of `scale-out.jsonl`: agents and services before, after each step, and at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic import Field as Key

from harness.evidence.jsonl import format_jsonl, readable_lines
from harness.evidence.run_documents import Moment

Count = Annotated[int, Key(ge=0, le=1 << 61)]


class _Line(BaseModel):
    # A newer harness may have written more fields.
    model_config = ConfigDict(frozen=True, extra="ignore")


class ServiceIdentity(_Line):
    """A service that no scaling may touch, as it runs now.

    Attributes:
        id: of the container; the process id where there is no container.
        started: when its process started, as engine or kernel report it.
        restarts: by its restart policy.
        limits: live limits of its control group by name; None means unlimited.
    """

    name: str
    id: str
    pid: Count
    started: str
    restarts: Count
    limits: Mapping[str, int | None] = {}

    def settings(self) -> dict[str, str]:
        """Every value that has to stay the same, as text, by name."""
        limits = {f"limit {name}": _limit(value) for name, value in sorted(self.limits.items())}
        return {
            "id": self.id,
            "pid": str(self.pid),
            "started": self.started,
            "restarts": str(self.restarts),
            **limits,
        }


class AgentInstance(_Line):
    """An agent that runs.

    Attributes:
        host: part of its consumer's name, unique in the run.
        running_ns: when its process started.
    """

    name: str
    host: str
    running_ns: Moment


class AgentSignals(_Line):
    """The signals of one agent in the database at the end.

    Attributes:
        host: of the agent.
        signals: its rows, of which `simulated` are SIMULATED or beyond.
        first_simulated_us: server time of its first SIMULATED; None without one.
    """

    host: str
    signals: Count
    simulated: Count
    first_simulated_us: Annotated[int, Key(ge=0, le=1 << 52)] | None = None


class ScaleBegin(_Line):
    """Before the first step."""

    line: Literal["begin"] = "begin"
    mono_ns: Moment
    agents: tuple[AgentInstance, ...]
    services: tuple[ServiceIdentity, ...]


class ScaleStepRecord(_Line):
    """One step.

    Attributes:
        number: from 1 on.
        wanted: number of agents.
        asked_ns: when the scaling began; None if it never did.
        scaled_ns: when every new agent ran, and every agent that left had ended.
        before: the services before the scaling; `services`: after it.
        agents: after the scaling.
        consumers: pending events by consumer of the shared group after the scaling.
        trouble: what failed; empty if nothing did.
    """

    line: Literal["step"] = "step"
    number: Count
    wanted: Count
    planned_ns: Moment
    asked_ns: Moment | None = None
    scaled_ns: Moment | None = None
    before: tuple[ServiceIdentity, ...] = ()
    services: tuple[ServiceIdentity, ...] = ()
    agents: tuple[AgentInstance, ...] = ()
    consumers: Mapping[str, Count] = {}
    trouble: str = ""


class ScaleEnd(_Line):
    """After the load.

    Attributes:
        signals: of each agent with signals; None where the table could not be read.
        trouble: what could not be read.
    """

    line: Literal["end"] = "end"
    mono_ns: Moment
    services: tuple[ServiceIdentity, ...] = ()
    consumers: Mapping[str, Count] = {}
    signals: tuple[AgentSignals, ...] | None = None
    trouble: str = ""


ScaleLogEntry = ScaleBegin | ScaleStepRecord | ScaleEnd
_LINE: TypeAdapter[ScaleLogEntry] = TypeAdapter(Annotated[ScaleLogEntry, Key(discriminator="line")])


@dataclass(frozen=True, slots=True)
class ScaleLog:
    """All lines; None for a missing one.

    Attributes:
        steps: in order.
        unread: number of unreadable and duplicate lines.
    """

    begin: ScaleBegin | None = None
    steps: tuple[ScaleStepRecord, ...] = ()
    end: ScaleEnd | None = None
    unread: int = 0

    def new_agents(self, step: ScaleStepRecord) -> tuple[AgentInstance, ...]:
        """The agents that a step started."""
        known = {one.host for one in self.agents_before(step)}
        return tuple(one for one in step.agents if one.host not in known)

    def left_agents(self, step: ScaleStepRecord) -> tuple[AgentInstance, ...]:
        """The agents that a step ended; none of a step that failed."""
        if step.scaled_ns is None:
            return ()
        remaining = {one.host for one in step.agents}
        return tuple(one for one in self.agents_before(step) if one.host not in remaining)

    def agents_before(self, step: ScaleStepRecord) -> tuple[AgentInstance, ...]:
        """The agents before a step."""
        done = [one for one in self.steps if one.number < step.number and one.scaled_ns is not None]
        if done:
            return done[-1].agents
        return self.begin.agents if self.begin else ()


def format_scale_entry(line: ScaleLogEntry) -> str:
    """The text of a line."""
    return format_jsonl(line)


def read_scale_log(lines: Iterable[str]) -> ScaleLog:
    """All lines; unreadable ones are counted."""
    begin: ScaleBegin | None = None
    end: ScaleEnd | None = None
    steps: dict[int, ScaleStepRecord] = {}
    entries, unread = readable_lines(lines, _LINE)
    for found in entries:
        if isinstance(found, ScaleStepRecord):
            unread += found.number in steps
            steps.setdefault(found.number, found)
        elif isinstance(found, ScaleBegin):
            unread += begin is not None
            begin = begin or found
        else:
            unread += end is not None
            end = end or found
    return ScaleLog(begin, tuple(steps[number] for number in sorted(steps)), end, unread)


def _limit(value: int | None) -> str:
    return "unlimited" if value is None else str(value)
