"""Whether the rounds of a gate kept their invariants, and whether the gate ran as planned."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.gate.figures import broken_rounds
from harness.analysis.gate.fuzz_case import draw_case
from harness.analysis.gate.invariants import is_slow
from harness.clock import NS_PER_S
from harness.evidence.gate_log import GateLog, GateRound
from harness.formatting import format_count, format_share
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, Problem
from harness.judge.verdict import Verdict
from harness.scenario.gate import Gate

GATE_INVARIANTS = CheckSpec(
    "gate_invariants",
    "gate invariants hold",
    CheckKind.INTEGRITY,
    fail="a fuzzed round broke an invariant",
)
GATE_EXECUTION = CheckSpec(
    "gate_execution",
    "gate executed as planned",
    CheckKind.VALIDITY,
    invalid="fewer rounds than planned while the load was on, others than the seed's, or a node"
    " that was not seen to be gone",
)
_EXAMPLES_MAX = 20
_HINT = "set fewer gate.rounds or a longer load; if its node did not answer, read logs/ of the run"
# With more late decisions too few are checked, whatever makes them late.
SLOW_SHARE_MAX = 0.1
# Events of the container engine for a container of the gate, from creation to removal.
_LIFE = ("create", "start", "die", "destroy")


def check_gate(case: CheckContext) -> Iterator[Check]:
    """Both checks; none where no gate was planned or recorded."""
    gate, record = case.scenario.gate, case.analysis.gate
    if gate is None and record is None:
        return
    if record is not None and record.rounds:
        yield _held(record)
    problems = list(_problems(case, gate, record))
    figures = case.measurement.gate
    message = "; ".join(problems[:5])
    if figures is not None and not problems:
        lasted_s = (figures.released_s or 0) - (figures.opened_s or 0)
        message = (
            f"{format_count(figures.rounds, 'round')} while the load was on; the node was there for"
            f" {lasted_s:.1f} s: {record.released.seen if record and record.released else ''}"
        )
    yield GATE_EXECUTION.valid_unless(
        [Problem(message, _HINT)] if problems else [],
        message,
        {
            "rounds": figures.rounds if figures else 0,
            "planned": gate.rounds if gate else 0,
            "problems": len(problems),
        },
        tuple(problems[:_EXAMPLES_MAX]),
    )


def _held(record: GateLog) -> Check:
    """Invariants of every round that was played, checked again from the observations."""
    broken = broken_rounds(record)
    rounds = {one.number: one for one in record.rounds}
    names = [
        f"round {number} ({' and '.join(rounds[number].draw.kinds)}): {', '.join(invariants)}"
        for number, invariants in sorted(broken.items())
    ]
    played = sum(one.seen is not None for one in record.rounds)
    more = f"; and {len(names) - 3} more" if len(names) > 3 else ""
    return GATE_INVARIANTS.judged(
        Verdict.FAIL if broken else Verdict.PASS,
        f"{format_count(len(names), 'round')} of {played:,} broke invariants: "
        f"{'; '.join(names[:3])}{more}"
        if names
        else f"none of {format_count(played, 'fuzzed round')} broke one",
        {"rounds": played, "broken": len(broken)},
        names[:_EXAMPLES_MAX],
    )


def _problems(case: CheckContext, gate: Gate | None, record: GateLog | None) -> Iterator[str]:
    if gate is None:
        yield "gate.jsonl records a gate that the scenario does not plan"
        return
    if record is None:
        yield "its outcome was not recorded"
        return
    if record.unread:
        yield f"{format_count(record.unread, 'line')} of gate.jsonl unreadable or repeated"
    if record.opened is None:
        yield "its node was never seen to answer"
    elif record.opened.asked_ns < case.plan.t0_ns + case.scenario.gate_start_ns:
        yield "its node was started before its time"
    yield from _round_problems(case, gate, record)
    yield from _release_problems(case, record)


def _round_problems(case: CheckContext, gate: Gate, record: GateLog) -> Iterator[str]:
    seed, opened = case.scenario.seed, record.opened
    end_ns = case.scenario.load.measured_stretches_ns()[-1][1] + case.plan.t0_ns
    until_ns = min(end_ns, record.released.closed_ns) if record.released else end_ns

    def counts(one: GateRound) -> bool:
        begin_ns = opened.mono_ns if opened else end_ns
        return one.seen is not None and begin_ns <= one.began_ns <= one.ended_ns <= until_ns

    counted = [one for one in record.rounds if counts(one)]
    if len(counted) < gate.rounds:
        yield (
            f"{format_count(len(counted), 'round')} of {gate.rounds:,} were played"
            " while the node was there and the load was on"
        )
    differing = [
        one.number
        for one in record.rounds
        if one.number >= gate.rounds or one.draw != draw_case(gate, seed, one.number)
    ]
    if differing:
        rounds = format_count(len(differing), "round")
        yield f"{rounds} (first: {differing[0]}) not as the seed draws them"
    unplayed = [one for one in record.rounds if one.seen is None]
    if unplayed:
        yield (
            f"{format_count(len(unplayed), 'round')} could not be played, the first (number"
            f" {unplayed[0].number}) because of {unplayed[0].trouble or 'an unknown error'}"
        )
    if record.rounds and record.begun is None:
        yield "the reference values of the rounds were not recorded"
    yield from _slow_problems(record)


def _slow_problems(record: GateLog) -> Iterator[str]:
    """Late decisions are excused; with many of them the limits were not tested."""
    limit_ns = record.begun.limit_ns if record.begun else 0
    asked = [
        decision
        for one in record.rounds
        if one.seen is not None
        for decision in one.seen.asked
        if decision.when != "stalled"
    ]
    slow = sum(is_slow(decision, limit_ns) for decision in asked)
    if slow > SLOW_SHARE_MAX * len(asked):
        yield (
            f"{format_count(slow, 'decision')} of {len(asked):,} came too late, at most"
            f" {format_share(SLOW_SHARE_MAX)} may: the limits were not tested"
        )


def _release_problems(case: CheckContext, record: GateLog) -> Iterator[str]:
    released = record.released
    if released is None:
        yield "the release of its node was not recorded"
        return
    if released.trouble:
        yield released.trouble
    if released.mono_ns is None:
        yield "its node was not seen to be gone"
        return
    end_ns = case.scenario.load.measured_stretches_ns()[-1][1] + case.plan.t0_ns
    if released.closed_ns > end_ns:
        late_s = (released.closed_ns - end_ns) / NS_PER_S
        yield f"its node was kept until {late_s:.1f} s after the measured load"
    if case.stack.get("kind") == "docker":
        actions = _life_of(case, released.node)
        if tuple(action for action in actions if action in _LIFE) != _LIFE:
            yield f"the engine's events of {released.node!r}: {', '.join(actions) or 'none'}"


def _life_of(case: CheckContext, container: str) -> list[str]:
    events = case.stack.get("events")
    return [
        str(event.get("action"))
        for event in (events if isinstance(events, list) else ())
        if isinstance(event, dict) and event.get("container") == container
    ]
