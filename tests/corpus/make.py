"""Record the corpus anew: `python -m tests.corpus.make [NAME ...]`.

Without a name, every run. With `--judge` nothing is run: only what is expected of the stored runs
is written anew, for a change of the judgement that is meant. `--list` tells what there is.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.corpus import (
    archive,
    containers,
    expected,
    real,
    worlds_beside,
    worlds_run,
    worlds_system,
)
from tests.corpus.entries import Entry, small_worlds
from tests.corpus.observed import observed

ENTRIES: tuple[Entry, ...] = (
    *worlds_system.ENTRIES,
    *worlds_run.ENTRIES,
    *worlds_beside.ENTRIES,
    *real.ENTRIES,
    *containers.ENTRIES,
)


def main() -> int:
    """Record what was asked for; 1 if a run could not be recorded."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus.make", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these runs")
    parser.add_argument("--judge", action="store_true", help="keep the runs, judge them anew")
    parser.add_argument("--list", action="store_true", help="tell what there is")
    options = parser.parse_args()
    by_name = {entry.name: entry for entry in ENTRIES}
    if len(by_name) < len(ENTRIES):
        parser.error("two runs have the same name")
    if unknown := set(options.names) - by_name.keys():
        parser.error(f"no run is called {', '.join(sorted(unknown))}")
    chosen = [by_name[name] for name in options.names] or list(ENTRIES)
    if options.list:
        print("\n".join(f"{one.name:<28} {one.shows}" for one in chosen))
        return 0
    with pytest.MonkeyPatch.context() as patch:
        # What goes into an archive at once need not outlive a power cut.
        patch.setattr(os, "fsync", lambda _: None)
        done = [_recorded(entry, judge_only=options.judge) for entry in chosen]
    return 0 if all(done) else 1


def _recorded(entry: Entry, *, judge_only: bool) -> bool:
    try:
        with tempfile.TemporaryDirectory(prefix="corpus-") as place:
            if not judge_only:
                with small_worlds():
                    archive.pack(entry.record(Path(place)), entry.name)
        with tempfile.TemporaryDirectory(prefix="corpus-") as place:
            folder = archive.unpack(entry.name, Path(place))
            outcome = expected.plain(observed(folder, on_demand=entry.on_demand))
    except Exception as error:  # the others can be recorded all the same
        print(f"{entry.name}: {type(error).__name__}: {error}", file=sys.stderr)
        return False
    expected.write(entry.name, expected.Expected(entry.shows, entry.on_demand, outcome))
    red = [f"{key} {word}" for key, _, word, _ in outcome.get("checks", ()) if word != "PASS"]
    print(f"{entry.name}: {outcome.get('verdict', outcome['kind'])} {'; '.join(red)}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
