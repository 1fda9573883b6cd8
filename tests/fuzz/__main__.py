"""`python -m tests.fuzz [WORD]`: what each command makes of each hostile folder of evidence.

Each runs in a fork of its own; of its row the seconds are those of CPU and the memory is the peak.
WORD chooses cases whose name has it. To compare with another checkout, put this folder into it.
Ends with 1 where a command crashed, hung, followed a link or let an escape through.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from harness.assessment.assess import assess_and_store
from harness.cli import main as harness_main
from harness.evidence.run_folder import RunFolder
from tests.fuzz.hostile import CASES
from tests.unit.analysis.evidence import healthy, load_of

COMMANDS = ("judge", "report", "trend", "watch")
# Of CPU; a pipe without a writer takes none, so there is one of time too.
_CPU_S = 30
_WALL_S = 45.0
_MEMORY_BYTES = 6 << 30
_CRASHED = ("Traceback", "a defect of the harness", "MemoryError")
_RAW = ("\x1b", "\x9b", "\u202e", "\n::")
_TELLING = ("error:", "mistake", "NOT VERIFIED", "left out", "judged again", "exit code", "Error")


def row_of(command: str, run: RunFolder) -> tuple[str, bool]:
    """The row of one command, and whether it ended as it should."""
    target = run.path.parent if command == "trend" else run.path
    with tempfile.TemporaryFile() as out:
        if not (pid := os.fork()):
            _run_command(command, target, out.fileno())
        code, usage = _wait(pid)
        out.seek(0)
        text = out.read(1 << 20).decode("utf-8", "replace")
    faults = [
        *(["HANG"] if code is None or code < 0 else []),
        *(["CRASH"] if any(sign in text for sign in _CRASHED) else []),
        *(["RAW ESCAPES"] if any(sign in text for sign in _RAW) else []),
    ]
    victim = run.path.parent / "victim.txt"
    if victim.exists() and victim.read_text(encoding="utf-8") != "keep me":
        faults.append("FOLLOWED A LINK")
    cpu_s = usage.ru_utime + usage.ru_stime
    shown = " ".join([*faults, _telling(text, target.parent)])
    return f"{code} | {cpu_s:.1f} | {usage.ru_maxrss // 1024} | {shown}", not faults


def _run_command(command: str, target: Path, out: int) -> None:
    """In the fork; it does not return."""
    try:
        os.dup2(out, 1)
        os.dup2(out, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        sys.argv = ["harness", command, str(target)]
        harness_main()
    except SystemExit as ending:
        sys.stdout.flush()
        os._exit(ending.code if isinstance(ending.code, int) else 0)
    except BaseException:  # a fork must not go on as its parent
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(70)


def _wait(pid: int) -> tuple[int | None, resource.struct_rusage]:
    """Exit code, None of one that had to be ended, and what it used."""
    until = time.monotonic() + _WALL_S
    while time.monotonic() < until:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage
        time.sleep(0.02)
    os.kill(pid, 9)
    _, _, usage = os.wait4(pid, 0)
    return None, usage


def _telling(text: str, place: Path) -> str:
    """The line that says it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for word in _TELLING:
        for line in lines:
            if word in line:
                return ascii(line.replace(str(place), "."))[1:-1][:170]
    return ascii(lines[-1])[1:-1][:170] if lines else ""


def main(arguments: list[str]) -> int:
    """Every case with every command."""
    only = arguments[0] if arguments else ""
    good = True
    print("| case | command | exit | CPU s | MB | says |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        whole = healthy(load_of(duration_s=8.0)).write(Path(place) / "healthy")
        assess_and_store(whole)
        for name, spoil in CASES.items():
            for command in COMMANDS if only in name else ():
                folder = Path(place) / "reports" / whole.run_id
                run = RunFolder(Path(shutil.copytree(whole.path, folder)))
                spoil(run)
                row, ended_well = row_of(command, run)
                good = good and ended_well
                print(f"| {name} | {command} | {row} |", flush=True)
                shutil.rmtree(folder.parent)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
