"""The content of a run's report, read from stored evidence only."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.analysis.histogram_encoding import (
    HistogramInterval,
    format_histogram_log,
    read_histogram_log,
)
from harness.analysis.measurement import Measurement
from harness.analysis.recorder import Metric
from harness.analysis.resources.telemetry import Telemetry
from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.analysis.summary import histogram_logs
from harness.assessment.assess import assess_with_analysis, build_result
from harness.assessment.result import Result, ResultOutdatedError, read_result
from harness.clock import NS_PER_S
from harness.diagnosis.answers import Diagnosis
from harness.errors import EvidenceError
from harness.evidence.run_documents import RunMetadata, RunPlan
from harness.evidence.run_folder import RunFolder
from harness.judge.judgement import Judgement
from harness.report.run_description import describe_run, measured_s
from harness.safe_open import (
    LOG_BYTES_MAX,
    TELEMETRY_BYTES_MAX,
    RefusedError,
    iter_lines,
    read_regular,
)
from harness.scenario import Phase, Scenario

MODES = ("lite", "full")


@dataclass(frozen=True, slots=True)
class LatencyLog:
    """Latency of the signals of one phase and mode over time.

    Attributes:
        phase: "warmup" or "measure".
        mode: "lite" or "full".
        text: the histogram log; small compared with the decoded histograms.
    """

    phase: str
    mode: str
    text: str

    def intervals(self) -> Iterator[HistogramInterval]:
        """Histograms by intended time, in order; decoded one by one, since each needs 200 kB.

        Raises:
            EvidenceError: the log is damaged.
        """
        return read_histogram_log(self.text.splitlines(), _log_name(self.phase, self.mode))


@dataclass(frozen=True, slots=True)
class ReportData:
    """A run to be reported.

    Attributes:
        plan: start, seed, load and contract.
        run: times and events of the run.
        diagnosis: None when none was made.
        telemetry: `present` is False for a run without telemetry.
        latency: by phase and mode, where there were signals.
        environment: content of `environment.json`; empty without one.
        stack: content of `stack.json`; empty without one.
        command: the command that repeats the run.
        missing_evidence: what is missing, or was computed again, a sentence each.
        rejudged_reason: why the stored result is not valid and the evidence was judged again;
            empty where it is valid.
    """

    run_id: str
    folder: RunFolder
    scenario: Scenario
    plan: RunPlan
    run: RunMetadata
    measurement: Measurement
    judgement: Judgement
    diagnosis: Diagnosis | None
    telemetry: Telemetry
    latency: tuple[LatencyLog, ...]
    environment: Mapping[str, Any]
    stack: Mapping[str, Any]
    command: str
    missing_evidence: tuple[str, ...] = ()
    rejudged_reason: str = ""

    @property
    def executed(self) -> str:
        """The executed load as a sentence, from the plan, not from the scenario's text."""
        return describe_run(
            self.plan.load,
            measured_s(self.measurement, self.plan.load),
            stack=str(self.stack.get("kind") or ""),
            version=str(self.environment.get("harness") or ""),
        )

    def at_s(self, mono_ns: int) -> float:
        """A time of the monotonic clock in seconds after t0."""
        return (mono_ns - self.plan.t0_ns) / NS_PER_S


def read_report_data(folder: RunFolder) -> ReportData:
    """Read the content of a report without writing; a valid stored result is not judged again.

    Raises:
        EvidenceError: a mandatory file is missing or unreadable, or a newer harness wrote it.
    """
    missing: list[str] = []
    scenario = folder.read_scenario()
    plan, run = folder.read_plan(), folder.read_run()
    scenario = scenario.model_copy(update={"load": run.actual_load(scenario.load)})
    plan = plan.model_copy(update={"load": run.actual_load(plan.load)})
    environment = _facts(folder, "environment", missing)
    stack = _facts(folder, "stack", missing)
    result, latency, rejudged_reason = _result(folder, missing)
    return ReportData(
        run_id=folder.run_id,
        folder=folder,
        scenario=scenario,
        plan=plan,
        run=run,
        measurement=result.measurement,
        judgement=result.judgement,
        diagnosis=result.diagnosis,
        telemetry=_telemetry(folder, plan, missing),
        latency=latency,
        environment=environment,
        stack=stack,
        command=command_of(folder, stack),
        missing_evidence=tuple(missing),
        rejudged_reason=rejudged_reason,
    )


def command_of(folder: RunFolder, stack: Mapping[str, Any]) -> str:
    """The command that repeats the run.

    The folder has the scenario with every override resolved and with its seed. It has no contract
    file, so the reader has to name it.
    """
    arguments = ["harness", "run", shlex.quote(str(folder.scenario))]
    kind = str(stack.get("kind", "process"))
    if kind != "process":
        arguments += ["--stack", shlex.quote(kind)]
    if kind == "docker" and stack.get("image_set"):
        arguments += ["--images", shlex.quote(str(stack["image_set"]))]
    if kind == "attach":
        arguments += ["--contract", "FILE"]
    return " ".join(arguments)


def _result(folder: RunFolder, missing: list[str]) -> tuple[Result, tuple[LatencyLog, ...], str]:
    """The result, its logs, and why the evidence was judged again; empty where it was not."""
    try:
        result = read_result(folder)
    except ResultOutdatedError as error:
        missing.append(f"result.json {error.what}: the evidence was judged again for this report")
        assessment, analysis = assess_with_analysis(folder)
        names = {name: (phase, mode) for phase, mode, name in _log_names()}
        texts = {
            names[name]: format_histogram_log(intervals)
            for name, intervals in histogram_logs(analysis)
            if name in names
        }
        return build_result(folder, assessment), _logs(texts), f"result.json {error.what}"
    return result, _stored_logs(folder, result, missing), ""


def _stored_logs(folder: RunFolder, result: Result, missing: list[str]) -> tuple[LatencyLog, ...]:
    found: dict[tuple[str, str], str] = {}
    for phase, mode, name in _log_names():
        figures = result.measurement.of(Metric.LATENCY, phase, mode)
        if figures is None or not figures.count:
            continue
        try:
            data = read_regular(folder.histograms / name, LOG_BYTES_MAX)
            if hashlib.sha256(data).hexdigest() != result.histograms.get(name):
                raise ValueError("it was changed after it was written")
            found[phase, mode] = data.decode()
        except RefusedError:
            raise
        except (OSError, ValueError) as error:
            missing.append(
                f"{name} {_why(error)}: latency over time is missing ({phase}, {mode});"
                " `harness judge` writes it again"
            )
    return _logs(found)


def _logs(texts: Mapping[tuple[str, str], str]) -> tuple[LatencyLog, ...]:
    return tuple(
        LatencyLog(phase, mode, texts[phase, mode])
        for phase, mode, _ in _log_names()
        if (phase, mode) in texts
    )


def _log_names() -> Iterator[tuple[str, str, str]]:
    for phase in Phase:
        for mode in MODES:
            yield phase.value, mode, _log_name(phase.value, mode)


def _log_name(phase: str, mode: str) -> str:
    return f"{phase}-{mode}-{Metric.LATENCY}.hlog"


def _telemetry(folder: RunFolder, plan: RunPlan, missing: list[str]) -> Telemetry:
    if not folder.telemetry.exists():
        missing.append("the run has no telemetry: resource usage is unknown")
        return Telemetry()
    try:
        lines = iter_lines(folder.telemetry, TELEMETRY_BYTES_MAX)
        return read_telemetry(lines, plan.t0_ns)
    except RefusedError:
        raise
    except EvidenceError as error:
        missing.append(f"{folder.telemetry.name} {error.what}")
        return Telemetry()


def _facts(folder: RunFolder, name: str, missing: list[str]) -> Mapping[str, Any]:
    path = getattr(folder, name)
    try:
        return folder.read_json(path)
    except RefusedError:
        raise
    except EvidenceError as error:
        missing.append(f"{path.name} {error.what}")
        return {}


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"
