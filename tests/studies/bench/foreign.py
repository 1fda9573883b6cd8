"""What a run says beside programs of others: `python -m tests.studies.bench.foreign [seconds]`.

Each case is a run of `smoke` with a neighbour: writers that append and call fsync in a loop on the
disk of the reports, or burners that compute in a loop. A system that is slow by itself is a FAIL,
with a neighbour of a few seconds as well. A run beside one writer, or at a rate that leaves burners
enough, may meet its objective: then it is a PASS. Figures mean something on an otherwise idle host.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 30
# At this rate system and generator need more than half of two cores.
BUSY_RATE = "600"
SLOW = ("--defect", "slow_all:delay_ms=600")
# An objective that a fast disk meets, and not beside three writers.
TIGHT = ("--set", 'objectives=["p99 < 25 ms"]')
_LIMIT_S = 300
_WRITER = """
import os, sys, time
file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
os.unlink(sys.argv[1])
block, end = os.urandom(1 << 20), time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    os.write(file, block)
    os.fsync(file)
    if os.fstat(file).st_size > 1 << 29:
        os.ftruncate(file, 0)
"""
_BURNER = """
import sys, time
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    pass
"""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Programs beside a run; `seconds` is how long they live at most."""

    program: str
    number: int
    seconds: float = _LIMIT_S


CASES: tuple[tuple[str, tuple[str, ...], Neighbour | None, tuple[str, ...]], ...] = (
    ("nobody", (), None, ("PASS",)),
    ("1 writer", (), Neighbour(_WRITER, 1), ("PASS", "INCONCLUSIVE", "INVALID")),
    ("3 writers", (), Neighbour(_WRITER, 3), ("PASS", "INCONCLUSIVE", "INVALID")),
    ("nobody, p99 < 25 ms", TIGHT, None, ("PASS", "INCONCLUSIVE")),
    (
        "3 writers, p99 < 25 ms",
        TIGHT,
        Neighbour(_WRITER, 3),
        ("PASS", "INCONCLUSIVE", "INVALID"),
    ),
    (f"nobody, {BUSY_RATE}/s", ("--rate", BUSY_RATE), None, ("PASS", "INCONCLUSIVE")),
    (
        f"2 burners, {BUSY_RATE}/s",
        ("--rate", BUSY_RATE),
        Neighbour(_BURNER, 2),
        ("PASS", "INCONCLUSIVE", "INVALID"),
    ),
    ("slow system, nobody", SLOW, None, ("FAIL",)),
    ("slow system, 2 burners for 15 s", SLOW, Neighbour(_BURNER, 2, 15), ("FAIL",)),
)


def main(words: Sequence[str] = ()) -> int:
    """Print a line for each case; 1 if a verdict is another one than these can be."""
    seconds = int(words[0]) if words else SECONDS
    wrong = 0
    print(f"{'case':32} {'verdict':13} {'P99':>9}  first yes     host")
    with tempfile.TemporaryDirectory(prefix="foreign-", dir=ROOT) as folder:
        for number, (name, options, neighbour, expected) in enumerate(CASES):
            reports = Path(folder) / str(number)
            _run(reports, (*options, "--duration", str(seconds)), neighbour)
            wrong += _tell(name, reports, expected)
    return min(wrong, 1)


def _run(reports: Path, options: tuple[str, ...], neighbour: Neighbour | None) -> None:
    beside = []
    reports.mkdir()
    for number in range(neighbour.number if neighbour else 0):
        assert neighbour is not None
        file = str(reports.parent / f"written-{number}")
        command = [sys.executable, "-c", neighbour.program, file, str(neighbour.seconds)]
        beside.append(subprocess.Popen(command))
    try:
        subprocess.run(
            [
                *(sys.executable, "-m", "harness", "run", str(ROOT / "scenarios" / "smoke.toml")),
                *("--reports", str(reports), *options),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'compose'}"},
            stdout=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            check=False,
        )
    finally:
        for process in beside:
            process.kill()
            process.wait()
    time.sleep(2)  # what they wrote has reached the disk when the next case begins


def _tell(name: str, reports: Path, expected: tuple[str, ...]) -> int:
    path = next(reports.glob("*/result.json"), None)
    if path is None:
        print(f"{name:32} no result")
        return 1
    result = json.loads(path.read_text(encoding="utf-8"))
    checks = {one["id"]: one for one in result["judgement"]["checks"]}
    limited = (one["figures"] for one in checks.values() if "estimate_ns" in one["figures"])
    p99_ns = next(limited).get("estimate_ns") or 0
    questions = (result["diagnosis"] or {}).get("questions", ())
    first = next((one["key"] for one in questions if one["answer"] == "yes"), "-")
    verdict = result["verdict"]
    why = ", ".join(name for name, one in checks.items() if one["status"] == verdict != "PASS")
    reported = f"{name:32} {verdict:13} {p99_ns / 1e6:6,.0f} ms  {first:12}"
    print(f"{reported}  {checks['host resources free']['message']} [{why}]", flush=True)
    return int(verdict.upper() not in expected)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
