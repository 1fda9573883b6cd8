"""Recording: what matching and counting cost per signal, and whether memory stays flat.

Evidence of runs of 100 thousand and of 1 million signals is made up, with the same rate and so
with the same number in flight. A process of its own measures each, several times in turn; its
peak memory is what the kernel says (`ru_maxrss`). Beside it, in the same run: HdrHistogram's own
`record_value`, a call for each duration, as the usual way to record.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from hdrh.histogram import HdrHistogram

from harness.analysis.histogram import DIGITS, HIGHEST_NS, LOWEST_NS, HistogramBuilder
from harness.analysis.run_analysis import analyze_run
from harness.assessment.assess import assess
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict
from tests.unit.analysis.evidence import healthy, load_of

SIZES = (100_000, 1_000_000)
RATE = 2_000.0
AGENTS = 100
TAKES = 3
VALUES = 1_000_000
VALUES_SLOW = 100_000
CHUNK = 16_384
# "Flat" as a ratio of peaks: ten times the signals may cost this much more memory.
MEMORY_RATIO_MAX = 1.25
_TIMEOUT_S = 300


def main() -> int:
    """Print the figures; 1 if memory is not flat, or if a healthy run does not pass."""
    with tempfile.TemporaryDirectory(prefix="harness-recording-") as reports:
        folders = {size: _make(size, Path(reports)) for size in SIZES}
        takes = [
            (size, step)
            for _ in range(TAKES)
            for step in ("gather", "assess", "import")
            for size in SIZES
        ]
        found: dict[tuple[int, str], list[dict[str, float]]] = {}
        for size, step in takes:
            found.setdefault((size, step), []).append(_measure(folders[size], step))
    flat = _print_memory(found)
    passed = _print_cost(found)
    _print_histogram()
    return 0 if flat and passed else 1


def _print_memory(found: dict[tuple[int, str], list[dict[str, float]]]) -> bool:
    peak = {
        key: statistics.median(take["peak_mb"] for take in takes) for key, takes in found.items()
    }
    small, large = SIZES
    print("peak memory (MB, median of", TAKES, "takes)")
    for step in ("import", "gather", "assess"):
        ratio = peak[large, step] / peak[small, step]
        print(
            f"  {step:7} {small:>9,}: {peak[small, step]:6.1f}   {large:>9,}:"
            f" {peak[large, step]:6.1f}   ratio {ratio:.2f}"
        )
    extra = peak[large, "assess"] - peak[small, "assess"]
    print(f"  each signal more costs {extra * 2**20 / (large - small):.0f} bytes")
    return peak[large, "assess"] / peak[small, "assess"] <= MEMORY_RATIO_MAX


def _print_cost(found: dict[tuple[int, str], list[dict[str, float]]]) -> bool:
    print("cost per signal (us, median; matching and recording = gather, with judging = assess)")
    for size in SIZES:
        costs = {
            step: statistics.median(take["seconds"] for take in found[size, step]) / size
            for step in ("gather", "assess")
        }
        print(
            f"  {size:>9,}: gather {costs['gather'] * 1e6:.2f}   assess {costs['assess'] * 1e6:.2f}"
        )
    return all(
        take["passed"] for (_, step), takes in found.items() for take in takes if step == "assess"
    )


def _print_histogram() -> None:
    values = np.random.default_rng(1).lognormal(16.5, 0.8, VALUES).astype(np.int64)
    ours, theirs = [], []
    for _ in range(TAKES):
        builder = HistogramBuilder()
        began = time.perf_counter()
        for first in range(0, VALUES, CHUNK):
            builder.record(values[first : first + CHUNK])
        ours.append((time.perf_counter() - began) / VALUES)
        histogram = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
        slow = values[:VALUES_SLOW].tolist()
        began = time.perf_counter()
        for value in slow:
            histogram.record_value(value)
        theirs.append((time.perf_counter() - began) / VALUES_SLOW)
    own, other = statistics.median(ours), statistics.median(theirs)
    print(
        f"one value into a histogram: ours {own * 1e9:.1f} ns, record_value {other * 1e9:.0f} ns,"
        f" ratio {other / own:.0f}"
    )


def _make(signals: int, reports: Path) -> RunFolder:
    """Evidence of a run, made by a process of its own, which takes its memory with it."""
    command = [
        sys.executable,
        "-m",
        "tests.studies.bench.recording",
        "make",
        str(signals),
        str(reports),
    ]
    return RunFolder.open(Path(_run(command).strip()))


def _measure(folder: RunFolder, step: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.studies.bench.recording", step, str(folder.path)]
    document: dict[str, float] = json.loads(_run(command))
    return document


def _run(command: list[str]) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S
    ).stdout


def _work(step: str, folder: RunFolder) -> dict[str, float]:
    passed = True
    began = time.perf_counter()
    if step == "gather":
        analyze_run(folder, folder.read_plan(), folder.read_run())
    elif step == "assess":
        passed = assess(folder).judgement.verdict is Verdict.PASS
    seconds = time.perf_counter() - began
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "peak_mb": peak_kb / 1024, "passed": passed}


def _child(arguments: list[str]) -> None:
    step, *rest = arguments
    if step == "make":
        signals, reports = int(rest[0]), Path(rest[1])
        load = load_of(agents=AGENTS, rate=RATE, duration_s=signals / RATE, warmup_s=0.0)
        print(healthy(load).write(reports).path)
    else:
        print(json.dumps(_work(step, RunFolder.open(Path(rest[0])))))


if __name__ == "__main__":
    if sys.argv[1:]:
        _child(sys.argv[1:])
    else:
        sys.exit(main())
