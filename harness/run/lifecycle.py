"""One run, from a scenario to its evidence and its verdict.

1. Open the run's folder; write down what is asked, and where.
2. Start the stack.
3. Start the observer, and wait until it watches; read what the services have counted so far;
   start the telemetry.
4. Start the swarm on its schedule, and the faults on theirs; look after all processes of the
   harness from then on.
5. Follow until every signal is sent, an interim analysis has decided, or an objective that may
   end the load early has failed; then until every signal is final or the drain time is over.
6. Heal what faults are left, release a gate; stop swarm, observer and telemetry; read the state
   in which the system was left, and its counts again; try the backups, if some were taken.
7. Write down what happened; stop the stack; seal the evidence.
8. Assess the evidence, and nothing but the evidence.

No other module knows this order. Whatever goes wrong in between, what was started is stopped and
what was written stays. On a disk that fills up, steps 6 to 8 have the room set aside in step 1.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict

from harness.assessment.assess import Assessment
from harness.contract.names import Contract
from harness.contract.trace_id import new_run_tag
from harness.errors import EvidenceError, HarnessError, StackError, error_text
from harness.evidence.disk_reserve import DiskReserve
from harness.evidence.event_log import append_event, begin_events
from harness.evidence.manifest import write_manifest
from harness.evidence.run_documents import CHAIN_HEADS_FILE, EXTRA_FILES, TELEMETRY_FILE
from harness.evidence.run_folder import RunFolder
from harness.judge.interim_analyzer import InterimAnalyzer
from harness.process.interrupt import Interrupted
from harness.run.live.abort_condition import abort_conditions_of
from harness.run.monitor import RunMonitor
from harness.run.parts import Parts, RunEvent
from harness.scenario import Scenario
from harness.schedule.plan import SwarmPlan
from harness.stack.base import Endpoints

_POOL_END_S = 2.0


def run(scenario: Scenario, contract: Contract, parts: Parts, folder: RunFolder) -> Assessment:
    """Put one question to the system under test.

    Raises:
        StackError: the stack could not be started, or was lost.
        EvidenceError: the evidence cannot be written.
    """
    folder.write_scenario(scenario)
    folder.write_json(folder.environment, parts.environment())
    begin_events(folder)

    with ExitStack() as cleanup:
        reserve = cleanup.enter_context(DiskReserve(folder.path))
        cleanup.callback(parts.stack.stop)
        endpoints = parts.stack.start()
        follower = _load(scenario, contract, parts, folder, endpoints, reserve, cleanup)
        folder.write_json(folder.stack, parts.stack.describe())
    lost = [event.what for event in follower.events if event.kind == "stack_lost"]
    write_manifest(folder)
    assessment = parts.assess(folder)
    if lost:
        raise StackError(lost[0], hint=f"the evidence so far is in {folder.path}")
    return assessment


def _load(
    scenario: Scenario,
    contract: Contract,
    parts: Parts,
    folder: RunFolder,
    endpoints: Endpoints,
    reserve: DiskReserve,
    cleanup: ExitStack,
) -> RunMonitor:
    run_tag = new_run_tag()
    if parts.backups is not None:
        cleanup.callback(parts.backups.close)
    observer = parts.make_observer(endpoints, run_tag)
    cleanup.callback(observer.stop)
    observer.start()
    pages = parts.make_service_counters(endpoints, folder.metrics)
    pages.begin()

    nonce_starts = parts.read_starts(endpoints, run_tag)
    telemetry = parts.make_telemetry(endpoints, folder.telemetry)
    cleanup.callback(telemetry.stop)
    telemetry.start()
    plan = SwarmPlan(
        run_tag=run_tag,
        seed=scenario.seed,
        t0_ns=parts.clock.now_ns() + parts.lead_ns(scenario.load),
        load=scenario.load,
        signals=scenario.signals,
        watermark_max_lag=scenario.chain.watermark_max_lag,
        contract=contract,
        nonce_starts=nonce_starts,
        redis_url=endpoints.redis_url,
        folder=folder.journal,
    )
    folder.write_plan(plan)
    swarm = parts.make_swarm(plan)
    cleanup.callback(swarm.stop)
    swarm.start()
    vitals = parts.make_self_monitoring(folder.vitals, {**observer.pids(), **swarm.pids()})
    cleanup.callback(vitals.stop)
    vitals.start()
    _watch_pool(parts, endpoints, folder, cleanup)

    def keep(event: RunEvent) -> None:
        append_event(folder, **asdict(event))

    gate = parts.make_gate(folder.gate) if parts.make_gate else None
    faults = parts.make_faults(endpoints, folder.faults, swarm) if parts.make_faults else None
    interim = None
    if scenario.load.until_decided_s is not None:
        interim = InterimAnalyzer(scenario, plan.t0_ns)
    live = parts.make_live(folder.path, plan, abort_conditions_of(scenario, plan.t0_ns), interim)
    follower = RunMonitor(
        parts, swarm, observer, live, telemetry, scenario.load, plan.t0_ns, keep, faults, gate
    )
    try:
        if faults is not None:
            cleanup.callback(faults.stop, abort=True)
            faults.start(plan.t0_ns)
        if gate is not None:
            cleanup.callback(gate.stop, abort=True)
            gate.start(plan.t0_ns)
        follower.until_sent()
        follower.until_drained()
    except Interrupted as interrupt:
        follower.note("interrupted", str(interrupt))
    follower.stop_faults()
    swarm.stop()
    observer.stop()
    observation_end_ns = parts.clock.now_ns()
    vitals.stop()
    if failure := vitals.failure():
        follower.note("vitals_lost", failure)
    telemetry.stop()
    if failure := telemetry.failure():
        follower.note("telemetry_lost", failure)
    reserve.release()
    follower.finish()
    _read_final(parts, endpoints, run_tag, folder, follower, lambda: pages.end(live.final))
    _try_backups(parts, follower)
    _write_run(folder, scenario, follower, observation_end_ns)
    return follower


def _read_final(
    parts: Parts,
    endpoints: Endpoints,
    run_tag: int,
    folder: RunFolder,
    follower: RunMonitor,
    end_pages: Callable[[], None],
) -> None:
    try:
        parts.read_final(endpoints, run_tag, folder.path)
        end_pages()
    except HarnessError as error:
        follower.note("final_state_unread", str(error))
    except Exception as error:  # the load is over: a mistake here must not cost its evidence
        follower.note("final_state_unread", error_text(error))


def _watch_pool(parts: Parts, endpoints: Endpoints, folder: RunFolder, cleanup: ExitStack) -> None:
    """Look at the group that agents share until the stack is stopped, where they share one."""
    if parts.make_pool_watch is None:
        return
    pool = parts.make_pool_watch(endpoints, folder.pool)
    cleanup.callback(pool.end, _POOL_END_S)
    pool.start()


def _try_backups(parts: Parts, follower: RunMonitor) -> None:
    """Nobody who has broken off a run waits for that."""
    if parts.backups is None or follower.is_aborted:
        return
    try:
        parts.backups.verify_restores()
    except Interrupted as interrupt:
        follower.note("interrupted", str(interrupt))
    except HarnessError as error:
        follower.note("faults_untold", str(error))


def _write_run(
    folder: RunFolder, scenario: Scenario, follower: RunMonitor, observation_end_ns: int
) -> None:
    kept = [*EXTRA_FILES]
    if follower.faults:
        kept.append(folder.faults.name)
    if any(fault.kind == "backup" for fault in scenario.fault):
        kept.append(folder.backup.name)
    if follower.gate:
        kept.append(folder.gate.name)
    if scenario.has_feed_stall:
        kept.append(CHAIN_HEADS_FILE)
    if scenario.telemetry.enabled:
        kept.append(TELEMETRY_FILE)
    if scenario.agent_containers.shared_group:
        kept.append(folder.pool.name)
    document = {
        "t0_ns": follower.t0_ns,
        "observation_end_ns": observation_end_ns,
        "drain_deadline_ns": follower.drain_deadline_ns,
        "load_end_ns": follower.load_end_ns,
        "analyses": [one.model_dump(mode="json") for one in follower.analyses],
        "events": [asdict(event) for event in follower.events],
        "kept": kept,
    }
    try:
        folder.write_json(folder.run, document)
    except EvidenceError as error:
        # Nothing can be judged without it: what is known goes to the terminal.
        told = "".join(f"\n  before that: {event.what}" for event in follower.events)
        raise EvidenceError(f"{error.what}{told}", where=error.where, hint=error.hint) from error
