"""Runs that are spoiled on purpose, one after the other, and what the judgement says of each.

Nothing is timed here: the exit code is 1 if any of them did not end INVALID. What cannot be made
on this host (no root, no libfaketime) is said.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.cli.judge import judge_folder
from harness.errors import Exit
from tests.stack import spoiled_runs
from tests.stack.spoiled_runs import Spoiled


def main() -> int:
    """Spoil, print, compare."""
    with tempfile.TemporaryDirectory(prefix="harness-spoiled-") as name:
        place = Path(name)
        codes = [_report(title, make) for title, make in _runs(place)]
    return 0 if all(code in (None, Exit.INVALID) for code in codes) else 1


def _runs(place: Path) -> list[tuple[str, Callable[[], Spoiled | str]]]:
    def folder(name: str) -> Path:
        made = place / name
        made.mkdir()
        return made

    def starved() -> Spoiled | str:
        return spoiled_runs.why_no_hog() or spoiled_runs.starve(folder("starved"))

    def paused() -> Spoiled:
        return spoiled_runs.end(*spoiled_runs.begin_pause(folder("paused")))

    def stepped() -> Spoiled | str:
        if why := spoiled_runs.why_no_faketime():
            return why
        return spoiled_runs.end(*spoiled_runs.begin_step(folder("stepped")))

    def full() -> Spoiled | str:
        disk = folder("disk")
        if why := spoiled_runs.why_no_disk(disk):
            return why
        with spoiled_runs.small_disk(disk):
            return spoiled_runs.end(*spoiled_runs.begin_fill(disk), folder("kept"))

    def overflown() -> Spoiled:
        clean = spoiled_runs.end(*spoiled_runs.begin_clean(folder("clean")))
        copied = spoiled_runs.overflow(clean.folder, folder("overflown"))
        with contextlib.redirect_stdout(io.StringIO()) as output:
            code = judge_folder(copied)
        return Spoiled(code, output.getvalue(), copied)

    return [
        ("starved generator", starved),
        ("paused observer", paused),
        ("stepped clock", stepped),
        ("full disk", full),
        ("histogram overflow", overflown),
    ]


def _report(title: str, make: Callable[[], Spoiled | str]) -> int | None:
    found = make()
    if isinstance(found, str):
        print(f"\n{title}: not made here, {found}")
        return None
    print(f"\n{title}: exit code {found.code}")
    for name, said in found.said().items():
        first = said.splitlines()[0].replace(str(found.folder), "RUN")
        print(f"  {name}: {first}")
    return found.code


if __name__ == "__main__":
    raise SystemExit(main())
