"""Faults to be injected while the load is on, as frozen values."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field

from harness.clock import NS_PER_S
from harness.scenario.backup import Backup
from harness.scenario.fault_base import FaultBase, Length, Name
from harness.scenario.link_faults import LINK_KINDS, Bandwidth, Delay, LinkFault, Loss, Partition
from harness.scenario.service_faults import ClockStep, DiskFill, ForkStorm, SlowDisk


class Kill(FaultBase):
    """SIGKILL of the service's own process; its restart policy brings it back."""

    kind: Literal["kill"]


class Restart(FaultBase):
    """A graceful restart: the service is asked to end, and started again."""

    kind: Literal["restart"]


class Pause(FaultBase):
    """Every process of the service stands still for `for_s`."""

    kind: Literal["pause"]
    for_s: Length


class RpcStall(FaultBase):
    """The RPC node takes connections and answers none for `for_s`."""

    kind: Literal["rpc_stall"]
    target: Name = "anvil"
    for_s: Length


class RpcStale(FaultBase):
    """An RPC node answers and lies behind: its blocks stand still for `for_s`."""

    kind: Literal["rpc_stale"]
    target: Name = "rpc-primary"
    for_s: Length


class FeedStall(FaultBase):
    """The agents' view of the chain stands still for `for_s`, while its head goes on."""

    kind: Literal["feed_stall"]
    target: Name = "agents"
    for_s: Length


class AofRewrite(FaultBase):
    """Redis writes its append-only file anew."""

    kind: Literal["aof_rewrite"]
    target: Name = "redis"


class Checkpoint(FaultBase):
    """PostgreSQL writes every changed page to disk."""

    kind: Literal["checkpoint"]
    target: Name = "postgres"


class Snapshot(FaultBase):
    """A full backup of the database, as `pg_dump` makes it."""

    kind: Literal["snapshot"]
    target: Name = "postgres"


class CpuHog(FaultBase):
    """Processes that only compute, inside the service's container, for `for_s`."""

    kind: Literal["cpu_hog"]
    processes: Annotated[int, Field(ge=1, le=64)] = 4
    for_s: Length


class MemoryHog(FaultBase):
    """A process inside the service's container that takes memory until the kernel ends it."""

    kind: Literal["memory_hog"]


class RedisFlood(FaultBase):
    """Programs in an agent's container that write to and read from Redis, for `for_s`.

    Attributes:
        processes: how many, each with a connection.
        commands_per_s: of all together; 0 is as many as the container's limits let through.
    """

    kind: Literal["redis_flood"]
    processes: Annotated[int, Field(ge=1, le=64)] = 2
    commands_per_s: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    for_s: Length


class GroupLeak(FaultBase):
    """A program in an agent's container that makes consumer groups and uses none, for `for_s`."""

    kind: Literal["group_leak"]
    groups_per_s: Annotated[int, Field(ge=1, le=1_000)] = 20
    for_s: Length


Fault = Annotated[
    Kill
    | Restart
    | Pause
    | RpcStall
    | RpcStale
    | FeedStall
    | AofRewrite
    | Checkpoint
    | Snapshot
    | Backup
    | Partition
    | Delay
    | Loss
    | Bandwidth
    | CpuHog
    | MemoryHog
    | RedisFlood
    | GroupLeak
    | ForkStorm
    | DiskFill
    | SlowDisk
    | ClockStep,
    Field(discriminator="kind"),
]

# By their models: kinds of which a scenario says how long they last.
LASTING = frozenset(
    kind
    for model in get_args(get_args(Fault)[0])
    if "for_s" in model.model_fields
    for kind in get_args(model.model_fields["kind"].annotation)
)
_EXAMPLES_MAX = 20
# Kinds after which a service may well have ended and been started again.
DISRUPTIVE = LINK_KINDS | {"kill", "restart", "pause", "rpc_stall", "memory_hog", "disk_fill"}


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
        return self.fault.peer if isinstance(self.fault, LinkFault) else ""

    @property
    def end_ns(self) -> int:
        """When it is taken away, after t0."""
        return self.at_ns + self.for_ns


def occurrence_count(faults: Sequence[Fault]) -> int:
    """How many occurrences there are, without planning any."""
    return sum(len(fault.at_s) * fault.times for fault in faults)


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


def find_misplaced(planned: Sequence[PlannedFault], end_ns: int) -> list[str]:
    """What is wrong with the times: beyond the measured load, or two at once on one service."""
    problems = [
        f"fault {one.kind} of {one.target} at {one.at_ns / NS_PER_S:g} s of the load lasts beyond"
        f" the measured load, which ends at {end_ns / NS_PER_S:g} s"
        for one in planned
        if one.end_ns >= end_ns
    ]
    if sum(one.kind == "backup" for one in planned) > 1:
        problems.append("fault backup: a database has one backup policy")
    return (problems + find_overlapping(planned))[:_EXAMPLES_MAX]


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
