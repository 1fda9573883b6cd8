"""A clock that is set: only where it can be, proven by the time that the service reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.clock import NS_PER_S, ManualClock
from harness.errors import StackError, UsageError
from harness.faults.kinds import clock_step
from harness.faults.kinds.clock_step import ClockInjector, ClockProbe, ClockStep, variable_of
from harness.process import faketime
from harness.process.faketime import FILE_VARIABLE, ahead, sweep_shared, variables
from harness.process.program import Program
from harness.stack.base import ServiceState
from harness.stack.process import services
from harness.stack.process.services import need_clocks, with_clock
from harness.stack.settings import StackSettings

NOW_S = 1_700_000_000


def state(*, alive: bool = True) -> tuple[ServiceState, ...]:
    """The engine now."""
    return (ServiceState(name="engine", pid=7, alive=alive, restarts=0, last_exit=None),)


def test_the_step_stands_in_the_file_and_is_reverted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its folder has no other file: it is replaced and never half written."""
    file = tmp_path / "clock"
    file.write_text(ahead(0), encoding="ascii")
    monkeypatch.setattr(clock_step, "variable_of", lambda *_: str(file))
    injector = ClockInjector(state, "engine", -60.0)
    injector.heal()  # nothing to undo yet
    injector.inject()
    assert file.read_text(encoding="ascii") == "-60.000\n"
    injector.heal()
    assert file.read_text(encoding="ascii") == "+0.000\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_clock_that_was_not_made_for_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that does not run has none."""
    monkeypatch.setattr(clock_step, "variable_of", lambda *_: "")
    with pytest.raises(StackError, match="can be set"):
        ClockInjector(state, "engine", 60.0).inject()
    with pytest.raises(StackError, match="does not run"):
        ClockInjector(lambda: state(alive=False), "engine", 60.0).inject()


def test_a_process_tells_what_it_was_started_with(tmp_path: Path) -> None:
    """By the kernel's list, whole names only."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "environ").write_bytes(b"NOT_A=1\0A=/some/place\0")
    assert variable_of(7, "A", tmp_path) == "/some/place"
    assert variable_of(7, "B", tmp_path) == ""
    assert variable_of(8, "A", tmp_path) == ""


@pytest.mark.parametrize(
    ("reported", "holds", "ended"),
    [(0, False, True), (300, True, False), (299, True, False), (290, False, False)],
)
def test_the_time_that_the_service_reports_is_the_proof(
    reported: float, holds: bool, ended: bool
) -> None:
    """To the second."""
    times = [float(NOW_S), NOW_S + reported, NOW_S + reported]
    clock = ManualClock(wall_ns=NOW_S * NS_PER_S)
    probe = ClockProbe(lambda: times.pop(0), lambda: "it answers", 300.0, clock)
    probe.before()
    assert (bool(probe.holds()), bool(probe.ended())) == (holds, ended)


@pytest.mark.parametrize(
    ("reported", "text"), [(None, "does not report"), (NOW_S - 60.0, "-60.0 s off")]
)
def test_a_clock_that_is_wrong_before_proves_nothing(reported: float | None, text: str) -> None:
    """Nor one that is not reported."""
    clock = ManualClock(wall_ns=NOW_S * NS_PER_S)
    with pytest.raises(StackError, match=text):
        ClockProbe(lambda: reported, None, 300.0, clock).before()


@given(step_s=st.floats(-86_400, 86_400))
def test_a_step_has_a_sign_and_no_exponent(step_s: float) -> None:
    """As the library reads it."""
    text = ahead(step_s)
    assert text[0] in "+-"
    assert float(text) == pytest.approx(step_s, abs=0.001)
    assert "e" not in text


def test_what_the_library_leaves_of_a_process_is_removed(tmp_path: Path) -> None:
    """And nothing of another one."""
    for name in ("faketime_shm_7", "sem.faketime_sem_7", "faketime_shm_77"):
        (tmp_path / name).touch()
    sweep_shared(7, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["faketime_shm_77"]
    sweep_shared(7, tmp_path)


def test_a_program_with_a_clock_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The wall clock alone, right at first, and by a file of its own folder."""
    monkeypatch.setattr(services, "find_library", lambda: "/lib/it.so")
    program = Program("engine", ("run",), tmp_path, tmp_path / "log", (("A", "1"),))
    found = dict(with_clock(program).env)
    assert found["A"] == "1"
    assert found == {"A": "1", **dict(variables("/lib/it.so", tmp_path / "clock"))}
    assert Path(found[FILE_VARIABLE]).read_text(encoding="ascii") == "+0.000\n"
    assert found["FAKETIME_DONT_FAKE_MONOTONIC"] == "1"


def test_a_host_without_the_library_is_reported_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it matters."""
    monkeypatch.setattr(services, "find_library", lambda: "")
    need_clocks(StackSettings())
    with pytest.raises(UsageError, match="libfaketime"):
        need_clocks(StackSettings(stepped=frozenset({"engine"})))


def test_the_library_is_looked_for_where_systems_put_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With and without the folder of an architecture."""
    monkeypatch.setattr(faketime, "_PLACES", (tmp_path,))
    assert faketime.find_library() == ""
    place = tmp_path / "x86_64-linux-gnu" / "faketime"
    place.mkdir(parents=True)
    (place / "libfaketimeMT.so.1").touch()
    assert faketime.find_library() == str(place / "libfaketimeMT.so.1")


@pytest.mark.parametrize("step_s", [0.0, 2.9, -2.9, 1e6])
def test_a_step_must_show(step_s: float) -> None:
    """The time is reported in whole seconds."""
    fault: dict[str, Any] = {"kind": "clock_step", "target": "engine", "at_s": 1, "for_s": 1}
    with pytest.raises(ValidationError, match="step_s"):
        ClockStep.model_validate({**fault, "step_s": step_s})
