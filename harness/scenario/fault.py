"""Faults to be injected while the load is on, as frozen values."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.clock import NS_PER_S

TIMES_MAX = 1_000
_Moment = Annotated[float, Field(ge=0, le=7 * 86_400)]
_Length = Annotated[float, Field(gt=0, le=86_400)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class _Fault(BaseModel):
    """What all kinds have in common.

    Attributes:
        target: the service concerned.
        at_s: seconds after the start of the measured phase; a number or several.
        every_s: from one time to the next, where `times` is more than one.
        times: how often, from each of `at_s` on.
        jitter_s: each time comes later by up to so much; how much follows from the seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    target: _Name
    at_s: Annotated[tuple[_Moment, ...], Field(min_length=1, max_length=TIMES_MAX, strict=False)]
    every_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    times: Annotated[int, Field(ge=1, le=TIMES_MAX)] = 1
    jitter_s: Annotated[float, Field(ge=0, le=3_600)] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _one_moment_is_a_list_of_one(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("at_s"), (int, float)):
            return {**data, "at_s": [data["at_s"]]}
        return data

    @model_validator(mode="after")
    def _repeats_apart(self) -> _Fault:
        if self.times > 1 and self.every_s == 0:
            raise ValueError("times is more than 1: say how far apart with every_s")
        if self.times == 1 and self.every_s > 0:
            raise ValueError("every_s means nothing without times")
        return self


class Kill(_Fault):
    """SIGKILL of the service's own process; its restart policy brings it back."""

    kind: Literal["kill"]


class Restart(_Fault):
    """A graceful restart: the service is asked to end, and started again."""

    kind: Literal["restart"]


class Pause(_Fault):
    """Every process of the service stands still for `for_s`."""

    kind: Literal["pause"]
    for_s: _Length


class RpcStall(_Fault):
    """The RPC node takes connections and answers none for `for_s`."""

    kind: Literal["rpc_stall"]
    target: _Name = "anvil"
    for_s: _Length


class AofRewrite(_Fault):
    """Redis writes its append-only file anew."""

    kind: Literal["aof_rewrite"]
    target: _Name = "redis"


class Checkpoint(_Fault):
    """PostgreSQL writes every changed page to disk."""

    kind: Literal["checkpoint"]
    target: _Name = "postgres"


class Snapshot(_Fault):
    """A full backup of the database, as `pg_dump` makes it."""

    kind: Literal["snapshot"]
    target: _Name = "postgres"


class Partition(_Fault):
    """Packets between two services are dropped for `for_s`.

    Attributes:
        peer: the other service.
        direction: `both`, or only packets `to_peer` or `from_peer`.
    """

    kind: Literal["partition"]
    peer: _Name
    direction: Literal["both", "to_peer", "from_peer"] = "both"
    for_s: _Length


class CpuHog(_Fault):
    """Processes that only compute, inside the service's container, for `for_s`."""

    kind: Literal["cpu_hog"]
    processes: Annotated[int, Field(ge=1, le=64)] = 4
    for_s: _Length


class MemoryHog(_Fault):
    """A process inside the service's container that takes memory until the kernel ends it."""

    kind: Literal["memory_hog"]


class RedisFlood(_Fault):
    """Programs in an agent's container that write to and read from Redis, for `for_s`.

    Attributes:
        processes: how many, each with a connection.
        commands_per_s: of all together; 0 is as many as the container's limits let through.
    """

    kind: Literal["redis_flood"]
    processes: Annotated[int, Field(ge=1, le=64)] = 2
    commands_per_s: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    for_s: _Length


class GroupLeak(_Fault):
    """A program in an agent's container that makes consumer groups and uses none, for `for_s`."""

    kind: Literal["group_leak"]
    groups_per_s: Annotated[int, Field(ge=1, le=1_000)] = 20
    for_s: _Length


Fault = Annotated[
    Kill
    | Restart
    | Pause
    | RpcStall
    | AofRewrite
    | Checkpoint
    | Snapshot
    | Partition
    | CpuHog
    | MemoryHog
    | RedisFlood
    | GroupLeak,
    Field(discriminator="kind"),
]

# Kinds after which a service may well have ended and been started again.
DISRUPTIVE = frozenset({"kill", "restart", "pause", "rpc_stall", "partition", "memory_hog"})


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
        return self.fault.peer if isinstance(self.fault, Partition) else ""

    @property
    def end_ns(self) -> int:
        """When it is taken away, after t0."""
        return self.at_ns + self.for_ns


def length_ns(fault: Fault) -> int:
    """How long a fault lasts; 0 where it is a moment."""
    return round(float(getattr(fault, "for_s", 0.0)) * NS_PER_S)


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
        PlannedFault(number, fault, at_ns, length_ns(fault))
        for number, (at_ns, fault) in enumerate(found)
    )


def misplaced(planned: Sequence[PlannedFault], end_ns: int) -> list[str]:
    """What is wrong with the times: beyond the measured load, or two at once on one service."""
    problems = [
        f"fault {one.kind} of {one.target} at {one.at_ns / NS_PER_S:g} s of the load lasts beyond"
        f" the measured load, which ends at {end_ns / NS_PER_S:g} s"
        for one in planned
        if one.end_ns >= end_ns
    ]
    last: dict[str, PlannedFault] = {}
    for one in planned:
        before = last.get(one.target)
        if before is not None and one.at_ns <= before.end_ns:
            problems.append(
                f"fault {one.kind} of {one.target} at {one.at_ns / NS_PER_S:g} s of the load begins"
                f" before {before.kind} is over"
            )
        last[one.target] = one
    return problems[:20]
