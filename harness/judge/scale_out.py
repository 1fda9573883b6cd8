"""A scale-out of the agents: executed, in time, every agent served, and Zone B as it was."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.scale_out import ConsumerPeriod, ScaleOutAnalysis
from harness.analysis.scale_out_figures import delays, scaled_ns, since_start
from harness.clock import NS_PER_S
from harness.evidence.scale_log import ScaleStepRecord
from harness.formatting import format_count, format_duration
from harness.judge.advice import interference_advice
from harness.judge.check import Check, CheckContext, CheckKind, CheckSpec, NotApplicable, Problem
from harness.judge.host_interference import format_interference, host_interference
from harness.judge.verdict import Status, Verdict, worst
from harness.scenario.agent_containers import AgentContainers

_INTERFERED = "the same where other programs of the host used what the agents lacked meanwhile"
SCALE_OUT_EXECUTED = CheckSpec(
    "scale_out_executed",
    "scale-out executed as planned",
    CheckKind.VALIDITY,
    invalid="a step was not done, or not while the load was on, or agents, services or the shared"
    " group could not be read",
)
ZONE_B_UNCHANGED = CheckSpec(
    "zone_b_unchanged",
    "Zone B unchanged by the scale-out",
    CheckKind.INTEGRITY,
    fail="id, process, start time, restart count or a live limit of a service of Zone B differs"
    " from before the first step",
)
SCALED_IN_TIME = CheckSpec(
    "scaled_in_time",
    "agents scaled in time",
    CheckKind.INTEGRITY,
    fail="a step took longer than `scaled_within_s`",
    invalid=_INTERFERED,
)
AGENTS_SERVED = CheckSpec(
    "agents_served",
    "new agents served",
    CheckKind.INTEGRITY,
    fail="a new agent had no chain event within `served_within_s` of its start",
    invalid=_INTERFERED,
    inconclusive="the agent was not observed for so long",
)
EVENTS_SPREAD = CheckSpec(
    "events_spread",
    "events spread over the agents",
    CheckKind.INTEGRITY,
    fail="an agent had no event of the shared group while the number of agents was the same, or"
    " the largest share was more than 5 times the smallest",
    invalid=_INTERFERED,
    inconclusive="fewer than 4 events for each agent",
)
NOTHING_LEFT_PENDING = CheckSpec(
    "nothing_left_pending",
    "no event left pending by scaling in",
    CheckKind.INTEGRITY,
    fail="events stayed pending for an agent that a step ended, beyond `claimed_within_s`",
    inconclusive="the samples of the group end too early",
)
SPECS = (
    SCALE_OUT_EXECUTED,
    ZONE_B_UNCHANGED,
    SCALED_IN_TIME,
    AGENTS_SERVED,
    EVENTS_SPREAD,
    NOTHING_LEFT_PENDING,
)
# With a mean of 4 events in turn, one agent has 1 more or less; 5 times is no such chance.
EVENTS_MEAN_MIN = 4
SPREAD_MAX = 5.0
_EXAMPLES_MAX = 20
_SHOWN = 3
_HINT = "read logs/ of the run and scale-out.jsonl for what failed; a longer load leaves more time"


def check_scale_out(case: CheckContext) -> Iterator[Check]:
    """All checks of a scale-out; none where none was planned or recorded."""
    found, asked = case.analysis.scale_out, case.scenario.agent_containers
    if not asked.steps and found is None:
        return
    problems = list(_problems(case, found))
    yield SCALE_OUT_EXECUTED.valid_unless(
        [Problem(text, _HINT) for text in problems],
        f"{format_count(len(asked.steps), 'step')} while the load was on",
        {"steps": len(found.log.steps) if found else 0, "planned": len(asked.steps)},
        tuple(problems[:_EXAMPLES_MAX]),
    )
    if found is None:
        return
    yield _unchanged(found)
    for check in (_in_time(found, asked), _served(found, asked), _spread(found)):
        yield _with_interference(case, found, check)
    yield _nothing_left(found, asked)


def _problems(case: CheckContext, found: ScaleOutAnalysis | None) -> Iterator[str]:
    planned = case.scenario.agent_containers.steps
    if found is None:
        yield "no step was recorded"
        return
    log = found.log
    if log.unread:
        yield f"{format_count(log.unread, 'line')} of scale-out.jsonl unreadable or repeated"
    if log.begin is None or not log.begin.services:
        yield "the services before the first step were not recorded"
    if log.end is None:
        yield "the state after the load was not recorded"
    elif log.end.trouble:
        yield f"after the load: {log.end.trouble}"
    if not found.watched_ns:
        yield "the shared consumer group was not sampled"
    if [step.wanted for step in log.steps] != [step.agents for step in planned]:
        yield f"{len(log.steps)} of {format_count(len(planned), 'planned step')} were recorded"
    for step in log.steps:
        if problem := _step_problem(step, case.run.load_end_ns):
            yield f"step {step.number} ({step.wanted} agents): {problem}"


def _with_interference(case: CheckContext, found: ScaleOutAnalysis, check: Check) -> Check:
    """A time that was missed while others used the host is not the system's: INVALID."""
    if check.status is not Status.FAIL:
        return check
    t0_ns, log = case.analysis.timeline.t0_ns, found.log
    start_s = min((one.asked_ns - t0_ns for one in log.steps if one.asked_ns), default=0) / NS_PER_S
    meanwhile = [
        one for one in host_interference(case) if any(end_s > start_s for _, end_s in one.spans_s)
    ]
    if not meanwhile:
        return check
    return check.model_copy(
        update={
            "status": Status.INVALID,
            "message": f"{check.message}; {format_interference(meanwhile)}",
            "hint": interference_advice(meanwhile),
        }
    )


def _step_problem(step: ScaleStepRecord, load_end_ns: int) -> str:
    if step.trouble or step.asked_ns is None or step.scaled_ns is None:
        return step.trouble or "was not done"
    if step.asked_ns < step.planned_ns:
        return "was done before its time"
    if load_end_ns and step.scaled_ns > load_end_ns:
        return "was done only after the load"
    if len(step.agents) != step.wanted:
        return f"{format_count(len(step.agents), 'agent')} run"
    return ""


def _unchanged(found: ScaleOutAnalysis) -> Check:
    services = found.log.begin.services if found.log.begin else ()
    values = sum(len(one.settings()) for one in services)
    changes = [
        f"{one.service}: {one.setting} {one.before} -> {one.after} ({one.when})"
        for one in found.changes
    ]
    if not services:
        message = "no service was recorded before the first step"
        return ZONE_B_UNCHANGED.not_applicable(NotApplicable.NOT_RECORDED, message)
    more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    good = f"{format_count(values, 'value')} of {format_count(len(services), 'service')} unchanged"
    return ZONE_B_UNCHANGED.judged(
        Verdict.FAIL if changes else Verdict.PASS,
        "; ".join(changes[:_SHOWN]) + more if changes else good,
        {"services": len(services), "values": values, "changed": len(changes)},
        changes[:_EXAMPLES_MAX],
    )


def _in_time(found: ScaleOutAnalysis, asked: AgentContainers) -> Check:
    limit_ns = round(asked.scaled_within_s * NS_PER_S)
    done = [(step, took) for step in found.log.steps if (took := scaled_ns(step)) is not None]
    if not done:
        return SCALED_IN_TIME.not_applicable(NotApplicable.NOTHING_TO_COMPARE, "no step was done")
    late = [step for step, took in done if took > limit_ns]
    texts = [f"{step.wanted} agents after {format_duration(took)}" for step, took in done]
    return SCALED_IN_TIME.judged(
        Verdict.FAIL if late else Verdict.PASS,
        f"{', '.join(texts)}; at most {format_duration(limit_ns)} are allowed",
        {
            "steps": len(done),
            "late": len(late),
            "max_ns": max(took for _, took in done),
            "limit_ns": limit_ns,
        },
        tuple(f"step {step.number}" for step in late),
    )


def _served(found: ScaleOutAnalysis, asked: AgentContainers) -> Check:
    log, limit_ns = found.log, round(asked.served_within_s * NS_PER_S)
    new = [one for step in log.steps for one in log.new_agents(step)]
    if not new or not found.watched_ns:
        return AGENTS_SERVED.not_applicable(
            NotApplicable.NOTHING_TO_COMPARE, "no new agent was observed"
        )
    waits = since_start(new, found.first_event_ns)
    left_ns = {one.agent.host: one.left_ns for one in found.departures}
    late: list[str] = []
    unknown: list[str] = []
    for agent, wait_ns in zip(new, waits, strict=True):
        watched_ns = min(found.watched_ns, left_ns.get(agent.host, found.watched_ns))
        if wait_ns is not None and wait_ns <= limit_ns:
            continue
        observed = wait_ns is not None or watched_ns - agent.running_ns > limit_ns
        (late if observed else unknown).append(agent.name)
    first, signals = delays(waits), delays(since_start(new, found.first_simulated_ns))
    verdict = Verdict.FAIL if late else Verdict.INCONCLUSIVE if unknown else Verdict.PASS
    slowest = "none" if first.max_ns is None else format_duration(first.max_ns)
    message = (
        f"{first.count} of {format_count(len(new), 'new agent')} had an event, the slowest"
        f" {slowest} after its start; {format_duration(limit_ns)} are allowed"
    )
    if signals.max_ns is not None:
        message += (
            f"; {signals.count} had a signal SIMULATED, the slowest"
            f" {format_duration(signals.max_ns)} after its start"
        )
    return AGENTS_SERVED.judged(
        verdict,
        message,
        {
            "agents": len(new),
            "late": len(late),
            "unobserved": len(unknown),
            "event_median_ns": first.median_ns,
            "event_max_ns": first.max_ns,
            "simulated": signals.count,
            "simulated_median_ns": signals.median_ns,
            "simulated_max_ns": signals.max_ns,
            "limit_ns": limit_ns,
        },
        tuple((late or unknown)[:_EXAMPLES_MAX]),
    )


def _spread(found: ScaleOutAnalysis) -> Check:
    periods = [one for one in found.periods if one.events]
    if not periods or not found.watched_ns:
        return EVENTS_SPREAD.not_applicable(
            NotApplicable.NOTHING_TO_COMPARE, "no period with agents was observed"
        )
    outcomes = [_spread_of(one) for one in periods]
    ratios = [
        max(one.events.values()) / min(one.events.values())
        for one in periods
        if min(one.events.values())
    ]
    return EVENTS_SPREAD.judged(
        worst(verdict for verdict, _ in outcomes),
        "; ".join(text for _, text in outcomes),
        {
            "periods": len(periods),
            "events": sum(sum(one.events.values()) for one in periods),
            "without": sum(sum(count == 0 for count in one.events.values()) for one in periods),
            "ratio_max": max(ratios, default=None),
            "ratio_limit": SPREAD_MAX,
        },
    )


def _spread_of(period: ConsumerPeriod) -> tuple[Verdict, str]:
    counts = list(period.events.values())
    text = (
        f"{format_count(sum(counts), 'event')} over {format_count(len(counts), 'agent')}:"
        f" {min(counts)} to {max(counts)} each"
    )
    if sum(counts) < EVENTS_MEAN_MIN * len(counts):
        return Verdict.INCONCLUSIVE, f"{text}, too few in this time"
    uneven = not min(counts) or max(counts) > SPREAD_MAX * min(counts)
    return (Verdict.FAIL if uneven else Verdict.PASS), text


def _nothing_left(found: ScaleOutAnalysis, asked: AgentContainers) -> Check:
    if not found.departures or not found.watched_ns:
        return NOTHING_LEFT_PENDING.not_applicable(
            NotApplicable.NOTHING_TO_COMPARE, "no step ended an agent"
        )
    limit_ns = round(asked.claimed_within_s * NS_PER_S)
    at_end = found.log.end.consumers if found.log.end else {}
    failed, unknown, slowest_ns = [], [], 0
    for one in found.departures:
        takeover = one.takeover
        pending_at_end = any(
            count and one.agent.host in consumer for consumer, count in at_end.items()
        )
        if not takeover.watched_ns:
            unknown.append(one.agent.name)
        elif not takeover.held and not pending_at_end:
            continue
        elif takeover.emptied_ns is not None and not pending_at_end:
            slowest_ns = max(slowest_ns, takeover.emptied_ns - one.left_ns)
            if takeover.emptied_ns - one.left_ns > limit_ns:
                failed.append(one.agent.name)
        elif found.watched_ns - one.left_ns > limit_ns:
            failed.append(one.agent.name)
        else:
            unknown.append(one.agent.name)
    held = sum(one.takeover.held for one in found.departures)
    left = sum(one.takeover.left for one in found.departures)
    verdict = Verdict.FAIL if failed else Verdict.INCONCLUSIVE if unknown else Verdict.PASS
    message = (
        f"{format_count(len(found.departures), 'agent')} left with"
        f" {format_count(held, 'pending event')}, {left} of them still pending at the end"
    )
    if slowest_ns:
        message += f"; the last was claimed after {format_duration(slowest_ns)}"
    return NOTHING_LEFT_PENDING.judged(
        verdict,
        f"{message}; {format_duration(limit_ns)} are allowed",
        {
            "agents": len(found.departures),
            "held": held,
            "left": left,
            "emptied_ns": slowest_ns or None,
            "limit_ns": limit_ns,
        },
        tuple((failed or unknown)[:_EXAMPLES_MAX]),
    )
