"""`python -m tests.studies.faults`: real runs of scenarios/faults; a table of their faults.

With `--interrupt` each kind of fault is broken off in its middle instead, and what is left counted.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.faults.docker.factory import DOCKER_FAULT_SUPPORT
from harness.faults.support import PROCESS_FAULT_SUPPORT
from harness.scenario import load_scenario
from tests.studies.faults.interruptions import Outcome, cases, interrupt
from tests.studies.faults.interruptions import table as table_of_interruptions
from tests.studies.faults.rows import rows_of, table

ROOT = Path(__file__).resolve().parents[3]
SCENARIOS = ROOT / "scenarios" / "faults"
DOCUMENT = ROOT / "docs" / "faults.md"
FAULTS, INTERRUPTIONS = "<!-- table of faults -->\n", "<!-- table of interruptions -->\n"
END = "<!-- end of table -->\n"
# What only one kind of stack can have lies in a folder of its own.
FOLDERS = {
    "process": (SCENARIOS, SCENARIOS / "process"),
    "docker": (SCENARIOS, SCENARIOS / "docker"),
}
POSSIBLE = {"process": PROCESS_FAULT_SUPPORT, "docker": DOCKER_FAULT_SUPPORT}
RUN_MAX_S = 240


def main() -> int:
    """Run what was asked for; 1 if a fault was not proven or something was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help="only these, by file name")
    parser.add_argument("--stack", action="append", choices=sorted(FOLDERS))
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT}")
    parser.add_argument("--reports", type=Path, help="keep the runs' folders here")
    parser.add_argument("--again", action="store_true", help="only tell of the runs kept there")
    parser.add_argument("--interrupt", action="store_true", help="break off each kind of fault")
    parser.add_argument("--kind", action="append", help="only this one; with --interrupt")
    parser.add_argument("--kill", action="store_true", help="not by Ctrl-C but by SIGKILL")
    options = parser.parse_args()
    if options.interrupt:
        number = signal.SIGKILL if options.kill else signal.SIGINT
        outcomes = _interrupt(options.stack or ["process"], options.kind or [], number)
        text = table_of_interruptions(outcomes)
        print(text)
        if options.write:
            put_into(DOCUMENT, INTERRUPTIONS, text)
        return 0 if outcomes and all(one.is_good for one in outcomes) else 1
    with tempfile.TemporaryDirectory(prefix="harness-faults-") as folder:
        reports = options.reports or Path(folder)
        if not options.again:
            for stack in options.stack or ["process"]:
                for path in _scenarios(stack, options.names):
                    _run(path, stack, reports)
        rows = [
            row for path in sorted(reports.glob("*/result.json")) for row in rows_of(path.parent)
        ]
    text = table(rows)
    print(text)
    if options.write:
        put_into(DOCUMENT, FAULTS, text)
    return 0 if rows and all(row.is_good for row in rows) else 1


def _scenarios(stack: str, names: list[str]) -> list[Path]:
    found = [path for folder in FOLDERS[stack] for path in sorted(folder.glob("*.toml"))]
    return [path for path in found if not names or path.stem in names]


def _run(path: Path, stack: str, reports: Path) -> None:
    agents = load_scenario(path).agent_containers.at_least
    done = subprocess.run(
        [
            *(sys.executable, "-m", "harness", "run", str(path)),
            *("--stack", stack, "--images", "offline", "--reports", str(reports)),
            *(("--agent-containers", str(agents)) if agents else ()),
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_MAX_S,
        check=False,
    )
    print(f"{stack} {path.stem}: exit code {done.returncode}", file=sys.stderr, flush=True)
    if done.returncode not in (0, 1, 3, 4):
        print(done.stdout + done.stderr, file=sys.stderr)


def _interrupt(stacks: list[str], kinds: list[str], number: signal.Signals) -> list[Outcome]:
    outcomes = []
    for stack in stacks:
        # Those of the faults come last and win.
        folders = (SCENARIOS.parent, *FOLDERS[stack])
        for case in cases(POSSIBLE[stack], folders, kinds):
            outcomes.append(interrupt(case, number))
            print(table_of_interruptions(outcomes[-1:]), file=sys.stderr, flush=True)
            for kind, things in outcomes[-1].left.items():
                print(f"left of {kind}: {sorted(things)}", file=sys.stderr, flush=True)
            if not outcomes[-1].is_good:
                print(outcomes[-1].output, file=sys.stderr, flush=True)
    return outcomes


def put_into(path: Path, begin: str, text: str) -> None:
    """Replace the table between its marks."""
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{begin}{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
