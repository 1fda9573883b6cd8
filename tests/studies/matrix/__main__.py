"""`python -m tests.studies.matrix`: real runs with every defect and clean ones; prints a table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.studies.matrix.clean import CLEAN, run_clean
from tests.studies.matrix.rows import ROWS, Row
from tests.studies.matrix.runs import ROOT, SIDE_BY_SIDE, Outcome, run
from tests.studies.matrix.table import problems_of, put_into, table

DOCUMENT = ROOT / "docs" / "defects.md"


def main() -> int:
    """Run what was asked for; 1 if a defect was missed or a clean run raised an alarm."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.matrix", description=__doc__)
    parser.add_argument("defects", nargs="*", metavar="DEFECT", help="only these rows")
    parser.add_argument("--clean", type=int, default=20, help="runs without a defect")
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT}")
    parser.add_argument("--reports", type=Path, help="keep the runs' folders here")
    options = parser.parse_args()
    unknown = set(options.defects) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"no row for {', '.join(sorted(unknown))}")
    rows = [row for row in ROWS if not options.defects or row.name in options.defects]
    with tempfile.TemporaryDirectory(prefix="harness-matrix-") as folder:
        return _run(rows, options.clean, options.reports or Path(folder), write=options.write)


def _run(rows: list[Row], clean_runs: int, reports: Path, *, write: bool) -> int:
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        outcomes = list(pool.map(lambda row: _row(row, reports), rows))
    clean = []
    for number in range(clean_runs):
        one = run_clean(CLEAN[number % len(CLEAN)], number + 1, reports)
        _say(f"{'ok ' if one.good else 'NOT'} {one.name}: {one.outcome.verdict}")
        clean.append(one)
    text = table(list(zip(rows, outcomes, strict=True)), clean)
    print(text)
    if write:
        put_into(DOCUMENT, text)
    missed = [row for row, outcome in zip(rows, outcomes, strict=True) if problems_of(row, outcome)]
    return 1 if missed or not all(one.good for one in clean) else 0


def _row(row: Row, reports: Path) -> Outcome:
    outcome = run(reports / row.name, defects=[row.defect], settings=row.settings)
    problems = "; ".join(problems_of(row, outcome))
    _say(f"{'NOT' if problems else 'ok '} {row.name} {problems}".rstrip())
    return outcome


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
