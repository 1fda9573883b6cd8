"""Samples and telemetry as CSV, for other tools; written while they are read."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.resources.telemetry import Telemetry
from harness.analysis.samples import SignalOutcome
from harness.analysis.signal_batches import SignalBatch, read_signals
from harness.analysis.stage_clock import StageClock
from harness.contract import trace_id
from harness.contract.names import State
from harness.errors import EvidenceError
from harness.evidence import atomic_files
from harness.evidence.records import Mode
from harness.printable import spreadsheet_cell
from harness.report.data import ReportData

SAMPLES = "samples.csv.gz"
TELEMETRY = "telemetry.csv"
# Times are ns after t0 and empty where unknown. A stage is its number from 1 on, 0 for the warm-up.
SAMPLE_COLUMNS = (
    "trace_id", "agent", "mode", "phase", "class", "state", "stale", "intended_ns", "sent_ns",
    "acked_ns", "init_ns", "committed_ns", "seen_ns", "stage", "agents",
)  # fmt: skip
# The name of a series ends in the unit of its values and of its limit.
TELEMETRY_COLUMNS = ("at_s", "track", "value", "limit", "stage", "agents")
# Level 1 is three times as fast as level 6, and the file a tenth larger.
_LEVEL = 1
# An unknown number in a column of int64; no time of a run is so small.
UNKNOWN = int(np.iinfo(np.int64).min)

Column = NDArray[Any]


def write_csv(data: ReportData, target: Path) -> tuple[Path, ...]:
    """Write both files into a folder, which is created if needed.

    Returns:
        The written files; no telemetry for a run without it.

    Raises:
        EvidenceError: evidence cannot be read, or a file not be written.
    """
    written = [target / SAMPLES]
    try:
        target.mkdir(parents=True, exist_ok=True)
        with (
            atomic_files.new_file(written[0]) as raw,
            gzip.open(raw, "wt", compresslevel=_LEVEL, encoding="ascii") as file,
        ):
            for text in sample_lines(data):
                file.write(text)
        if data.telemetry.present:
            written.append(target / TELEMETRY)
            with atomic_files.new_file(written[1]) as raw:
                rows = telemetry_rows(data.telemetry, StageClock.of_load(data.plan.load))
                stream = io.TextIOWrapper(raw, encoding="utf-8", newline="")
                csv.writer(stream, lineterminator="\n").writerows(rows)
                stream.detach()
    except OSError as error:
        raise EvidenceError(
            f"cannot write: {error.strerror or error}", where=str(target)
        ) from error
    return tuple(written)


def telemetry_rows(telemetry: Telemetry, clock: StageClock) -> Iterator[tuple[object, ...]]:
    """A row for each value, the header first; outside of the load the stage is empty."""
    yield TELEMETRY_COLUMNS
    for name in sorted(telemetry.time_series):
        track = telemetry.time_series[name]
        limit = "" if track.limit is None else track.limit
        for at_s, value in zip(track.at_s, track.values, strict=True):
            stage = clock.at_s(at_s)
            yield (
                *(f"{at_s:.3f}", spreadsheet_cell(name), value, limit),
                *((stage.number, stage.agents) if stage else ("", "")),
            )


def sample_lines(data: ReportData) -> Iterator[str]:
    """The header, then the lines of some signals at a time."""
    yield ",".join(SAMPLE_COLUMNS) + "\n"
    for columns in signal_columns(data):
        texts = [_texts(columns[name]) for name in SAMPLE_COLUMNS]
        yield "".join([",".join(row) + "\n" for row in zip(*texts, strict=True)])


def signal_columns(data: ReportData) -> Iterator[dict[str, Column]]:
    """The columns of some signals at a time: text, or int64 with `UNKNOWN`.

    Raises:
        EvidenceError: the evidence cannot be read.
    """
    phases = tuple(stage.phase.value for stage in data.plan.load.timeline())
    t0_ns, clock = data.plan.t0_ns, StageClock.of_load(data.plan.load)
    for signals in read_signals(data.folder, data.plan, data.run):
        columns = _columns(signals, data.plan.run_tag, phases, clock, t0_ns)
        yield dict(zip(SAMPLE_COLUMNS, columns, strict=True))


def _texts(column: Column) -> list[str]:
    values: list[Any] = column.tolist()
    if column.dtype.kind == "U":
        return values
    return ["" if value == UNKNOWN else str(value) for value in values]


def _columns(
    signals: SignalBatch, run_tag: int, phases: tuple[str, ...], clock: StageClock, t0_ns: int
) -> Iterator[Column]:
    samples = signals.samples
    stage = samples["stage"].astype(np.int64)
    agents = signals.agents.tolist()
    # The index is the last eight digits; the rest of a trace id is the same for an agent.
    heads = {agent: trace_id.text(*trace_id.pack(run_tag, agent, 0))[:-8] for agent in {*agents}}
    yield np.array(
        [
            f"{heads[agent]}{index:08x}"
            for agent, index in zip(agents, signals.indexes.tolist(), strict=True)
        ]
    )
    yield signals.agents
    yield _names(samples["mode"], {mode.value: mode.name.lower() for mode in Mode})
    # A stage that is not in the plan; see `Timeline.phase_of`.
    yield np.array([*phases, "warmup"])[np.minimum(stage, len(phases))]
    outcomes = {outcome.value: outcome.name.lower() for outcome in SignalOutcome}
    yield _names(samples["signal_outcome"], outcomes)
    yield _names(samples["state"], {state.value: state.name for state in State if state})
    yield samples["stale"].astype(np.int64)
    for times in (
        samples["intended_ns"],
        samples["sent_ns"],
        samples["acked_ns"],
        signals.init_ns,
        signals.committed_ns,
        samples["seen_ns"],
    ):
        yield np.where(times == 0, UNKNOWN, times - t0_ns)
    stage = np.minimum(stage, len(clock.stages))
    yield np.array([*(one.number for one in clock.stages), UNKNOWN])[stage]
    yield np.array([*(one.agents for one in clock.stages), UNKNOWN])[stage]


def _names(codes: Column, names: Mapping[int, str]) -> Column:
    """The name of each code of one byte; empty for a code without one."""
    table: Column = np.array([names.get(code, "") for code in range(256)])
    found: Column = table[codes]
    return found
