"""Agents that left the pool: whether that was planned, and who claimed their pending events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.integrity.pending_takeover import Takeover, analyze_takeover
from harness.clock import NS_PER_S
from harness.formatting import format_count, format_duration
from harness.judge.check import (
    Check,
    CheckContext,
    CheckKind,
    CheckSpec,
    Figure,
    NotApplicable,
    Problem,
)
from harness.judge.verdict import Verdict, worst
from harness.scenario.fault_registry import kinds_where

AGENT_POOL = CheckSpec(
    "agent_pool",
    "agents remain in the pool",
    CheckKind.VALIDITY,
    invalid="an agent container left the pool, and no planned fault explains it",
)
PENDING_TAKEOVER = CheckSpec(
    "pending_takeover",
    "pending events of lost agents claimed",
    CheckKind.INTEGRITY,
    fail="events stayed pending for an agent that left, beyond `claimed_within_s`",
    invalid="no sample of the shared consumer group",
    inconclusive="the samples end too early, or do not list every pending event",
)
OUT_OF_POOL = "out_of_pool"
_EXAMPLES_MAX = 20


@dataclass(frozen=True, slots=True)
class Departure:
    """A container that is not restarted any more, by `stack.json`.

    Attributes:
        host: its name as its consumer bears it.
        left_ns: its last end, monotonic.
        ends: how often it ended.
        planned: how many of its ends were planned faults that were proven.
    """

    name: str
    host: str
    left_ns: int
    exit_count: int
    planned_exit_count: int

    @property
    def is_planned(self) -> bool:
        """Whether every one of its ends was planned."""
        return 0 < self.exit_count <= self.planned_exit_count


def departures(case: CheckContext) -> tuple[Departure, ...]:
    """Every container that left the pool, by name."""
    services = case.stack.get("services")
    if case.stack.get("kind") != "docker" or not isinstance(services, dict):
        return ()
    return tuple(
        _departure(case, str(name), facts)
        for name, facts in sorted(services.items())
        if isinstance(facts, dict) and facts.get("lost")
    )


def planned_departures(case: CheckContext) -> frozenset[str]:
    """Names of containers that need not run at the end, as the verification calls them."""
    gone = [one.name for one in departures(case) if one.is_planned]
    services = case.stack.get("services") or ()
    alone = [
        name.rpartition("-")[0]
        for name in gone
        # An only instance goes by the name of its service.
        if sum(str(own).rpartition("-")[0] == name.rpartition("-")[0] for own in services) == 1
    ]
    return frozenset((*gone, *alone))


def check_pool(case: CheckContext) -> Iterator[Check]:
    """Each container that left the pool did so by planned faults; no check where none left."""
    found = departures(case)
    known = {one.name for one in found}
    unknown = sorted(
        {
            event.what
            for event in case.run.events
            if event.kind == OUT_OF_POOL and event.service not in known
        }
    )
    if not found and not unknown:
        return
    wrong = [one for one in found if not one.is_planned]
    message = [
        f"{one.name} is out of the pool: {one.planned_exit_count} of its"
        f" {format_count(one.exit_count, 'end')} were planned"
        for one in wrong
    ]
    message += [f"{what}; stack.json does not confirm it" for what in unknown]
    good = "; ".join(
        f"{one.name} is out of the pool after {format_count(one.exit_count, 'end')}, each of"
        " them planned"
        for one in found
    )
    hint = "read the containers' logs below logs/ of the run for why they ended"
    yield AGENT_POOL.valid_unless(
        [Problem(one, hint) for one in message],
        good,
        {"left": len(found), "unplanned": len(message)},
        tuple(one.name for one in wrong)[:_EXAMPLES_MAX],
    )


def check_takeover(case: CheckContext) -> Iterator[Check]:
    """That nothing stays pending for an agent that left, where others share its group."""
    gone = departures(case)
    if not case.scenario.agent_containers.shared_group or not gone:
        return
    limit_ns = round(case.scenario.agent_containers.claimed_within_s * NS_PER_S)
    pairs = [(one, analyze_takeover(case.pool_samples, one.host, one.left_ns)) for one in gone]
    reasons = [_not_applicable(one, found) for one, found in pairs]
    if case.pool_samples and all(reasons):
        yield PENDING_TAKEOVER.not_applicable(
            NotApplicable.NOTHING_TO_COMPARE,
            "; ".join(reasons),
            **_takeover_figures(pairs, limit_ns),
        )
        return
    outcomes = [
        (Verdict.PASS, reason) if reason else _outcome(one, found, limit_ns)
        for (one, found), reason in zip(pairs, reasons, strict=True)
    ]
    hint = ""
    if not case.pool_samples:
        outcomes = [(Verdict.INVALID, "the shared consumer group was not sampled")]
        hint = "let the harness read the group: see pool.jsonl and logs/ of it"
    yield PENDING_TAKEOVER.judged(
        worst(verdict for verdict, _ in outcomes),
        "; ".join(message for _, message in outcomes),
        _takeover_figures(pairs, limit_ns),
        hint=hint,
    )


def _takeover_figures(
    pairs: Sequence[tuple[Departure, Takeover]], limit_ns: int
) -> dict[str, Figure]:
    return {
        "held": sum(found.held for _, found in pairs),
        "taken": sum(sum(found.claimed.values()) for _, found in pairs),
        "unseen": sum(found.unseen for _, found in pairs),
        "left": sum(found.left for _, found in pairs),
        "emptied_ns": max(
            (found.emptied_ns - one.left_ns for one, found in pairs if found.emptied_ns),
            default=None,
        ),
        "limit_ns": limit_ns,
    }


def _not_applicable(one: Departure, found: Takeover) -> str:
    """Why no takeover can be checked for an agent; empty if it can."""
    if not found.watched_ns:
        return ""
    if not found.consumer:
        return f"no consumer of the shared group is named after {one.name}"
    if not found.held:
        return f"{one.name} ({found.consumer}) held no event when it left"
    return ""


def _outcome(one: Departure, found: Takeover, limit_ns: int) -> tuple[Verdict, str]:
    if not found.watched_ns:
        return Verdict.INCONCLUSIVE, f"the group was not sampled after {one.name} had left"
    span = f"{found.first_id} to {found.last_id}" if found.held > 1 else found.first_id
    held = (
        f"{one.name} ({found.consumer}) held {format_count(found.held, 'event')} when it left"
        f" ({span})"
    )
    verdict, ending = _ending(found, one.left_ns, limit_ns)
    if verdict is Verdict.PASS and not found.is_complete:
        verdict, ending = Verdict.INCONCLUSIVE, f"{ending}, but more was pending than was listed"
    return verdict, f"{held}; {_format_claims(found)}; {ending}"


def _format_claims(found: Takeover) -> str:
    parts = [f"{name} claimed {number}" for name, number in found.claimed.items()]
    if found.unseen:
        parts.append(f"{found.unseen} were acknowledged between two samples")
    return ", ".join(parts) or "no consumer claimed any"


def _ending(found: Takeover, left_ns: int, limit_ns: int) -> tuple[Verdict, str]:
    allowed = f"at most {format_duration(limit_ns)} are allowed"
    if found.emptied_ns is not None:
        elapsed_ns = found.emptied_ns - left_ns
        verdict = Verdict.PASS if elapsed_ns <= limit_ns else Verdict.FAIL
        return verdict, f"nothing was pending for it after {format_duration(elapsed_ns)}, {allowed}"
    watched_ns = found.watched_ns - left_ns
    verdict = Verdict.FAIL if watched_ns > limit_ns else Verdict.INCONCLUSIVE
    left = format_count(found.left, "event")
    return verdict, f"{left} of it still pending after {format_duration(watched_ns)}, {allowed}"


def _departure(case: CheckContext, name: str, facts: dict[str, Any]) -> Departure:
    exits = [end for end in facts.get("exits") or () if isinstance(end, dict)]
    exiting = kinds_where(lambda kind: kind.exits_target)
    kills = [
        record
        for record in case.analysis.faults.records or ()
        if record.kind in exiting and record.target == name and record.proven_ns is not None
    ]
    return Departure(
        name=name,
        host=str(facts.get("host") or ""),
        left_ns=int(exits[-1].get("mono_ns") or 0) if exits else 0,
        exit_count=len(exits),
        planned_exit_count=len(kills),
    )
