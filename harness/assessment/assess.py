"""From a folder of evidence to measurement and judgement, and into `result.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from harness.analysis.faults.fault_figures import BASELINE_METRICS
from harness.analysis.histogram_encoding import format_histogram_log
from harness.analysis.measurement import Measurement
from harness.analysis.recorder import ORDERED_METRICS, Metric
from harness.analysis.resources.telemetry_reader import read_telemetry_file
from harness.analysis.run_analysis import RunAnalysis, analyze_run, read_pool
from harness.analysis.stage_summary import stage_figures
from harness.analysis.summary import build_measurement, histogram_logs
from harness.assessment.result import Result, write_result
from harness.assessment.stage_verdicts import with_stage_verdicts
from harness.diagnosis.answers import Diagnosis
from harness.diagnosis.diagnose import diagnose_run
from harness.errors import EvidenceError, error_text
from harness.evidence.event_log import EVENTS_FILE, read_events
from harness.evidence.manifest import verify_manifest
from harness.evidence.run_documents import RunEvent, RunMetadata
from harness.evidence.run_folder import RunFolder
from harness.judge.check import CheckContext, CheckKind, CheckSpec, Problem
from harness.judge.expected_schedule import expected_schedule
from harness.judge.final_state import read_final_state
from harness.judge.judgement import Judgement, judge, with_check
from harness.judge.service_counters import read_service_counters
from harness.judge.warmup import PRE_MEASURE, pre_measure_stages
from harness.safe_open import RefusedError
from harness.scenario import Scenario

RESULT_STORED = CheckSpec(
    "result_stored",
    "result stored",
    CheckKind.VALIDITY,
    invalid="`result.json` or a histogram log could not be written",
)
Warn = Callable[[str], None]


class Assessment(NamedTuple):
    """What a run measured, and its judgement.

    Attributes:
        diagnosis: of its latency; None where no objective was near its limit and none was
            requested.
    """

    measurement: Measurement
    judgement: Judgement
    diagnosis: Diagnosis | None = None


def assess(folder: RunFolder, *, on_demand: bool = False) -> Assessment:
    """Measure and judge stored evidence; reads it only, and twice gives the same twice.

    Args:
        folder: where the evidence lies.
        on_demand: whether a diagnosis is asked for, however good the latency was.

    Raises:
        EvidenceError: what every run writes is missing or unreadable.
    """
    return assess_with_analysis(folder, on_demand=on_demand)[0]


def assess_and_store(folder: RunFolder) -> Assessment:
    """The same, and write `result.json` and the histogram logs.

    A result that cannot be written makes the judgement INVALID.

    Raises:
        EvidenceError: evidence is missing or unreadable.
    """
    return assess_and_store_with_analysis(folder)[0]


def assess_and_store_with_analysis(folder: RunFolder) -> tuple[Assessment, RunAnalysis]:
    """`assess_and_store`, and what the assessment was made from.

    Raises:
        EvidenceError: evidence is missing or unreadable.
    """
    # If this judgement fails, an older result must not remain in its place.
    folder.delete_result()
    assessment, analysis = assess_with_analysis(folder)
    try:
        _store(folder, assessment, analysis)
    except EvidenceError as error:
        hint = error.hint or "make room on the disk of --reports, then `harness judge` the run"
        problem = Problem(f"{error.where}: {error.what}", hint)
        check = RESULT_STORED.valid_unless([problem], "")
        judgement = with_check(assessment.judgement, check)
        return assessment._replace(judgement=judgement), analysis
    return assessment, analysis


def reassess(folder: RunFolder, warn: Warn) -> Assessment:
    """Assess a run that has been, and store that if it can be.

    The evidence may lie in a read-only folder; that does not change the judgement.

    Args:
        folder: the run's.
        warn: receives the error if the assessment could not be stored.

    Raises:
        EvidenceError: evidence is missing or unreadable.
    """
    unstored = ""
    try:
        folder.delete_result()
    except EvidenceError as error:
        unstored = error_text(error)
    assessment, analysis = assess_with_analysis(folder)
    try:
        if not unstored:
            _store(folder, assessment, analysis)
    except EvidenceError as error:
        unstored = error_text(error)
    if unstored:
        warn(unstored)
    return assessment


def _store(folder: RunFolder, assessment: Assessment, analysis: RunAnalysis) -> None:
    sums = {}
    for name, intervals in histogram_logs(analysis):
        text = format_histogram_log(intervals)
        folder.write_text(folder.histograms / name, text)
        sums[name] = hashlib.sha256(text.encode()).hexdigest()
    result = build_result(folder, assessment).model_copy(update={"histograms": sums})
    write_result(folder, result)


def build_result(folder: RunFolder, assessment: Assessment) -> Result:
    """An assessment as it is stored."""
    judgement = assessment.judgement
    return Result(
        run_id=folder.run_id,
        verdict=judgement.verdict,
        exit_code=judgement.exit_code,
        measurement=assessment.measurement,
        judgement=judgement,
        diagnosis=assessment.diagnosis,
    )


def assess_with_analysis(
    folder: RunFolder, *, on_demand: bool = False
) -> tuple[Assessment, RunAnalysis]:
    """`assess`, and what the assessment was made from.

    Raises:
        EvidenceError: what every run writes is missing or unreadable.
    """
    case = check_context(folder, folder.read_scenario())
    judgement = judge(case)
    diagnosis = diagnose_run(case, judgement, on_demand=on_demand)
    measurement = with_stage_verdicts(case.measurement, judgement)
    return Assessment(measurement, judgement, diagnosis), case.analysis


def check_context(folder: RunFolder, asked: Scenario) -> CheckContext:
    """Everything that checks of stored evidence read.

    Args:
        folder: where the evidence lies.
        asked: the stored scenario; a further objective needs the durations that it limits.

    Raises:
        EvidenceError: what every run writes is missing or unreadable.
    """
    run = folder.read_run()
    scenario = asked.model_copy(update={"load": run.actual_load(asked.load)})
    plan = folder.read_plan()
    plan = plan.model_copy(update={"load": run.actual_load(plan.load)})
    analysis = analyze_run(
        folder,
        plan,
        run,
        serial=_serial(scenario),
        stages=_stages(scenario),
        sentinel=scenario.chain.sentinel,
    )
    expected = expected_schedule(plan, analysis.signals.schedule)
    measurement = build_measurement(analysis, expected.by_stage, plan.load)
    if len(asked.load.stages) > 1:
        stages = tuple(stage_figures(analysis, expected.by_stage, plan.load))
        measurement = measurement.model_copy(update={"stages": stages})
    return CheckContext(
        scenario=scenario,
        plan=plan,
        run=run,
        analysis=analysis,
        measurement=measurement,
        expected=expected,
        final=read_final_state(folder, plan),
        observer=folder.read_observer() if folder.observer.exists() else None,
        stack=facts_of(folder, "stack"),
        environment=facts_of(folder, "environment"),
        seal=verify_manifest(folder),
        counters=read_service_counters(folder),
        pool_samples=read_pool(folder),
        requested_load=asked.load,
        events=_events(folder, run),
        telemetry=cache(lambda: read_telemetry_file(folder.telemetry, plan.t0_ns)),
    )


def _serial(scenario: Scenario) -> frozenset[Metric]:
    """The metrics with objectives of percentiles, and those that windows also need."""
    by_name = {metric.value: metric for metric in Metric}
    objectives = scenario.parsed_objectives()
    asked = {by_name[one.metric] for one in objectives if one.metric in by_name}
    if any(
        one.window_ns and (one.is_system_duration or one.is_stage_recovery) for one in objectives
    ):
        asked |= {Metric.COMMITTED, Metric.SERVICE}
    if any(one.outside_faults for one in objectives):
        asked |= {Metric.LATENCY, Metric.COMMITTED, Metric.SERVICE, Metric.UNSEEN}
    if scenario.fault:
        asked |= BASELINE_METRICS
    return ORDERED_METRICS | (asked - {Metric.REJECTED})


def _stages(scenario: Scenario) -> dict[str, frozenset[int]]:
    """The stages with objectives of their own, and those before the first measured one."""
    return {PRE_MEASURE: pre_measure_stages(scenario.load)} | {
        one.stage: scenario.load.stage_numbers(one.stage)
        for one in scenario.parsed_objectives()
        if one.stage is not None
    }


def _events(folder: RunFolder, run: RunMetadata) -> tuple[RunEvent, ...] | None:
    """Events as recorded one by one, where the run lists or has that file."""
    if EVENTS_FILE in run.kept or (folder.path / EVENTS_FILE).exists():
        return read_events(folder.path)
    return None


def facts_of(folder: RunFolder, name: str) -> dict[str, Any]:
    """A description that no figure depends on; empty where it is missing.

    Without it there is no sign-off, and the run differs from those that have it.
    """
    try:
        return folder.read_json(getattr(folder, name))
    except RefusedError:
        raise
    except EvidenceError:
        return {}
