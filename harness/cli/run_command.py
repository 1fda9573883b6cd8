"""Running a scenario and judging a folder: concrete parts, and what the terminal shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

import harness
from harness.assessment.assess import Assessment, assess_and_store
from harness.cli.closing import announce, format_other_runs, show_closing
from harness.cli.console import is_interactive, make_console
from harness.cli.fault_setup import faults_of
from harness.cli.history_files import record_after
from harness.cli.overrides import Edit
from harness.cli.progress_outputs import MetricsChoice, ProgressOutputs, exporting
from harness.cli.report_files import report_after, report_group_after, summarise
from harness.cli.scale_out_setup import scale_out_of
from harness.cli.stack_choice import StackChoice, StackKind, gate_of
from harness.clock import NS_PER_S, SystemClock
from harness.contract.names import Contract
from harness.errors import StackError
from harness.evidence.environment import describe_environment
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.experiments.repeat import repeat
from harness.faults.support import check_faults
from harness.load.swarm import Swarm
from harness.observe.final_state import write_final_state
from harness.observe.observer import Observer
from harness.observe.plan import ObserverPlan
from harness.observe.stream_samplers import PendingSampler
from harness.process.run_registry import other_runs, registered_run
from harness.report.group import render_group
from harness.report.run_description import describe_run
from harness.report.startup import startup_line
from harness.run.lifecycle import run
from harness.run.live.exporter import Exporter
from harness.run.live.figures import LiveFigures
from harness.run.live.latency_histogram import measured_ranges
from harness.run.live.metrics_page import RunInfo
from harness.run.live.terminal_progress import ProgressView, time_left
from harness.run.parts import (
    DisplayParts,
    MeasurementParts,
    Parts,
    ProgressSink,
    SamplingParts,
    SystemParts,
)
from harness.scenario import Scenario, load_scenario
from harness.schedule.lead_time import lead_ns
from harness.schedule.plan import SwarmPlan
from harness.stack.attach.nonce_starts import check_scenario, nonce_starts
from harness.stack.base import Endpoints
from harness.telemetry.plan import TelemetryPlan
from harness.telemetry.process import DisabledTelemetry, TelemetryProcess
from harness.telemetry.self_monitoring import SelfMonitor
from harness.telemetry.service_counters import ServiceCountersReader

Assess = Callable[[RunFolder], Assessment]


def run_scenario(
    path: Path,
    overrides: tuple[Sequence[str], Edit],
    *,
    reports: Path,
    choice: StackChoice,
    root: Path,
    times: int = 1,
    metrics: MetricsChoice | None = None,
    history: Path | None = None,
    verbose: bool = False,
) -> int:
    """Run a scenario on the chosen stack, as often as wanted; the verdict's exit code.

    Each run is added to the history, where one is given.
    """
    pairs, edit = overrides
    scenario = load_scenario(path, pairs, edit)
    if times > 1:
        # What differs between runs of one length is what a group is judged by.
        scenario = scenario.model_copy(update={"load": scenario.load.of_fixed_length()})
    contract_for(scenario, choice, root)
    console = make_console()
    with exporting(metrics or MetricsChoice(), console) as exporter:
        if times > 1:
            return _run_group(scenario, times, reports, choice, root, console, exporter, history)
        assessment, folder = run_once(scenario, reports, choice, root, console, exporter)
    summarise(folder, console)
    show_closing(assessment, folder, console, verbose=verbose)
    record_after(history, folder, console)
    return assessment.judgement.exit_code


def contract_for(scenario: Scenario, choice: StackChoice, root: Path) -> Contract:
    """The names that the chosen stack goes by, once nothing speaks against the run.

    Raises:
        UsageError: scenario, options, contract and environment do not fit each other.
    """
    choice.need_agents(scenario)
    attached = choice.attached()
    if attached is None:
        contract = Contract().with_stream_maxlen(scenario.redis.stream_maxlen)
    else:
        contract = attached.contract()
        check_scenario(contract, scenario)
    check_faults(scenario, contract, choice.kind, choice.possible_faults(scenario))
    choice.check(scenario, contract, root)
    return contract


def _run_group(
    scenario: Scenario,
    times: int,
    reports: Path,
    choice: StackChoice,
    root: Path,
    console: Console,
    exporter: Exporter | None,
    history: Path | None,
) -> int:
    folder = GroupFolder.create(reports, scenario.name, SystemClock().wall_ns())

    clock = SystemClock()
    began_ns = clock.now_ns()

    def once(own: Scenario, within: Path) -> tuple[Assessment, RunFolder]:
        ended = own.seed - scenario.seed
        left = time_left(ended, times, clock.now_ns() - began_ns) if is_interactive(console) else ""
        console.print(f"run {ended + 1} of {times}, seed {own.seed}{left}")
        found = run_once(own, within, choice, root, console, exporter)
        console.print(f"{found[0].judgement.verdict.name}: {found[1].run_id}", markup=False)
        record_after(history, found[1], console)
        return found

    judgement = repeat(scenario, times, folder, once)
    report_group_after(folder, judgement, console)
    console.print(render_group(judgement, folder.path))
    return judgement.exit_code


def run_once(
    scenario: Scenario,
    reports: Path,
    choice: StackChoice,
    root: Path,
    console: Console,
    exporter: Exporter | None = None,
    assess: Assess = assess_and_store,
) -> tuple[Assessment, RunFolder]:
    """Run a scenario on the chosen stack, in a folder of its own, and have it assessed."""
    contract = contract_for(scenario, choice, root)
    folder = RunFolder.create(reports, scenario.name, SystemClock().wall_ns())
    load, version = scenario.load, harness.__version__
    plan = describe_run(load, stack=choice.kind.value, version=version)
    announce(folder.run_id, scenario, plan, console)
    if (others := other_runs()).count:
        console.print(format_other_runs(others), style="yellow", markup=False, soft_wrap=True)
    if exporter is not None:
        exporter.begin(RunInfo.of(folder.run_id, scenario, choice.kind.value))
    with registered_run(), ProgressView(console) as view:
        show = ProgressOutputs(view, exporter, folder).show
        parts = replace(_parts(scenario, contract, folder, choice, root, view, show), assess=assess)
        try:
            assessment = run(scenario, contract, parts, folder)
        except StackError:
            # Lost under way: what was judged until then deserves its reports all the same.
            if folder.result.exists():
                report_after(folder, console)
                summarise(folder, console)
            raise
    if exporter is not None:
        exporter.judged(assessment.judgement.verdict.name)
    report_after(folder, console)
    return assessment, folder


def _parts(
    scenario: Scenario,
    contract: Contract,
    folder: RunFolder,
    choice: StackChoice,
    root: Path,
    view: ProgressView,
    show: ProgressSink,
) -> Parts:
    clock = SystemClock()

    def make_observer(endpoints: Endpoints, run_tag: int) -> Observer:
        view.print_line("stack is up; starting the observer")
        plan = ObserverPlan(
            observer_dsn=endpoints.observer_dsn,
            redis_url=endpoints.redis_url,
            contract=contract,
            run_tag=run_tag,
            folder=folder.path,
            method=contract.seen.way,
        )
        return Observer(plan, clock)

    def make_swarm(plan: SwarmPlan) -> Swarm:
        view.print_line(f"starting {plan.load.agents_max} agents")
        return Swarm(plan, folder.logs, folder.swarm_status)

    def make_telemetry(endpoints: Endpoints, path: Path) -> TelemetryProcess | DisabledTelemetry:
        if not scenario.telemetry.enabled:
            return DisabledTelemetry()
        plan = TelemetryPlan(
            conninfo=endpoints.admin_dsn,
            redis_url=endpoints.redis_url,
            metrics_urls=dict(endpoints.metrics_urls),
            contract=contract,
            path=path,
            every_ns=round(scenario.telemetry.every_s * NS_PER_S),
        )
        return TelemetryProcess(plan)

    def read_final(endpoints: Endpoints, run_tag: int, path: Path) -> None:
        write_final_state(
            endpoints.observer_dsn.get_secret_value(),
            endpoints.redis_url.get_secret_value(),
            contract,
            run_tag,
            path,
            alone=choice.kind is not StackKind.ATTACH,
            earlier_tags=tuple(choice.shared.run_tags) if choice.shared else (),
            heads=scenario.has_feed_stall,
        )

    def read_starts(endpoints: Endpoints, run_tag: int) -> dict[int, int]:
        if choice.shared is not None:
            choice.shared.run_tags.append(run_tag)
        if choice.kind is not StackKind.ATTACH:
            return {}  # the addresses of a run are its own, and its database was made for it
        conninfo = endpoints.observer_dsn.get_secret_value()
        return nonce_starts(conninfo, contract, scenario, run_tag)

    stack = choice.make(
        scenario, contract, root, folder, clock, lambda event: view.print_line(startup_line(event))
    )

    if choice.kind is StackKind.ATTACH:
        view.print_line("looking for the system that the contract names")
    else:
        view.print_line(f"starting the {choice.kind} stack")
    return Parts(
        system=SystemParts(
            stack=stack,
            make_service_counters=lambda endpoints, path: ServiceCountersReader(
                endpoints.metrics_urls, path, clock
            ),
            read_final=read_final,
            read_starts=read_starts,
        ),
        measurement=MeasurementParts(
            make_swarm=make_swarm,
            make_observer=make_observer,
            lead_ns=lambda load: lead_ns(load, len(os.sched_getaffinity(0)), os.getloadavg()[0]),
        ),
        sampling=SamplingParts(
            make_self_monitoring=lambda path, pids: SelfMonitor(
                path, {"main": os.getpid(), **pids}, clock
            ),
            make_telemetry=make_telemetry,
            make_pool_watch=_pool_watch(scenario, contract, clock),
        ),
        display=DisplayParts(
            make_live=lambda path, plan, conditions, interim: LiveFigures(
                path, plan.run_tag, conditions, measured_ranges(plan.load, plan.t0_ns), interim
            ),
            show=show,
        ),
        features=(
            *faults_of(scenario, contract, stack, folder, clock),
            *gate_of(scenario, stack, folder, root, clock),
            *scale_out_of(scenario, contract, stack, folder, clock),
        ),
        environment=lambda: describe_environment(root),
        clock=clock,
    )


def _pool_watch(
    scenario: Scenario, contract: Contract, clock: SystemClock
) -> Callable[[Endpoints, Path], PendingSampler] | None:
    """The sampler of the consumer group that agents share, where they do."""
    if not scenario.agent_containers.shared_group:
        return None
    return lambda endpoints, path: PendingSampler(
        endpoints.redis_url.get_secret_value(), contract, path, clock
    )
