"""Whether the evidence is complete and consistent; otherwise no conclusion holds."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.anomalies import EXAMPLES_MAX, Anomaly
from harness.contract.names import Contract
from harness.formatting import format_count
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, Problem
from harness.schedule.content import STALE_MARGIN_BLOCKS, contents

# What each irregularity of the evidence means, after its number.
_IRREGULAR = {
    Anomaly.ATTEMPT_REPEATED: ("attempt", "journaled twice"),
    Anomaly.ATTEMPT_INVALID: ("journal record", "that no swarm of this run wrote"),
    Anomaly.ATTEMPT_MISSING: ("attempt", "missing from the journal"),
    Anomaly.ACK_REPEATED: ("answer", "journaled twice"),
    Anomaly.ACK_INVALID: ("answer", "to signals that were not attempted"),
    Anomaly.ACK_MISSING: ("attempt", "without a journaled answer"),
    Anomaly.ACK_EARLY: ("answer", "older than what they answer"),
    Anomaly.SIGHTING_REPEATED: ("observation", "written twice"),
    Anomaly.SIGHTING_INVALID: ("observation", "that no observer wrote"),
    Anomaly.TASK_INVALID: ("FSM row", "in a state that no harness writes"),
    Anomaly.LEDGER_REPEATED: ("signal", "with two ledger records"),
    Anomaly.UNSEEN: ("signal", "final in the table that the observer did not see become so"),
}


# The harness wrote these files; what is wrong with them came after it, or from a full disk.
_DAMAGED = "run again; keep room on the disk of --reports, and change no file of a run"
_STACK_REPLACED = "put back stack.json as the run wrote it, from a copy; else run again"
_OWN = ("process", "docker")
_NOT_PLANNED = "run again: the files of this run are not of one scenario and one seed"


EVIDENCE_COMPLETE = CheckSpec(
    "evidence_complete",
    "evidence complete",
    CheckKind.VALIDITY,
    invalid="a file is missing, or ends within a record",
)
EVIDENCE_CONSISTENT = CheckSpec(
    "evidence_consistent",
    "evidence consistent",
    CheckKind.VALIDITY,
    invalid="records are repeated, out of order, impossible or without their counterpart",
)
JOURNAL_MATCHES_PLAN = CheckSpec(
    "journal_matches_plan",
    "journal matches the plan",
    CheckKind.VALIDITY,
    invalid="intended times, or which signals are deliberately stale, are not those that the seed"
    " gives; both are computed again",
)
STACK_CONSISTENT = CheckSpec(
    "stack_consistent",
    "stack description consistent",
    CheckKind.VALIDITY,
    invalid="`stack.json` names no kind of stack, or one that contract, scenario or final state"
    " contradict: the kind decides what is checked",
)


def _check(
    spec: CheckSpec, problems: list[str], good: str, hint: str, examples: tuple[str, ...] = ()
) -> Check:
    found = [Problem(message, hint) for message in problems]
    return spec.valid_unless(found, good, examples=examples[:EXAMPLES_MAX])


def check_complete(case: CheckContext) -> Check:
    """Every file is there, to its end."""
    analysis = case.analysis
    problems = [f"{name} is missing" for name in analysis.evidence.missing_files]
    torn = {**analysis.evidence.reading.torn, **analysis.integrity.final_state.torn}
    problems += [
        f"{name} ends with {format_count(size, 'byte')} of a record cut short"
        for name, size in torn.items()
    ]
    if analysis.evidence.bad_clock_lines:
        problems.append(
            f"{format_count(analysis.evidence.bad_clock_lines, 'line')} of clock.jsonl unreadable"
        )
    return _check(EVIDENCE_COMPLETE, problems, "every file is there and whole", _DAMAGED)


def check_regular(case: CheckContext) -> Check:
    """Each record occurs once, in order, and has its counterpart."""
    analysis = case.analysis
    problems: list[str] = []
    traces: list[str] = []
    for kind, (noun, text) in _IRREGULAR.items():
        found = analysis.finding(kind)
        if found.count:
            problems.append(f"{format_count(found.count, noun)} {text}")
            traces += found.traces
    problems += [
        f"{name} holds {format_count(number, 'record')} older than the one before"
        for name, number in analysis.evidence.reading.disordered.items()
    ]
    return _check(
        EVIDENCE_CONSISTENT,
        problems,
        "each record occurs once, in order, with its counterpart",
        _DAMAGED,
        tuple(dict.fromkeys(traces)),
    )


def check_as_planned(case: CheckContext) -> Check:
    """The journal is that of this plan: intended times follow from the seed."""
    expected, schedule = case.expected, case.analysis.signals.schedule
    problems = [
        f"the plan's {name} is not the scenario's"
        for name in ("seed", "load", "signals")
        if getattr(case.plan, name) != getattr(case.scenario, name)
    ]
    for agents, text in (
        (expected.differing_agents, "intended times differ from the plan's"),
        (expected.surplus_agents, "more signals than the plan has"),
    ):
        if agents:
            names = ", ".join(str(agent) for agent in agents[:5])
            more = ", ..." if len(agents) > 5 else ""
            problems.append(f"{format_count(len(agents), 'agent')} ({names}{more}): {text}")
    problems += _stale_problems(case)
    if schedule.unknown_stage:
        problems.append(
            f"{format_count(schedule.unknown_stage, 'signal')} of a stage not in the plan"
        )
    if schedule.early:
        problems.append(f"{format_count(schedule.early, 'signal')} sent before they were due")
    return _check(
        JOURNAL_MATCHES_PLAN,
        problems,
        "every intended time is the one that the seed gives",
        _NOT_PLANNED,
    )


def _stale_problems(case: CheckContext) -> Iterator[str]:
    """Signals sent stale on purpose are those that the seed chooses; objectives exclude them."""
    plan = case.plan
    if not plan.signals.stale_share:
        if marked := case.analysis.signals.outcomes().stale:
            yield (
                f"{format_count(marked, 'signal')} marked as stale on purpose, and the plan has"
                " none"
            )
        return
    surplus, lacking = case.analysis.integrity.stale_journal.find_mismatches(
        lambda agent, first, size: contents(plan.signals, plan.seed, agent, first, size).stale,
        case.scenario.chain.watermark_max_lag + STALE_MARGIN_BLOCKS + 1,
    )
    if surplus.count:
        signals = format_count(surplus.count, "signal")
        yield f"{signals} marked as stale that the seed does not choose"
    if lacking.count:
        yield f"{format_count(lacking.count, 'signal')} not marked as stale that the seed chooses"


def check_stack(case: CheckContext) -> Check:
    """The kind of the stack decides what is judged, so that no file alone may choose it."""
    good = f"{case.stack.get('kind')}, and the other evidence agrees"
    return _check(STACK_CONSISTENT, list(_stack_problems(case)), good, _STACK_REPLACED)


def _stack_problems(case: CheckContext) -> Iterator[str]:
    kind = case.stack.get("kind")
    if kind not in (*_OWN, "attach"):
        yield "stack.json is missing or names no kind of stack"
        return
    if kind in _OWN and _names(case.plan.contract) != _names(Contract()):
        yield f"stack.json names {kind}, and the plan's contract is that of an external system"
    if kind == "attach" and case.final.unattributed is not None:
        yield "stack.json names attach, and the final state is that of servers started for the run"
    if kind != "process" and case.scenario.engine.defects:
        yield f"stack.json names {kind}, and defects exist in child processes only"


def _names(contract: Contract) -> tuple[str, ...]:
    """Names that differ between systems, in every version of the harness."""
    streams, tasks = contract.streams, contract.tasks
    return (contract.prefix, streams.proposals, tasks.table, str(contract.seen.way))
