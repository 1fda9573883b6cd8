"""Runs of tests that were saved, and a new run of the same test compared with them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.analysis.run_spread import RUNS_MIN, prediction_interval
from harness.api.result import Result
from harness.errors import EvidenceError, UsageError
from harness.evidence import atomic_files
from harness.evidence.jsonl import format_jsonl, parse_jsonl
from harness.evidence.run_folder import scenario_text
from harness.formatting import format_count, format_duration_fixed
from harness.judge.verdict import Verdict
from harness.safe_open import iter_lines

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class SavedRun(BaseModel):
    """One valid run of one test.

    Attributes:
        test: node id of the test.
        number: of the run within the test, from 1.
        question: hash of stack and scenario without its seed; only equal ones are compared.
        p99_ns: P99 of latency, of the slower mode; None if the sample is too small.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    test: str
    number: int
    question: str
    run_id: str
    p99_ns: int | None

    @classmethod
    def of(cls, test: str, number: int, result: Result) -> SavedRun | None:
        """The record of a run; None of an INVALID one, which measures nothing."""
        if result.verdict is Verdict.INVALID:
            return None
        # As it was asked: how long a run went on until it was decided is a result of it.
        scenario = result.data.folder.read_scenario().model_copy(update={"seed": 0})
        asked = f"{result.stack}\n{scenario_text(scenario)}"
        return cls(
            test=test,
            number=number,
            question=hashlib.sha256(asked.encode()).hexdigest(),
            run_id=result.run_id,
            p99_ns=result.p99.estimate_ns,
        )


class Change(StrEnum):
    """What a new run shows against saved runs.

    SLOWER, FASTER: its P99 lies above or below the interval in which one more run of the same
    system lies with 95 %. NONE_SHOWN: within it. CANNOT_TELL: no such interval.
    """

    SLOWER = "SLOWER"
    FASTER = "FASTER"
    NONE_SHOWN = "NONE_SHOWN"
    CANNOT_TELL = "CANNOT_TELL"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A new run against saved ones.

    Attributes:
        new: the new run.
        runs: number of comparable saved runs with a P99.
        lower_ns: lower end of the prediction interval; None without one.
        upper_ns: its upper end.
    """

    new: SavedRun
    runs: int
    change: Change
    lower_ns: int | None = None
    upper_ns: int | None = None

    def __str__(self) -> str:
        measured = format_duration_fixed(self.new.p99_ns)
        test = self.new.test if self.new.number == 1 else f"{self.new.test} #{self.new.number}"
        saved = format_count(self.runs, "comparable saved run")
        if self.lower_ns is None:
            return f"{self.change} {test}: P99 {measured}; {saved}, {RUNS_MIN} are needed"
        low, high = format_duration_fixed(self.lower_ns), format_duration_fixed(self.upper_ns)
        return f"{self.change} {test}: P99 {measured}; {saved} predict {low} to {high}"


def compare(new: SavedRun, saved: Iterable[SavedRun]) -> Comparison:
    """Compare a run with the saved ones of the same test, stack and scenario."""
    own = (new.test, new.number, new.question)
    estimates = [
        one.p99_ns
        for one in saved
        if (one.test, one.number, one.question) == own and one.p99_ns is not None
    ]
    bounds = prediction_interval(estimates)
    if bounds is None or new.p99_ns is None:
        return Comparison(new, len(estimates), Change.CANNOT_TELL)
    change = Change.NONE_SHOWN
    if new.p99_ns > bounds[1]:
        change = Change.SLOWER
    elif new.p99_ns < bounds[0]:
        change = Change.FASTER
    return Comparison(new, len(estimates), change, *bounds)


def saved_path(folder: Path, name: str) -> Path:
    """The file of saved runs.

    Raises:
        UsageError: the name is none of a file.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a name",
            where="--signal-save, --signal-compare",
            hint="use letters, digits, '.', '_' and '-', and begin with a letter or digit",
        )
    return folder / f"{name}.jsonl"


def read_saved(path: Path) -> list[SavedRun]:
    """The saved runs.

    Raises:
        EvidenceError: the file is missing or cannot be read.
    """
    return parse_jsonl(iter_lines(path), SavedRun.model_validate_json, str(path))


def save(path: Path, runs: Sequence[SavedRun]) -> None:
    """Add runs to a file, which is created if needed.

    Raises:
        EvidenceError: the file cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvidenceError(
            f"cannot be created: {error.strerror or error}", where=str(path.parent)
        ) from error
    before = read_saved(path) if path.exists() else []
    atomic_files.write_text(path, "".join(map(format_jsonl, (*before, *runs))))
