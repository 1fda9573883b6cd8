"""What telemetry costs: its own share of a core, and the P99 of the system with and without it.

One run. Its telemetry process is stopped and continued (SIGSTOP, SIGCONT) every few seconds, in the
order with, without, without, with; so both halves of a pair have the same host, tables of the same
size and a stream of the same length. The first second of each stretch belongs to neither.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from harness.analysis.histogram import DIGITS, HIGHEST_NS, LOWEST_NS
from harness.analysis.resources.telemetry_reader import read_telemetry
from harness.clock import NS_PER_S
from harness.evidence.run_folder import RunFolder
from harness.telemetry.sources.kernel import COST_LIMIT_CORES

ROOT = Path(__file__).resolve().parents[3]
RATE = 50
STRETCH_S = 5
PAIRS = 8
WARMUP_S = 5
_PATIENCE_S = 60
_POLL_S = 0.05

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the load, in seconds after t0, and whether telemetry was on in it."""

    start_s: int
    end_s: int
    used: bool


def stretches() -> tuple[Stretch, ...]:
    """Pairs in turns: with and without, without and with."""
    order = [used for pair in range(PAIRS) for used in ((True, False), (False, True))[pair % 2]]
    begun = [WARMUP_S + number * STRETCH_S for number in range(len(order))]
    return tuple(Stretch(at, at + STRETCH_S, used) for at, used in zip(begun, order, strict=True))


def main() -> int:
    """Print the figures; 1 if telemetry costs more than it may."""
    with tempfile.TemporaryDirectory(prefix="harness-telemetry-") as place:
        folder = _run(Path(place))
        t0_ns = folder.read_plan().t0_ns
        costs = _costs(folder, t0_ns)
        by_second = _by_second(folder)
    print(f"{RATE} signals/s, {PAIRS} pairs of stretches of {STRETCH_S - 1} s counted")
    mean = statistics.fmean(costs)
    print(
        f"cost of telemetry: mean {mean:.4f} cores, largest second {max(costs):.4f}"
        f" ({len(costs)} samples; at most {COST_LIMIT_CORES} on average)"
    )
    for percentile in (50.0, 99.0):
        _print_percentile(by_second, percentile)
    return int(mean > COST_LIMIT_CORES)


def _run(place: Path) -> RunFolder:
    seconds = 2 * PAIRS * STRETCH_S
    run = subprocess.Popen(
        [
            *(sys.executable, "-m", "harness", "run", str(ROOT / "scenarios" / "smoke.toml")),
            *("--rate", str(RATE), "--duration", str(seconds), "--reports", str(place)),
            *("--set", f"load.warmup_s={WARMUP_S}"),
        ],
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
    )
    try:
        plan = _await(run, lambda: next(iter(place.glob("*/plan.json")), None))
        folder = RunFolder(plan.parent)
        _turn_on_and_off(_await(run, lambda: _worker_of(run.pid)), folder.read_plan().t0_ns)
        run.wait(_PATIENCE_S + seconds)
    finally:
        if run.poll() is None:
            run.terminate()
            run.wait(_PATIENCE_S)
    return folder


def _await(run: subprocess.Popen[bytes], find: Callable[[], _Found | None]) -> _Found:
    deadline = time.monotonic() + _PATIENCE_S
    while (found := find()) is None:
        if run.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the run did not begin")
        time.sleep(_POLL_S)
    return found


def _worker_of(pid: int) -> int | None:
    for child in psutil.Process(pid).children():
        if "harness.telemetry.worker" in child.cmdline():
            return child.pid
    return None


def _turn_on_and_off(pid: int, t0_ns: int) -> None:
    for stretch in stretches():
        time.sleep(max(0.0, stretch.start_s + t0_ns / NS_PER_S - time.monotonic()))
        os.kill(pid, signal.SIGCONT if stretch.used else signal.SIGSTOP)
    time.sleep(STRETCH_S)
    os.kill(pid, signal.SIGCONT)


def _costs(folder: RunFolder, t0_ns: int) -> list[float]:
    track = read_telemetry(folder.telemetry.read_text(encoding="utf-8"), t0_ns).time_series[
        "sampler.cost_cores"
    ]
    used = [stretch for stretch in stretches() if stretch.used]
    return [
        value
        for at_s, value in zip(track.at_s, track.values, strict=True)
        if any(stretch.start_s + 1 < at_s <= stretch.end_s for stretch in used)
    ]


def _by_second(folder: RunFolder) -> dict[int, HdrHistogram]:
    found = {}
    for path in folder.histograms.glob("measure-*-latency.hlog"):
        reader = HistogramLogReader(str(path), _empty())
        while (histogram := reader.get_next_interval_histogram()) is not None:
            # The reader tells the start of an interval in ms.
            found[round(histogram.get_start_time_stamp() / 1_000)] = histogram
    return found


def _print_percentile(by_second: dict[int, HdrHistogram], percentile: float) -> None:
    values: dict[bool, list[float]] = {True: [], False: []}
    for stretch in stretches():
        inner = range(stretch.start_s + 1, stretch.end_s)
        total = _merged(by_second[second] for second in inner if second in by_second)
        values[stretch.used].append(total.get_value_at_percentile(percentile) / 1e6)
    differences = [on - off for on, off in zip(values[True], values[False], strict=True)]
    for name, used in (("with", True), ("without", False)):
        print(f"P{percentile:.0f} {name:8} {_spread(values[used])} ms")
    more = sum(difference > 0 for difference in differences)
    print(
        f"P{percentile:.0f} difference {_spread(differences)} ms;"
        f" larger with it in {more} of {PAIRS} pairs"
    )


def _spread(values: list[float]) -> str:
    median = statistics.median(values)
    return f"median {median:7.3f} (from {min(values):.3f} to {max(values):.3f})"


def _merged(histograms: Iterable[HdrHistogram]) -> HdrHistogram:
    total = _empty()
    for histogram in histograms:
        total.add(histogram)
    return total


def _empty() -> HdrHistogram:
    return HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
