"""What services count is held against what became of the signals, or is said not to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.contract.names import State
from harness.judge.check import Check, CheckKind
from harness.judge.verdict import Status, Verdict
from tests.unit.analysis.evidence import World, healthy, load_of
from tests.unit.analysis.service_counters import counters_of
from tests.unit.judge import violations
from tests.unit.judge.assessing import assessed, unclean

NAME = "mode_counters"
Page = dict[str, Any]


def reported(world: World) -> Page:
    """What the services tell, to be changed."""
    world.counters = counters_of(world)
    return world.counters


def add(page: Page, status: str, mode: str, number: int) -> None:
    """The engine counts so many more."""
    for row in page["engine"]["signals"]:
        if (row["status"], row["mode"]) == (status, mode):
            row["count"] += number
            return
    page["engine"]["signals"].append({"status": status, "mode": mode, "count": number})


def check_of(world: World, reports: Path) -> tuple[Check, dict[str, Verdict]]:
    """The check, and everything that is not clean."""
    found = assessed(world, reports)
    return next(c for c in found.judgement.checks if c.id == NAME), unclean(found)


def test_both_modes_and_rejections_are_counted(tmp_path: Path) -> None:
    """A healthy run with all of them, warm-up included, and counts from before the run."""
    world = healthy(full_every=3, stale_every=40)
    check, bad = check_of(world, tmp_path)
    assert (check.kind, check.status, bad) == (CheckKind.INTEGRITY, Status.PASS, {})
    assert check.message.startswith(f"{len(world.attempts[0]):,} signals counted")


CHANGES: list[tuple[str, tuple[tuple[str, str, int], ...], str]] = [
    ("label", (("SIMULATED", "lite", -1), ("SIMULATED", "full", 1)), "SIMULATED full: "),
    ("fewer", (("SIMULATED", "lite", -1),), "SIMULATED lite: "),
    ("more", (("SIMULATED", "lite", 1),), "SIMULATED lite: "),
    ("no such mode", (("SIMULATED", "turbo", 1),), "SIMULATED turbo: 1 counted, 0 were"),
    ("no such end", (("INVARIANT_BROKEN", "lite", 1),), "INVARIANT_BROKEN lite: 1 counted, 0"),
    (
        "other reason",
        (("STALE_DATA_ERROR", "lite", -1), ("INVARIANT_BROKEN", "lite", 1)),
        "STALE_DATA_ERROR lite: ",
    ),
]


@pytest.mark.parametrize(("changes", "text"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_signal_reported_as_another(
    changes: tuple[tuple[str, str, int], ...], text: str, tmp_path: Path
) -> None:
    """One signal is enough, and no other check is red."""
    world = healthy(full_every=3, stale_every=40)
    after = reported(world)["after"]
    for change in changes:
        add(after, *change)
    check, bad = check_of(world, tmp_path)
    assert bad == {NAME: Verdict.FAIL}
    assert check.figures == {"told_otherwise": 1}
    assert text in check.message


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moved=st.integers(1, 20), more=st.integers(0, 20))
def test_as_many_as_were_moved(moved: int, more: int, tmp_path: Path) -> None:
    """Signals under a wrong label are counted once, and those counted for nothing as well."""
    world = healthy(load_of(agents=2, rate=20.0, duration_s=3.0, warmup_s=1.0))
    after = reported(world)["after"]
    add(after, "SIMULATED", "lite", -moved)
    add(after, "SIMULATED", "full", moved + more)
    check, _ = check_of(world, tmp_path)
    assert check.figures == {"told_otherwise": moved + more}


def drop_file(world: World) -> None:
    """An older harness wrote none."""
    world.counters = {}
    world.run["kept"] = [name for name in world.run["kept"] if name != "metrics.json"]


def no_counts(world: World) -> None:
    """A system without such counts."""
    reported(world).update({when: {"engine": {"signals": None}} for when in ("before", "after")})


def unread(when: str) -> Callable[[World], None]:
    """The engine's page could not be read."""

    def change(world: World) -> None:
        reported(world)[when]["engine"] = {"error": "timed out"}

    return change


def started_again(world: World) -> None:
    """The engine counts from 0 again, and nobody saw why."""
    reported(world)["after"]["engine"]["signals"] = [
        {"status": "SIMULATED", "mode": "lite", "count": 1}
    ]


def no_pages(world: World) -> None:
    """A system whose pages nobody knows."""
    reported(world).update({"before": {}, "after": {}})


def other_words(world: World) -> None:
    """Ends that the contract does not know, and signals of which nobody can tell the mode."""
    after = reported(world)["after"]
    add(after, "ARCHIVED", "lite", 7)
    add(after, State.MALFORMED.name, "lite", 7)


UNJUDGED: list[tuple[Callable[[World], None], str | None]] = [
    (drop_file, "not_recorded"),
    (no_counts, "not_recorded"),
    (no_pages, "not_recorded"),
    (unread("before"), "unreadable"),
    (unread("after"), "unreadable"),
    (started_again, "service_restarted"),
    (other_words, None),
]


@pytest.mark.parametrize(("change", "reason"), UNJUDGED)
def test_what_cannot_be_known_is_not_judged(
    change: Callable[[World], None], reason: str | None, tmp_path: Path
) -> None:
    """It raises no alarm, and says why."""
    world = healthy()
    change(world)
    check, bad = check_of(world, tmp_path)
    assert bad == {}
    assert check.status is (Status.NOT_APPLICABLE if reason else Status.PASS)
    assert check.figures.get("reason") == reason


def test_a_run_that_keeps_counts_must_have_them(tmp_path: Path) -> None:
    """What the run says that it wrote, and is not there, has been lost."""
    world = healthy()
    world.counters = {}
    assert check_of(world, tmp_path)[1] == {"evidence_complete": Verdict.INVALID}


@pytest.mark.parametrize("change", [violations.lose, lambda w: w.event("service_restarted")])
def test_open_ends_and_restarts_leave_no_count_to_hold(
    change: Callable[[World], None], tmp_path: Path
) -> None:
    """A signal without an end may be counted already; a service that restarts counts from 0."""
    world = healthy()
    change(world)
    add(reported(world)["after"], "SIMULATED", "lite", 1)
    check, bad = check_of(world, tmp_path)
    assert check.status is Status.NOT_APPLICABLE
    assert bad


def test_a_restart_that_only_the_stack_tells_of_is_one(tmp_path: Path) -> None:
    """A run that is broken off ends before anybody looked at the services again."""
    world = healthy()
    add(reported(world)["after"], "SIMULATED", "lite", 1)
    assert check_of(world, tmp_path)[0].status is Status.FAIL
    world.stack = {**world.stack, "services": {"redis": {"restarts": 0}, "engine": {"restarts": 1}}}
    check, _ = check_of(world, tmp_path / "again")
    assert check.status is Status.NOT_APPLICABLE
    assert check.figures == {"reason": "service_restarted"}
