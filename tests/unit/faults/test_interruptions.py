"""Runs that are aborted in the middle of a fault, and the report of what is left."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.contract.names import Contract
from harness.faults.support import PROCESS_FAULT_SUPPORT, check_faults
from harness.scenario.fault_targets import AGENT_PREFIX
from tests.studies.faults.__main__ import FOLDERS, POSSIBLE, put_into
from tests.studies.faults.interruptions import Case, Outcome, cases, table
from tests.studies.faults.leftovers import Run, format_things, more, take_inventory

THINGS = st.dictionaries(
    st.sampled_from(["rules", "hogs", "mounts"]), st.frozensets(st.text("abc", max_size=2))
)


@pytest.mark.parametrize("stack", FOLDERS)
def test_each_kind_is_broken_off_once(stack: str) -> None:
    """Alone, soon after the beginning of a load that goes on beyond it."""
    possible = POSSIBLE[stack]
    found = cases(possible, FOLDERS[stack])
    assert [case.scenario.fault[0].kind for case in found] == sorted(possible.kinds)
    possible = replace(possible, services=possible.services | {f"{AGENT_PREFIX}1"})
    for case in found:
        check_faults(case.scenario, Contract(), stack, possible)
        (planned,) = case.scenario.planned_faults()
        assert case.lasts == (planned.for_ns > 0)
        (stretch,) = case.scenario.load.measured_stretches_ns()
        assert planned.end_ns + 9 * NS_PER_S < stretch[1]


def test_only_what_was_asked_for_is_broken_off() -> None:
    """By its kind."""
    assert [case.name for case in cases(PROCESS_FAULT_SUPPORT, FOLDERS["process"], ["kill"])] == [
        "kill postgres"
    ]


@given(THINGS)
def test_more_is_what_was_not_there_before(now: dict[str, frozenset[str]]) -> None:
    """Nothing is left where nothing was added; what was added is listed by its kind."""
    assert more(now, now) == {}
    assert more(now, {}) == {kind: things for kind, things in now.items() if things}
    for kind, things in more(now, {"rules": frozenset("a")}).items():
        assert things <= now[kind]
        assert kind != "rules" or "a" not in things


def test_a_process_with_the_mark_of_a_run_is_seen() -> None:
    """This one stands in for a run: it has itself no children, and the kernel lists it."""
    run = Run(1)
    run.processes[1] = 0
    assert any(line.startswith("1 ") for line in take_inventory(run, None)["processes"])


def outcome(left: dict[str, frozenset[str]], code: int = 4, trouble: str = "") -> Outcome:
    """An interruption that left this."""
    (case,) = cases(PROCESS_FAULT_SUPPORT, FOLDERS["process"], ["pause"])
    assert isinstance(case, Case)
    then = {"stopped": frozenset({"7", "8"})}
    return Outcome(case, signal.SIGINT, "2.0 s after injection", then, code, left, 0.0, trouble)


def test_a_line_has_what_is_left() -> None:
    """And how many of each."""
    good, bad = outcome({}), outcome({"rules": frozenset({"a", "b"})})
    assert (good.is_good, bad.is_good) == (True, False)
    _, _, first, second = table([good, bad]).splitlines()
    assert first == (
        "| process | pause postgres | Ctrl-C | 2.0 s after injection | 2 stopped | 4 | nothing |"
    )
    assert second.endswith("| 4 | 2 rules |")


@pytest.mark.parametrize("code", [0, 2, 5, -9])
def test_another_end_is_no_proof(code: int) -> None:
    """A run that finished by itself, or could not, was not interrupted."""
    assert not outcome({}, code).is_good
    assert not outcome({}, trouble="the probe saw nothing of it").is_good


def test_text_for_nothing() -> None:
    """A text and no empty cell."""
    assert format_things({}) == "nothing"


def test_each_table_has_its_place(tmp_path: Path) -> None:
    """One is replaced, the other stays."""
    path = tmp_path / "page.md"
    path.write_text(
        "a\n<!-- one -->\nold\n<!-- end of table -->\nb\n<!-- two -->\nkept\n"
        "<!-- end of table -->\nc\n"
    )
    put_into(path, "<!-- one -->\n", "new\n")
    assert path.read_text() == (
        "a\n<!-- one -->\nnew\n<!-- end of table -->\nb\n<!-- two -->\nkept\n"
        "<!-- end of table -->\nc\n"
    )
