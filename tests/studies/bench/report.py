"""Judging and reporting ten million samples: seconds, peak memory, sizes of what is written.

Evidence of a run of 5,000 s at 2,000 signals/s is made up, in the files and at the times of a real
one. A process of its own does each step, and its peak memory is what the kernel says
(`ru_maxrss`). Bounded is what does not follow the number of signals: beside it stands a run of a
tenth of the size.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from harness.assessment.assess import assess_and_store
from harness.contract.names import State
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict
from harness.report.data import read_report_data
from harness.report.hgrm import write_hgrm
from harness.report.html import html_report
from harness.report.junit import junit_xml
from harness.report.markdown import markdown
from harness.report.samples import write_csv
from tests.unit.analysis import evidence
from tests.unit.analysis.evidence import World, healthy, load_of
from tests.unit.analysis.service_counters import BEFORE, page

SIZES = (1_000_000, 10_000_000)
RATE = 2_000.0
AGENTS = 100
# "Bounded" as a ratio of peaks: ten times the signals may cost a report this much more memory.
MEMORY_RATIO_MAX = 1.5
_TIMEOUT_S = 1_800


def main() -> int:
    """Print the figures; 1 where a report's memory follows the run, or the run does not pass."""
    found: dict[tuple[int, str], dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="harness-report-") as reports:
        for size in SIZES:
            began = time.perf_counter()
            folder = Path(_run("make", str(size), reports).strip())
            stored = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            print(
                f"{size:,} samples: {stored / 2**20:,.0f} MB of evidence,"
                f" made up in {time.perf_counter() - began:.0f} s",
                flush=True,
            )
            print(f"  {'step':28}{'seconds':>9}{'of CPU':>8}{'peak MB':>9}{'written MB':>12}")
            for step in STEPS:
                found[size, step] = reported = json.loads(_run(step, str(folder)))
                figures = (
                    f"{reported['seconds']:9.1f}{reported['cpu']:8.1f}{reported['peak_mb']:9.0f}"
                )
                written = f"{reported['bytes'] / 2**20:12.2f}"
                print(f"  {STEPS[step][0]:28}{figures}{written}", flush=True)
    small, large = SIZES
    ratio = found[large, "page"]["peak_mb"] / found[small, "page"]["peak_mb"]
    print(f"peak memory of the page, {large:,} against {small:,} samples: ratio {ratio:.2f}")
    passed = all(reported["passed"] for reported in found.values())
    return 0 if passed and ratio <= MEMORY_RATIO_MAX else 1


def _nothing(folder: RunFolder) -> tuple[Path, ...]:
    return () if folder.plan.exists() else (folder.plan,)


def _judge(folder: RunFolder) -> tuple[Path, ...]:
    verdict = assess_and_store(folder).judgement.verdict
    if verdict is not Verdict.PASS:
        raise SystemExit(f"the made-up run is {verdict.name}")
    return (folder.result, *folder.histograms.iterdir())


def _page(folder: RunFolder) -> tuple[Path, ...]:
    folder.html.write_text(html_report(read_report_data(folder)), encoding="utf-8")
    return (folder.html,)


def _machines(folder: RunFolder) -> tuple[Path, ...]:
    data = read_report_data(folder)
    summary = folder.path / "csv" / "summary.md"
    summary.parent.mkdir(exist_ok=True)
    summary.write_text(markdown(data), encoding="utf-8")
    folder.junit.write_text(junit_xml(data), encoding="utf-8")
    return (folder.junit, summary, *write_hgrm(data.measurement, folder.path / "hgrm"))


def _csv(folder: RunFolder) -> tuple[Path, ...]:
    return write_csv(read_report_data(folder), folder.path / "csv")


STEPS: dict[str, tuple[str, Callable[[RunFolder], tuple[Path, ...]]]] = {
    "nothing": ("imports only", _nothing),
    "judge": ("judge, store result and logs", _judge),
    "page": ("report.html", _page),
    "machines": ("junit.xml, Markdown, .hgrm", _machines),
    "csv": ("samples.csv.gz", _csv),
}


def _run(*words: str) -> str:
    command = [sys.executable, "-m", "tests.studies.bench.report", *words]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, timeout=_TIMEOUT_S
    )
    return done.stdout


def _world(signals: int) -> World:
    load = load_of(agents=AGENTS, rate=RATE, duration_s=signals / RATE, warmup_s=0.0)
    world = healthy(load)
    # What the services would have counted, without looking at every signal in turn.
    simulated = (State.SIMULATED.name, "lite")
    before = Counter({simulated: BEFORE})
    ends = Counter({simulated: sum(len(attempts) for attempts in world.attempts)})
    no_signals = {"signals": None}
    world.counters = {
        "before": {"engine": page(before), "data-processor": no_signals},
        "after": {"engine": page(before + ends), "data-processor": no_signals},
    }
    return world


def _child(step: str, rest: list[str]) -> None:
    if step == "make":
        # Comparing whole trace ids would take longer than everything else here; all are there.
        by_index = patch.object(evidence, "keys", lambda records: records["trace_lo"])
        with patch.object(os, "fsync"), by_index:
            print(_world(int(rest[0])).write(Path(rest[1])).path)
        return
    began, cpu = time.perf_counter(), time.process_time()
    written = STEPS[step][1](RunFolder.open(Path(rest[0])))
    reported = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "bytes": sum(path.stat().st_size for path in written),
        "passed": True,
    }
    print(json.dumps(reported))


if __name__ == "__main__":
    if sys.argv[1:]:
        _child(sys.argv[1], sys.argv[2:])
    else:
        sys.exit(main())
