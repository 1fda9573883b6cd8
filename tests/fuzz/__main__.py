"""`python -m tests.fuzz`: what each command makes of each hostile folder of evidence.

Options: `--harness DIR`: of which checkout (to compare with another one). `--only WORD`: cases
whose name has it. Prints a row for each case and command; 1 where one crashed or hung.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.judge.assess import assess_and_store
from harness.store import RunFolder
from tests.fuzz.hostile import CASES
from tests.unit.measure.evidence import healthy, load_of

COMMANDS = ("judge", "report", "trend", "watch")
_LIMIT_S = 20.0
_MEMORY_BYTES = 4 << 30


def told(command: str, run: RunFolder, root: Path) -> tuple[str, bool]:
    """The row of one command, and whether it ended as it should."""
    target = run.path.parent if command == "trend" else run.path
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'compose'}"}
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, "-m", "harness", command, str(target)],
            cwd=root, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES,) * 2),
        )  # fmt: skip
        code = _wait(child.pid, began + _LIMIT_S)
        took_s = time.monotonic() - began
        out.seek(0)
        text = out.read(1 << 20).decode("utf-8", "replace")
    crashed = "Traceback" in text or "a mistake in the harness" in text
    raw = any(sign in text for sign in ("\x1b", "\x9b", "\u202e", "\n::"))
    words = "TRACEBACK " if crashed else "RAW ESCAPES " if raw else ""
    status, usage = code
    words += "HANG " if status is None else ""
    shown = f"{words}{_line(text)}"
    row = f"{'-' if status is None else status} | {took_s:.1f} | {usage // 1024} | {shown}"
    return row, not words


def _wait(pid: int, until: float) -> tuple[tuple[int | None, int], ...] | tuple[int | None, int]:
    """Exit code, None of one that had to be ended, and peak memory in kB."""
    ended = False
    for _ in range(10_000):
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return (None if ended else os.waitstatus_to_exitcode(status)), usage.ru_maxrss
        if time.monotonic() > until and not ended:
            os.kill(pid, 9)
            ended = True
        time.sleep(0.02)
    raise RuntimeError("a child that was ended did not end")


def _line(text: str) -> str:
    """The line that says it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for word in (
        "error:",
        "mistake",
        "NOT VERIFIED",
        "Error",
        "left out",
        "judged anew",
        "exit code",
    ):
        for line in lines:
            if word in line:
                return ascii(line)[1:-1][-160:]
    return ascii(lines[-1])[1:-1][:160] if lines else ""


def main() -> int:
    """Every case with every command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--harness", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    good = True
    print("| case | command | exit | s | MB | says |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        healthy_run = healthy(load_of(duration_s=8.0)).write(Path(place) / "healthy")
        assess_and_store(healthy_run)
        for number, (name, spoil) in enumerate(CASES.items()):
            for command in COMMANDS if options.only in name else ():
                folder = Path(place) / f"{number}-{command}" / healthy_run.run_id
                run = RunFolder(Path(shutil.copytree(healthy_run.path, folder)))
                spoil(run)
                row, ended_well = told(command, run, options.harness)
                victim = run.path.parent / "victim.txt"
                if victim.exists() and victim.read_text(encoding="utf-8") != "keep me":
                    row, ended_well = f"{row} FOLLOWED A LINK", False
                good = good and ended_well
                print(f"| {name} | {command} | {row} |", flush=True)
                shutil.rmtree(folder.parent)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
