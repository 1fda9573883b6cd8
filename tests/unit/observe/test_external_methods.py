"""Methods of other packages: found by name, typed settings, bounds, and errors with their name."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, SecretStr

from harness.clock import ManualClock
from harness.contract.names import Contract
from harness.contract.observation import (
    ExternalMethodName,
    ObservationMethod,
    ObservationSettings,
    method_of,
)
from harness.errors import StackError, UsageError
from harness.observe import method_registry
from harness.observe.method import (
    BATCH_MAX,
    DELAY_MAX_LIMIT_NS,
    Batch,
    MethodDefinition,
    ObservationContext,
    Sighting,
    SourceLost,
)
from harness.observe.method_registry import InstalledMethod, find_method, load_definition
from harness.observe.plan import ObserverPlan
from harness.observe.source_watcher import SourceWatcher
from harness.observe.watcher import WatcherLost

TRACE = str(uuid.UUID(int=(7 << 80) | (1 << 64) | 5))
DELAY_NS = 1_000
METHOD = InstalledMethod(
    EntryPoint(
        "fake", "tests.unit.observe.test_external_methods:DEFINITION", method_registry.GROUP
    ),
    "fake-package 2.1",
)


class Settings(BaseModel):
    """One key, typed."""

    model_config = ConfigDict(extra="forbid")

    topic: str = "changes"


class FakeSource:
    """Returns what the test puts into `batches`; raises what is an error."""

    def __init__(self, clock: ManualClock, *batches: Batch | Exception | Any) -> None:
        self.clock = clock
        self.batches = list(batches)
        self.positions: list[str] = []

    def open(self, position: str) -> None:
        self.positions.append(position)

    def read(self, timeout_ns: int) -> Any:
        self.clock.sleep_ns(timeout_ns)
        one = self.batches.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    def close(self) -> None:
        pass


def definition(make: Callable[..., Any], **changes: Any) -> MethodDefinition:
    """A method that misses nothing, with changes."""
    values: dict[str, Any] = {
        "settings": Settings,
        "make_source": make,
        "misses_nothing": True,
        "delay_max_ns": DELAY_NS,
    }
    return MethodDefinition(**values | changes)


DEFINITION = definition(lambda *_: None)


def watcher_of(source: FakeSource, clock: ManualClock, **changes: Any) -> SourceWatcher:
    """The watcher of a fake source."""
    seen = ObservationSettings(way=ExternalMethodName("fake"), settings={"topic": "t"})
    plan = ObserverPlan(
        observer_dsn=SecretStr("host=127.0.0.1"),
        redis_url=SecretStr("redis://u:top%2Fsecret@127.0.0.1:1/0"),
        contract=Contract(seen=seen),
        run_tag=7,
        folder=Path(),
        method=seen.way,
    )
    made = definition(lambda *_: source, **changes)
    return SourceWatcher(METHOD, made, plan, clock)


@pytest.fixture
def clock() -> ManualClock:
    """At a time far from zero."""
    return ManualClock(1_000_000)


def test_a_name_is_kept_through_json() -> None:
    """A plan and a stored contract name the method; no package is needed to read them."""
    contract = Contract(seen=ObservationSettings(way=ExternalMethodName("kafka_like")))
    again = Contract.model_validate_json(contract.model_dump_json())
    assert again == contract
    assert again.seen.way.value == "kafka_like"
    assert method_of("polling") is ObservationMethod.POLLING


@pytest.mark.parametrize("name", ["", "Upper", "a b", "../x", "a" * 65, 3, None])
def test_no_method_has_such_a_name(name: Any) -> None:
    """It is a word of a file, and goes into messages."""
    with pytest.raises(ValueError, match="observation method"):
        method_of(name)


def test_an_unknown_method_names_the_nearest() -> None:
    """No package has it."""
    with pytest.raises(UsageError) as caught:
        find_method("poling")
    assert "'polling'" in caught.value.hint


def test_finding_loads_nothing_and_two_packages_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A module that does not exist is found by name; it fails when it is loaded."""
    entries = [EntryPoint("gone", "no_such_module_here:METHOD", method_registry.GROUP)]

    class Entries(list[EntryPoint]):
        names = frozenset({"gone"})

    monkeypatch.setattr(method_registry, "entry_points", lambda **_: Entries(entries))
    monkeypatch.setattr(method_registry, "_package", lambda entry: entry.value)
    found = find_method("gone")
    assert not found.is_built_in
    with pytest.raises(UsageError, match="ModuleNotFoundError"):
        load_definition(found)
    entries.append(EntryPoint("gone", "another:METHOD", method_registry.GROUP))
    with pytest.raises(UsageError, match="both register"):
        find_method("gone")


def test_what_is_loaded_has_to_be_a_definition() -> None:
    """Else its type is named."""
    entry = EntryPoint("fake", "json:dumps", method_registry.GROUP)
    with pytest.raises(UsageError, match="function"):
        load_definition(InstalledMethod(entry, "fake-package 2.1"))
    assert load_definition(METHOD) is DEFINITION


def test_the_bounds_of_a_definition() -> None:
    """The drain waits for the delay, so it is limited."""
    for changes in ({"delay_max_ns": DELAY_MAX_LIMIT_NS + 1}, {"delay_max_ns": -1}):
        with pytest.raises(ValueError, match="delay_max_ns"):
            definition(lambda: None, **changes)
    with pytest.raises(ValueError, match="commit_error_ns"):
        definition(lambda: None, commit_error_ns=-1)


def test_sightings_become_row_versions(clock: ManualClock) -> None:
    """A commit time is moved by its error, and what cannot be read is counted."""
    sightings = [
        Sighting(TRACE, "SIMULATED", 5_000),
        Sighting("x", "SIMULATED"),
        Sighting(TRACE, "INIT"),
    ]
    source = FakeSource(clock, Batch(sightings, position="9"), SourceLost("cut"))
    watcher = watcher_of(source, clock, commit_error_ns=1_500)
    watcher.open(0)
    versions = watcher.poll(50)
    assert [(one.status, one.commit_us) for one in versions] == [("SIMULATED", 4_998), ("INIT", 0)]
    assert watcher.unreadable == 1
    assert versions[0].xid != versions[1].xid
    with pytest.raises(WatcherLost):
        watcher.poll(50)
    watcher.open(0)
    assert source.positions == ["", "9"]


@given(
    batches=st.lists(st.tuples(st.booleans(), st.integers(-5_000, 5_000)), min_size=1, max_size=20)
)
def test_bounds_are_never_later_than_the_truth(batches: list[tuple[bool, int]]) -> None:
    """Seen lies within the read; what is covered never passes its begin minus the delay."""
    clock = ManualClock(1_000_000)
    made = [Batch([], clock.now_ns() + offset, "", complete) for complete, offset in batches]
    watcher = watcher_of(FakeSource(clock, *made), clock)
    watcher.open(0)
    covered_ns = watcher.covered_ns
    for complete, _ in batches:
        begin_ns = clock.now_ns()
        watcher.poll(70)
        assert begin_ns <= watcher.seen_ns <= clock.now_ns()
        expected = begin_ns - DELAY_NS if complete else covered_ns
        assert watcher.covered_ns == max(covered_ns, expected)
        covered_ns = watcher.covered_ns


def test_the_drain_waits_for_the_delay(clock: ManualClock) -> None:
    """Only an empty, complete read that began after it shows that nothing is left."""
    source = FakeSource(clock, *[Batch([], is_complete=True)] * 4)
    watcher = watcher_of(source, clock)
    watcher.open(0)
    assert not watcher.has_all(42)
    answers = []
    for _ in range(4):
        watcher.poll(600)
        answers.append(watcher.has_all(42))
    assert answers == [False, False, True, True]


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (RuntimeError("at redis://u:top%2Fsecret@h and top/secret"), "RuntimeError"),
        ([], "not Batch"),
        (Batch([Sighting(TRACE, "INIT")] * (BATCH_MAX + 1)), "more than"),
        (Batch([Sighting(TRACE, "INIT", 1 << 70)]), "commit_us"),
        (Batch([Sighting(TRACE, "INIT", "soon")]), "TypeError"),  # type: ignore[arg-type]
    ],
)
def test_an_error_of_the_package_has_its_name_and_no_password(
    made: Any, text: str, clock: ManualClock
) -> None:
    """It ends the observation as an error of the stack, whatever it was."""
    watcher = watcher_of(FakeSource(clock, made), clock)
    watcher.open(0)
    with pytest.raises(StackError) as caught:
        watcher.poll(10)
    message = str(caught.value)
    assert "fake of fake-package 2.1 failed" in message
    assert text in message
    assert "secret" not in message


def test_a_context_hides_the_password() -> None:
    """In a traceback or a log of a package."""
    assert "secret" not in repr(ObservationContext(Contract(), "redis://:secret@h", lambda: 0))
