"""The result of a run, as a program reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from harness.analysis.measurement import IntervalFigures, Measurement, ThroughputFigures
from harness.analysis.stage_clock import StageClock
from harness.api.notebook import result_html
from harness.api.outcomes import InvalidRunError, RunFailedError, UndecidedError
from harness.api.percentile import Percentile
from harness.api.table import Table
from harness.assessment.further_objectives import FurtherObjectives
from harness.diagnosis.answers import Diagnosis
from harness.evidence.run_folder import RunFolder
from harness.judge.check import Check, CheckKind
from harness.judge.judgement import Judgement
from harness.judge.verdict import Status, Verdict, worst
from harness.report.compact import sentence
from harness.report.data import ReportData, read_report_data
from harness.report.samples import UNKNOWN, signal_columns, telemetry_rows
from harness.scenario import Scenario

# Numbers of a signal that are always known.
_KNOWN = frozenset({"agent", "stale", "intended_ns"})


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A run that was judged. Everything is read from its folder, so it can be opened again.

    Attributes:
        data: content of the run's reports.
    """

    data: ReportData
    _further: FurtherObjectives = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_further", FurtherObjectives(self.data.folder))

    @property
    def run_id(self) -> str:
        """UTC time, scenario name and four random hex digits."""
        return self.data.run_id

    @property
    def folder(self) -> Path:
        """Evidence, result and reports."""
        return self.data.folder.path

    @property
    def report(self) -> Path:
        """The HTML page; `harness report` writes it again if it is missing."""
        return self.data.folder.html

    @property
    def scenario(self) -> Scenario:
        """What was executed and asked, with every override."""
        return self.data.scenario

    @property
    def stack(self) -> str:
        """`process`, `docker` or `attach`."""
        return str(self.data.stack.get("kind") or "")

    @property
    def verdict(self) -> Verdict:
        """The verdict: PASS, FAIL, INCONCLUSIVE or INVALID."""
        return self.judgement.verdict

    @property
    def exit_code(self) -> int:
        """The exit code that `harness run` ends with: 0, 1, 3 or 4."""
        return self.judgement.exit_code

    @property
    def judgement(self) -> Judgement:
        """The verdict, every check and the grade."""
        return self.data.judgement

    @property
    def checks(self) -> dict[str, Check]:
        """Every check by its id; docs/validity.md lists them."""
        return {check.id: check for check in self.judgement.checks}

    @property
    def measurement(self) -> Measurement:
        """All figures, as `result.json` has them (docs/schema)."""
        return self.data.measurement

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Why the latency is what it is; None where no objective was near its limit."""
        return self.data.diagnosis

    @property
    def summary(self) -> str:
        """What decided the verdict, in one sentence."""
        return sentence(self.judgement)

    @property
    def p50(self) -> Percentile:
        """The median of latency."""
        return self.percentile(50)

    @property
    def p90(self) -> Percentile:
        """P90 of latency."""
        return self.percentile(90)

    @property
    def p99(self) -> Percentile:
        """P99 of latency."""
        return self.percentile(99)

    @property
    def p99_9(self) -> Percentile:
        """P99.9 of latency."""
        return self.percentile(99.9)

    @property
    def maximum(self) -> Percentile:
        """The longest latency."""
        return self.percentile(100)

    def percentile(
        self,
        percentile: float,
        metric: str = "latency",
        *,
        mode: Literal["lite", "full"] | None = None,
        stage: str | None = None,
    ) -> Percentile:
        """A percentile of the measured phase, with its confidence interval.

        Args:
            percentile: 0 < percentile < 100, or 100 for the maximum.
            metric: `latency`, `lateness`, `service` or another duration of docs/scenarios.md.
            mode: signals of one mode; None for all.
            stage: name or number, from 1, of a stage; None for the whole phase.

        Raises:
            UsageError: there is no such percentile, metric or stage.
            EvidenceError: the evidence cannot be read.
        """
        rank = "max" if percentile == 100 else f"p{percentile:.12g}"
        parts = [f"stage {stage}" if stage else "", mode or "", f"{rank} of {metric}"]
        return Percentile.of(self, " ".join(filter(None, parts)))

    def check(self, objective: str) -> tuple[Check, ...]:
        """Check an objective by the rules of the judge, whether the scenario has it or not.

        Returns:
            One check, or one for each mode. The run's verdict stays as it is.

        Raises:
            UsageError: it is no objective, or does not fit the load.
            EvidenceError: the evidence cannot be read.
        """
        return self._further.check(objective)

    def meets(self, objective: str) -> bool:
        """Whether the run meets an objective, such as `rejected < 1 %`.

        Raises:
            UsageError, EvidenceError: as `check`.
            UndecidedError: the interval does not decide.
            InvalidRunError: the run is not valid, and it does not miss the objective.
        """
        checks = self.check(objective)
        verdict = worst(check.status.verdict for check in checks)
        if verdict is Verdict.FAIL:
            return False
        invalid = [
            check
            for check in (*checks, *self.judgement.of(CheckKind.VALIDITY))
            if check.status is Status.INVALID
        ]
        if invalid:
            raise InvalidRunError(invalid[0].message, where=self.run_id, hint=invalid[0].hint)
        if verdict is Verdict.INCONCLUSIVE:
            undecided = next(check for check in checks if check.status is Status.INCONCLUSIVE)
            raise UndecidedError(undecided.message, where=self.run_id)
        return True

    def raise_for_verdict(self) -> None:
        """Nothing for PASS, else an exception.

        Raises:
            RunFailedError: FAIL.
            UndecidedError: INCONCLUSIVE.
            InvalidRunError: INVALID.
        """
        if self.verdict is Verdict.FAIL:
            failed = [f"  {check.name}: {check.message}" for check in self.judgement.reasons]
            raise RunFailedError("\n".join([f"{self.run_id}: {self.summary}", *failed]))
        if self.verdict is Verdict.INCONCLUSIVE:
            raise UndecidedError(self.summary, where=self.run_id)
        if self.verdict is Verdict.INVALID:
            hint = next((check.hint for check in self.judgement.reasons if check.hint), "")
            raise InvalidRunError(self.summary, where=self.run_id, hint=hint)

    def signals(self) -> Table:
        """A row for each attempted signal, roughly in the order in which they ended.

        Columns: `trace_id`, `agent`, `mode`, `phase`, `class` (its
        outcome), `state`, `stale`, the times `intended_ns`, `sent_ns`, `acked_ns`, `init_ns`,
        `committed_ns`, `seen_ns` after the start of the load, `latency_ns` (seen - intended, of
        whatever final state), `stage` (from 1; 0 in the warm-up) and its `agents`. What is
        unknown is NaN.

        Raises:
            EvidenceError: the evidence cannot be read.
        """
        batches = list(signal_columns(self.data))
        columns = Table()
        for name in [*batches[0]] if batches else []:
            column = np.concatenate([batch.pop(name) for batch in batches])
            if column.dtype == np.int64 and name not in _KNOWN:
                column = np.where(column == UNKNOWN, np.nan, column.astype(np.float64))
            columns[name] = column
            if name == "seen_ns":
                columns["latency_ns"] = column - columns["intended_ns"]
        return columns

    def telemetry(self) -> Table:
        """A row for each sample of a resource.

        Columns: `at_s`, `track` (its name ends in the unit), `value`, `limit`, `stage`, `agents`.
        """
        clock = StageClock.of_load(self.data.plan.load)
        names, *rows = telemetry_rows(self.data.telemetry, clock)
        numbers = ([float(str(row[0])), *row[1:]] for row in rows)
        return Table.of_rows([str(name) for name in names], numbers)

    def throughput(self) -> Table:
        """A row for each interval of the run; columns as `ThroughputFigures`, NaN if unknown."""
        return Table.of_models(self.measurement.seconds, ThroughputFigures)

    def latency_over_time(self) -> Table:
        """A row for each interval, phase and mode; columns as `IntervalFigures`, NaN if unknown."""
        return Table.of_models(self.measurement.intervals, IntervalFigures)

    def __repr__(self) -> str:
        return f"<Result {self.run_id} {self.verdict.name}>"

    def _repr_html_(self) -> str:
        """Verdict, objectives and checks that are not ok, for a notebook."""
        return result_html(self.judgement, self.summary, self.report)


def load_result(folder: str | Path) -> Result:
    """The result of a run that has ended; it is judged again where none is stored.

    Args:
        folder: `reports/<run-id>`.

    Raises:
        UsageError: it is no folder of a run.
        EvidenceError: its evidence is missing or unreadable.
    """
    return Result(read_report_data(RunFolder.open(Path(folder))))
