"""`python -m tests.studies.causes`: every cause provoked for real; the table on standard output."""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.studies.causes.cases import CASES, Case
from tests.studies.causes.runs import Found, problems_of, provoke, read_found
from tests.studies.causes.table import put_into, sayings, table
from tests.studies.matrix.runs import ROOT

DOCUMENT = ROOT / "docs" / "diagnosis-causes.md"
# A healthy run that is blamed for something is as bad as a cause that is missed.
HEALTHY_MORE = 2


def main() -> int:
    """Run what was asked for; 1 if a diagnosis was wrong."""
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(prog="python -m tests.studies.causes", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"only these: {', '.join(names)}")
    parser.add_argument("--times", type=int, default=3, help="runs of each; two more when healthy")
    parser.add_argument("--side-by-side", type=int, default=1, help="runs at once")
    parser.add_argument("--reports", type=Path, help="keep the runs' folders here")
    parser.add_argument(
        "--read", action="store_true", help="diagnose kept folders again, run nothing"
    )
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT}")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(names):
        parser.error(f"no case {', '.join(sorted(unknown))}")
    if options.read and not options.reports:
        parser.error("--read needs --reports")
    cases = [case for case in CASES if not options.cases or case.name in options.cases]
    with tempfile.TemporaryDirectory(prefix="harness-causes-") as folder:
        reports = options.reports or Path(folder)
        outcomes = {
            case: _read(case, reports)
            if options.read
            else _run(case, options.times, options.side_by_side, reports)
            for case in cases
        }
        text = f"{table(outcomes)}\n\n{sayings(outcomes)}"
        print(text)
        if options.write:
            put_into(DOCUMENT, text)
        wrong = [
            case
            for case, all_of_it in outcomes.items()
            for one in all_of_it
            if problems_of(case, one)
        ]
    return 1 if wrong else 0


def _run(case: Case, times: int, side_by_side: int, reports: Path) -> list[Found]:
    def once(number: int) -> Found:
        found = provoke(case, reports / f"{case.name}-{number}", ("--seed", str(number)))
        _say(case, found)
        return found

    with ThreadPoolExecutor(side_by_side) as pool:
        return list(pool.map(once, range(1, times + 1 + (0 if case.causes else HEALTHY_MORE))))


def _read(case: Case, reports: Path) -> list[Found]:
    folders = sorted(path.parent for path in reports.glob(f"{case.name}-*/*/result.json"))
    found = [read_found(folder, again=True) for folder in folders]
    for one in found:
        _say(case, one)
    return found


def _say(case: Case, found: Found) -> None:
    problems = "; ".join(problems_of(case, found))
    line = f"{'NOT' if problems else 'ok '} {case.name} {found.verdict} {problems}".rstrip()
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
