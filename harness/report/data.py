"""Everything that a report of a run is made of, read from stored evidence alone."""

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
        text: the histogram log; small beside the histograms in it.
    """

    phase: str
    mode: str
    text: str

    def intervals(self) -> Iterator[HistogramInterval]:
        """Histograms by intended time, in order; decoded one by one, since each takes 200 kB.

        Raises:
            EvidenceError: the log is damaged.
        """
        return read_histogram_log(self.text.splitlines(), _log_name(self.phase, self.mode))


@dataclass(frozen=True, slots=True)
class ReportData:
    """A run, ready to be reported.

    Attributes:
        plan: what the swarm was told: start, seed, load and contract.
        run: when the run was watched, and what happened.
        diagnosis: None when nobody asked.
        telemetry: `present` is False for a run that kept none.
        latency: by phase and mode, where there were signals.
        environment: `environment.json`, as it is; empty without one.
        stack: `stack.json`, as it is; empty without one.
        command: what asks the same question again.
        missing_evidence: what is not there, or was made anew, a sentence each.
        rejudged_reason: why the stored result was not believed, and the evidence judged for this
            report; empty where it was.
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
        """What was run, in a sentence; of the plan, and not of the scenario's own words."""
        return describe_run(
            self.plan.load,
            measured_s(self.measurement, self.plan.load),
            stack=str(self.stack.get("kind") or ""),
            version=str(self.environment.get("harness") or ""),
        )

    def at_s(self, mono_ns: int) -> float:
        """A moment of the monotonic clock in seconds after t0."""
        return (mono_ns - self.plan.t0_ns) / NS_PER_S


def read_report_data(folder: RunFolder) -> ReportData:
    """Read what a report needs. Nothing is written, and what was judged is not judged again.

    Raises:
        EvidenceError: what every run writes is missing or unreadable, or a newer harness wrote it.
    """
    missing: list[str] = []
    scenario = folder.read_scenario()
    plan, run = folder.read_plan(), folder.read_run()
    scenario = scenario.model_copy(update={"load": run.actual_load(scenario.load)})
    plan = plan.model_copy(update={"load": run.actual_load(plan.load)})
    environment = _facts(folder, "environment", missing)
    stack = _facts(folder, "stack", missing)
    result, latency, anew = _result(folder, missing)
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
        rejudged_reason=anew,
    )


def command_of(folder: RunFolder, stack: Mapping[str, Any]) -> str:
    """The command that asks the same question again.

    The folder keeps the scenario with every override resolved and with its seed. A contract file
    is not kept, so the reader has to name it.
    """
    words = ["harness", "run", shlex.quote(str(folder.scenario))]
    kind = str(stack.get("kind", "process"))
    if kind != "process":
        words += ["--stack", shlex.quote(kind)]
    if kind == "docker" and stack.get("image_set"):
        words += ["--images", shlex.quote(str(stack["image_set"]))]
    if kind == "attach":
        words += ["--contract", "FILE"]
    return " ".join(words)


def _result(folder: RunFolder, missing: list[str]) -> tuple[Result, tuple[LatencyLog, ...], str]:
    """The result, its logs, and why the evidence was judged anew; empty where it was not."""
    try:
        result = read_result(folder)
    except ResultOutdatedError as error:
        missing.append(f"result.json {error.what}: the evidence was judged anew for this report")
        assessment, gathered = assess_with_analysis(folder)
        names = {name: (phase, mode) for phase, mode, name in _log_names()}
        made = {
            names[name]: format_histogram_log(intervals)
            for name, intervals in histogram_logs(gathered)
            if name in names
        }
        return build_result(folder, assessment), _logs(made), f"result.json {error.what}"
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
                f"{name} {_why(error)}: latency over time is left out ({phase}, {mode});"
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
        missing.append("the run kept no telemetry: what the system's parts used is not known")
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
