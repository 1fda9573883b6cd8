"""Real runs that are spoiled on purpose: INVALID with the reason each time, never PASS."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.cli.judge import judge_folder
from harness.errors import Exit
from tests.stack import spoiled_runs
from tests.stack.running import Started
from tests.stack.spoiled_runs import Spoiled

pytestmark = [pytest.mark.stack, pytest.mark.alone, pytest.mark.timeout(300)]

Begin = Callable[[Path], tuple[Started, Callable[[], None]]]
Runs = dict[str, Spoiled | str]


def spoil(begin: Begin, place: Path, keep: Path | None = None) -> Spoiled:
    """One run from its beginning to its end."""
    return spoiled_runs.end(*begin(place), keep)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Runs, each spoiled in its own way, or why one cannot be made here."""

    def on_small_disk() -> Spoiled:
        with spoiled_runs.small_disk(disk) as place:
            return spoil(spoiled_runs.begin_fill, place, keep)

    disk, keep = tmp_path_factory.mktemp("disk"), tmp_path_factory.mktemp("kept")
    missing = {
        "stepped": spoiled_runs.why_no_faketime(),
        "full": spoiled_runs.why_no_disk(disk),
    }
    jobs: dict[str, Callable[[], Spoiled]] = {
        "paused": lambda: spoil(spoiled_runs.begin_pause, tmp_path_factory.mktemp("paused")),
        "stepped": lambda: spoil(spoiled_runs.begin_step, tmp_path_factory.mktemp("stepped")),
        "full": on_small_disk,
        "clean": lambda: spoil(spoiled_runs.begin_clean, tmp_path_factory.mktemp("clean")),
    }
    # Two at a time: more of them would starve each other.
    with ThreadPoolExecutor(2) as pool:
        under_way = {name: pool.submit(job) for name, job in jobs.items() if not missing.get(name)}
    ended: Runs = {name: job.result() for name, job in under_way.items()}
    return ended | {name: why for name, why in missing.items() if why}


def ended(runs: Runs, name: str) -> Spoiled:
    """A run of the fixture; the test is skipped where it could not be made."""
    found = runs[name]
    if isinstance(found, str):
        pytest.skip(found)
    return found


def check_invalid(run: Spoiled, **reasons: str) -> None:
    """It ended INVALID, its result too, for these reasons, and is so when judged again."""
    assert run.code == Exit.INVALID, run.output
    said = run.said()
    for name, words in reasons.items():
        assert words in said.get(name, ""), said
    stored = (run.folder / "result.json").read_text(encoding="utf-8")
    assert json.loads(stored)["verdict"] == "INVALID"
    assert judge_folder(run.folder) == Exit.INVALID
    assert (run.folder / "result.json").read_text(encoding="utf-8") == stored


def test_starved_generator(tmp_path: Path) -> None:
    """Another process takes the swarm's core: late, and the judgement says what it lacked."""
    if why := spoiled_runs.why_no_hog():
        pytest.skip(why)
    run = spoiled_runs.starve(tmp_path)
    check_invalid(
        run,
        generator_cpu="swarm-0 was starved: it waited for a core for",
        generator_stalls="overslept by",
    )
    late = run.said()["generator_lag_p99"]
    assert "the generator was late" in late
    assert "of each second swarm-0 computed for" in late


def test_paused_observer(runs: Runs) -> None:
    """An observer that was stopped saw late; it is named, not the system."""
    check_invalid(
        ended(runs, "paused"),
        observer_stalls="the observer was stopped",
        observer_delay="the observer saw commits so late",
    )


def test_stepped_clock(runs: Runs) -> None:
    """A server's clock that was set is found, with how far it went."""
    check_invalid(ended(runs, "stepped"), clock_stable="postgres's clock stepped 1 time, by 2,")


def test_full_disk(runs: Runs) -> None:
    """What could be written stays, the verdict has its room, and the terminal says why."""
    run = ended(runs, "full")
    check_invalid(run, unplanned_events="No space left on device")
    assert "No space left on device" in run.output
    assert (run.folder / "journal" / "attempts-0.bin").stat().st_size > 0
    assert (run.folder / "final-tasks.bin").stat().st_size > 0


def test_histogram_overflow(runs: Runs, tmp_path: Path) -> None:
    """One sighting of a real run, moved beyond what a histogram holds, spoils it."""
    run = ended(runs, "clean")
    assert "histogram_range" not in run.said()
    folder = spoiled_runs.overflow(run.folder, tmp_path)
    assert judge_folder(folder) == Exit.INVALID
    said = Spoiled(Exit.INVALID, "", folder).said()["histogram_range"]
    assert said.startswith("beyond the histogram's range: 1 of measure lite latency")
    shutil.rmtree(folder)
