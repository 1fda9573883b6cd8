"""`python -m tests.studies.history`: changes of simulated histories, found and false.

Each row is one kind of history of 60 nights: the share of the histories in which every change is
found within three nights, and the share with a change that is none. The last rows show what the
test does not allow for: nights that resemble the night before, and a series that is read every
night for two months. A night varies by 8 % about its level unless said otherwise. Returns 1 where
the changes of a history of two changes and two outliers are not found in `FOUND_MIN` of the cases,
or independent nights raise more than `FALSE_MAX` of false alarms.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace

from harness.analysis.change_points import find_changes
from harness.report.history import HistoryRun
from harness.report.trend import level_of, trends_of
from tests.studies.history.nights import TWO_CHANGES, Nights

SEEDS = 500
FOUND_MIN = 0.99
FALSE_MAX = 0.01
_NEAR = 3


def cases() -> Iterator[tuple[str, Nights, bool]]:
    """A name, a history, and whether it decides the exit code."""
    yield "two changes, two outliers", TWO_CHANGES, True
    yield "the same, noise 15 %", replace(TWO_CHANGES, noise=0.15), False
    yield "the same, 10 % censored", replace(TWO_CHANGES, censored=0.1), False
    yield "the same, 50 % censored", replace(TWO_CHANGES, censored=0.5), False
    for night in (53, 54, 55):
        changed = Nights(changes=((night, 1.3),))
        yield f"+30 % in the last {60 - night} nights", changed, False
    yield "+15 % in night 30", Nights(changes=((30, 1.15),)), False
    yield "no change", Nights(), True
    yield "no change, two outliers", Nights(outliers=((10, 4.0), (33, 3.0))), True
    yield "no change, heavy tail (t, 3)", Nights(noise=0.15, tail=3), True
    yield "no change, 50 % censored", Nights(censored=0.5), True
    yield "no change, 30 nights", Nights(count=30), True
    yield "no change, 365 nights", Nights(count=365), True
    for memory in (0.3, 0.6):
        yield f"no change, correlation {memory:g}", Nights(memory=memory), False


def measure(nights: Nights, seeds: int) -> tuple[float, float]:
    """Shares of the histories with every change found, and with one that is none."""
    found_all = false_alarms = 0
    for seed in range(seeds):
        (trend,) = trends_of(HistoryRun(line) for line in nights.lines(seed))
        found = [change.point.index for series in trend.series for change in series.changes]
        true = [night for night, _ in nights.changes]
        found_all += all(any(abs(own - at) <= _NEAR for own in found) for at in true)
        false_alarms += any(all(abs(own - at) > _NEAR for at in true) for own in found)
    return found_all / seeds, false_alarms / seeds


def alarmed_once(seeds: int, first: int = 14, last: int = 60) -> float:
    """Share of the histories without a change that are called changed on any night."""
    alarmed = 0
    for seed in range(seeds):
        levels = [level_of(line.metrics[0]) for line in Nights(count=last).lines(seed)]
        known = [level for level in levels if level is not None]
        alarmed += any(find_changes(known[:night]) for night in range(first, last + 1))
    return alarmed / seeds


def main() -> int:
    """Print the table; 1 where it breaks what the module says."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.history", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="histories of each row")
    options = parser.parse_args()
    is_good = True
    print(f"{'history':<34} {'all found':>9} {'false':>7}")
    for name, nights, decides in cases():
        found, false = measure(nights, options.seeds)
        is_good &= not decides or (found >= FOUND_MIN and false <= FALSE_MAX)
        print(f"{name:<34} {found:>9.1%} {false:>7.1%}", flush=True)
    nightly = alarmed_once(max(1, options.seeds // 5))
    print(f"{'no change, read every night':<34} {'':>9} {nightly:>7.1%}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
