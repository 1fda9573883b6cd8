"""Whether what happened is told alike by every file that tells of it.

`run.json` alone is what most checks take the events from. A run that was edited and sealed anew has
to agree with the events as they were kept one by one, with what the stack counted, and with the
last words of the swarm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from harness.evidence.event_log import EVENTS_FILE
from harness.evidence.run_documents import TRUNCATING_EVENTS
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
_HINT = "take the folder as the run left it; if nobody changed it, report a defect with it"
# After these the swarm was told to end before its last signal, and says so.
_STOPPED_EARLY = TRUNCATING_EVENTS | {"decided"}


def check_events_agree(case: CheckContext) -> Check:
    """That no file tells of an event that another one should, and does not."""
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
    told, kept = Counter(case.run.events), Counter(case.events)
    for event in kept - told:
        yield f"{EVENTS_FILE} tells of {event.kind}, and run.json does not"
    for event in told - kept:
        yield f"run.json tells of {event.kind}, and {EVENTS_FILE} does not"


def _restarts(case: CheckContext) -> Iterator[str]:
    """A run that is cut short may end before it tells of a restart; so may one with faults."""
    if case.scenario.fault or any(event.kind in TRUNCATING_EVENTS for event in case.run.events):
        return
    told = [event.what for event in case.run.events if event.kind == "service_restarted"]
    for name, number in _counted(case.stack):
        if not any(what.startswith(f"{name} ") for what in told):
            yield f"stack.json counts {format_count(number, 'restart')} of {name}, run.json tells of none"


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
    if any(event.kind in _STOPPED_EARLY for event in case.run.events):
        return
    for word in case.analysis.instruments.self_monitoring.swarm:
        if word.error:
            yield f"swarm process {word.process} ended with {word.error!r}, run.json tells of none"
