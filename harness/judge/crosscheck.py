"""Whether all files agree about the events of a run.

Most checks read the events from `run.json` alone. In a run that was edited and sealed again it has
to agree with the events as recorded one by one, with the stack's counters, and with the last status
of the swarm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from harness.evidence.event_log import EVENTS_FILE
from harness.evidence.run_documents import TRUNCATING_EVENTS, is_stopped_early
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec
from harness.judge.verdict import Verdict

EVENTS_CONSISTENT = CheckSpec(
    "events_consistent",
    "events consistent across files",
    CheckKind.VALIDITY,
    invalid="`run.json`, `events.jsonl`, the stack's counters and the swarm disagree about events",
)
_SHOWN = 3
_HINT = "use the folder as the run left it; if it is unchanged, report a defect with it"


def check_events_agree(case: CheckContext) -> Check:
    """No file has an event that is missing in another one."""
    problems = [*_kept(case), *_restarts(case), *_swarm(case)]
    return EVENTS_CONSISTENT.judged(
        Verdict.INVALID if problems else Verdict.PASS,
        "; ".join(problems[:_SHOWN])
        or f"{format_count(len(case.run.events), 'event')}, the same in every file",
        examples=tuple(problems[:20]),
        hint=_HINT if problems else "",
    )


def _kept(case: CheckContext) -> Iterator[str]:
    """`run.json` against `events.jsonl`, which grew while the run was under way."""
    if case.events is None:
        return
    listed, logged = Counter(case.run.events), Counter(case.events)
    for event in logged - listed:
        yield f"{EVENTS_FILE} has {event.kind}, and run.json does not"
    for event in listed - logged:
        yield f"run.json has {event.kind}, and {EVENTS_FILE} does not"


def _restarts(case: CheckContext) -> Iterator[str]:
    """A run that is cut short may end before it records a restart; so may one with faults."""
    if case.scenario.fault or any(event.kind in TRUNCATING_EVENTS for event in case.run.events):
        return
    restarted = {event.service for event in case.run.events if event.kind == "service_restarted"}
    for name, number in _counted(case.stack):
        if name not in restarted:
            counted = format_count(number, "restart")
            yield f"stack.json counts {counted} of {name}, run.json has none"


def _counted(stack: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """Services that were restarted, and how often."""
    services, attached = stack.get("services"), stack.get("restarts")
    for name, one in services.items() if isinstance(services, Mapping) else ():
        number = one.get("restarts") if isinstance(one, Mapping) else None
        if isinstance(number, int) and number:
            yield str(name), number
    for name, number in attached.items() if isinstance(attached, Mapping) else ():
        if isinstance(number, int) and number:
            yield str(name), number


def _swarm(case: CheckContext) -> Iterator[str]:
    """A process of the swarm that ends with an error has ended before its time."""
    kinds = {event.kind for event in case.run.events}
    if kinds & TRUNCATING_EVENTS:
        return
    # A run that was decided early stopped its swarm, which reports that and nothing else.
    is_decided = "decided" in kinds
    for status in case.analysis.instruments.self_monitoring.swarm:
        if status.error and not (is_decided and is_stopped_early(status.error)):
            yield f"swarm process {status.process} ended with {status.error!r}, run.json has none"
