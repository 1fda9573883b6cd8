"""One run, from a scenario to its evidence and its verdict.

`run` executes these steps, in this order:

1. Open the run's folder: write the scenario and the environment, reserve disk space for steps 6-9.
2. Start the stack.
3. Start the instruments: the observer, and wait until it watches; read the counters that the
   services have so far; start the telemetry.
4. Start the load: the swarm on its schedule, self-monitoring, then the features (faults, gate).
5. Follow it until every signal is sent, an interim analysis has decided, or an objective that may
   end the load early has failed; then until every signal is final or the drain time is over.
6. Stop the features, the swarm, the observer and the samplers.
7. Read the final state of the system and its counters again; let the features verify their effects.
8. Write what happened; stop the stack; seal the evidence.
9. Assess the evidence, and nothing but the evidence.

No other module knows this order. Whatever fails in between, everything that was started is
stopped, and everything that was written stays.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from harness.assessment.assess import Assessment
from harness.contract.names import Contract
from harness.contract.trace_id import new_run_tag
from harness.errors import EvidenceError, HarnessError, StackError, error_text
from harness.evidence.disk_reserve import DiskReserve
from harness.evidence.event_log import append_event, begin_events
from harness.evidence.manifest import write_manifest
from harness.evidence.run_documents import EXTRA_FILES, TELEMETRY_FILE
from harness.evidence.run_folder import RunFolder
from harness.judge.interim_analyzer import InterimAnalyzer
from harness.process.interrupt import Interrupted
from harness.run.live.abort_condition import abort_conditions_of
from harness.run.monitor import RunMonitor
from harness.run.parts import (
    ObserverPart,
    Parts,
    SelfMonitoringPart,
    ServiceCountersPart,
    SwarmPart,
    TelemetryPart,
)
from harness.scenario import Scenario
from harness.schedule.plan import SwarmPlan
from harness.stack.base import Endpoints

_POOL_END_S = 2.0


def run(scenario: Scenario, contract: Contract, parts: Parts, folder: RunFolder) -> Assessment:
    """Run a scenario against the system under test; the steps are those of the module.

    Raises:
        StackError: the stack could not be started, or was lost.
        EvidenceError: the evidence cannot be written.
    """
    folder.write_scenario(scenario)
    folder.write_json(folder.environment, parts.environment())
    begin_events(folder)

    with ExitStack() as cleanup:
        reserve = cleanup.enter_context(DiskReserve(folder.path))
        cleanup.callback(parts.system.stack.stop)
        endpoints = parts.system.stack.start()
        context = _Context(
            scenario, contract, parts, folder, cleanup, endpoints, run_tag=new_run_tag()
        )
        instruments = _start_instruments(context)
        load = _start_load(context, instruments)
        _follow(load)
        observation_end_ns = _stop(context, instruments, load)
        reserve.release()
        load.monitor.finish()
        _read_final_state(context, instruments, load.monitor)
        _verify_features(context, load.monitor)
        _write_run(context, load.monitor, observation_end_ns)
        folder.write_json(folder.stack, parts.system.stack.describe())
    write_manifest(folder)

    assessment = parts.assess(folder)
    lost = [event.what for event in load.monitor.events if event.kind == "stack_lost"]
    if lost:
        raise StackError(lost[0], hint=f"the evidence so far is in {folder.path}")
    return assessment


@dataclass(frozen=True, slots=True)
class _Context:
    """What every step after the start of the stack works with.

    Attributes:
        cleanup: stops what was started, last first, whatever happens.
    """

    scenario: Scenario
    contract: Contract
    parts: Parts
    folder: RunFolder
    cleanup: ExitStack
    endpoints: Endpoints
    run_tag: int


@dataclass(frozen=True, slots=True)
class _Instruments:
    """What was started in step 3."""

    observer: ObserverPart
    counters: ServiceCountersPart
    telemetry: TelemetryPart
    nonce_starts: dict[int, int]


@dataclass(frozen=True, slots=True)
class _Load:
    """What was started in step 4."""

    swarm: SwarmPart
    self_monitoring: SelfMonitoringPart
    monitor: RunMonitor


def _start_instruments(context: _Context) -> _Instruments:
    """Step 3."""
    parts, endpoints, folder = context.parts, context.endpoints, context.folder
    for feature in parts.features:
        context.cleanup.callback(feature.close)
    observer = parts.measurement.make_observer(endpoints, context.run_tag)
    context.cleanup.callback(observer.stop)
    observer.start()
    counters = parts.system.make_service_counters(endpoints, folder.metrics)
    counters.begin()
    nonce_starts = parts.system.read_starts(endpoints, context.run_tag)
    telemetry = parts.sampling.make_telemetry(endpoints, folder.telemetry)
    context.cleanup.callback(telemetry.stop)
    telemetry.start()
    return _Instruments(observer, counters, telemetry, nonce_starts)


def _start_load(context: _Context, instruments: _Instruments) -> _Load:
    """Step 4, but for the features: an interrupt from their start on still ends in evidence."""
    parts, folder, scenario = context.parts, context.folder, context.scenario
    plan = SwarmPlan(
        run_tag=context.run_tag,
        seed=scenario.seed,
        t0_ns=parts.clock.now_ns() + parts.measurement.lead_ns(scenario.load),
        load=scenario.load,
        signals=scenario.signals,
        watermark_max_lag=scenario.chain.watermark_max_lag,
        contract=context.contract,
        nonce_starts=instruments.nonce_starts,
        redis_url=context.endpoints.redis_url,
        folder=folder.journal,
    )
    folder.write_plan(plan)
    swarm = parts.measurement.make_swarm(plan)
    context.cleanup.callback(swarm.stop)
    swarm.start()

    pids = {**instruments.observer.pids(), **swarm.pids()}
    self_monitoring = parts.sampling.make_self_monitoring(folder.self_monitoring, pids)
    context.cleanup.callback(self_monitoring.stop)
    self_monitoring.start()
    if parts.sampling.make_pool_watch is not None:
        pool = parts.sampling.make_pool_watch(context.endpoints, folder.pool)
        context.cleanup.callback(pool.end, _POOL_END_S)
        pool.start()

    features = [(feature, feature.make(context.endpoints, swarm)) for feature in parts.features]
    for _, part in features:
        context.cleanup.callback(part.stop, abort=True)
    interim = None
    if scenario.load.until_decided_s is not None:
        interim = InterimAnalyzer(scenario, plan.t0_ns)
    conditions = abort_conditions_of(scenario, plan.t0_ns)
    live = parts.display.make_live(folder.path, plan, conditions, interim)
    monitor = RunMonitor(
        parts,
        swarm,
        instruments.observer,
        live,
        instruments.telemetry,
        scenario.load,
        plan.t0_ns,
        partial(append_event, folder),
        features,
    )
    return _Load(swarm, self_monitoring, monitor)


def _follow(load: _Load) -> None:
    """The features of step 4, and step 5; an interrupt ends the load, not the evidence."""
    try:
        load.monitor.start_features()
        load.monitor.until_sent()
        load.monitor.until_drained()
    except Interrupted as interrupt:
        load.monitor.note("interrupted", str(interrupt))


def _stop(context: _Context, instruments: _Instruments, load: _Load) -> int:
    """Step 6; the monotonic time at which observation ended, in ns."""
    load.monitor.stop_features()
    load.swarm.stop()
    instruments.observer.stop()
    observation_end_ns = context.parts.clock.now_ns()
    load.self_monitoring.stop()
    if failure := load.self_monitoring.failure():
        load.monitor.note("vitals_lost", failure)
    instruments.telemetry.stop()
    if failure := instruments.telemetry.failure():
        load.monitor.note("telemetry_lost", failure)
    return observation_end_ns


def _read_final_state(context: _Context, instruments: _Instruments, monitor: RunMonitor) -> None:
    """Step 7; what cannot be read is an event for the judge."""
    try:
        context.parts.system.read_final(context.endpoints, context.run_tag, context.folder.path)
        instruments.counters.end(monitor.live.final)
    except HarnessError as error:
        monitor.note("final_state_unread", str(error))
    except Exception as error:  # the load is over: a defect here must not cost its evidence
        monitor.note("final_state_unread", error_text(error))


def _verify_features(context: _Context, monitor: RunMonitor) -> None:
    """Step 7; an aborted run ends without."""
    for feature in context.parts.features:
        if monitor.is_aborted:
            return
        try:
            feature.verify()
        except Interrupted as interrupt:
            monitor.note("interrupted", str(interrupt))
        except HarnessError as error:
            monitor.note(feature.failure_kind, str(error))


def _write_run(context: _Context, monitor: RunMonitor, observation_end_ns: int) -> None:
    """Step 8: what happened, and which files are evidence."""
    scenario, folder = context.scenario, context.folder
    kept = [*EXTRA_FILES]
    for feature in context.parts.features:
        kept += feature.evidence
    if scenario.telemetry.enabled:
        kept.append(TELEMETRY_FILE)
    if scenario.agent_containers.shared_group:
        kept.append(folder.pool.name)
    document = {
        "t0_ns": monitor.t0_ns,
        "observation_end_ns": observation_end_ns,
        "drain_deadline_ns": monitor.drain_deadline_ns,
        "load_end_ns": monitor.load_end_ns,
        "analyses": [one.model_dump(mode="json") for one in monitor.analyses],
        "events": [event.model_dump(exclude_none=True) for event in monitor.events],
        "kept": kept,
    }
    try:
        folder.write_json(folder.run, document)
    except EvidenceError as error:
        # Nothing can be judged without it: what is known goes to the terminal.
        events = "".join(f"\n  before that: {event.what}" for event in monitor.events)
        raise EvidenceError(f"{error.what}{events}", where=error.where, hint=error.hint) from error
