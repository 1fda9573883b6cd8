"""What to change, by what was measured of host, generator and observer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from harness.judge import advice
from harness.judge.check import CheckContext
from harness.judge.host_interference import CORES, STEAL, STORAGE, Interference

BURNT = Interference(CORES, ((1.0, 2.0),), "made up", ("cc1", "ld"))
WRITTEN = Interference(STORAGE, ((1.0, 2.0),), "made up", ("dd",))
STOLEN = Interference(STEAL, ((1.0, 2.0),), "made up")
NAMELESS = Interference(CORES, ((1.0, 2.0),), "made up")


def case_of(
    monkeypatch: pytest.MonkeyPatch,
    *found: Interference,
    busy: float = 0.3,
    computed: float = 0.1,
    stopped: int = 0,
) -> CheckContext:
    """A run of one swarm process on two cores."""
    monkeypatch.setattr(advice, "host_interference", lambda _: found)
    processes = {
        name: SimpleNamespace(name=name, cpu_share=computed, stopped=stopped)
        for name in ("swarm-0", "observer")
    }
    figures = SimpleNamespace(
        host=SimpleNamespace(cores=2, busy_share=busy),
        processes=tuple(processes.values()),
        process=processes.get,
    )
    fake = SimpleNamespace(
        measurement=SimpleNamespace(vitals=figures),
        plan=SimpleNamespace(load=SimpleNamespace(processes=1)),
    )
    return cast("CheckContext", fake)


@pytest.mark.parametrize(
    ("found", "busy", "text"),
    [
        ((BURNT, WRITTEN), 0.3, "end cc1, ld during the run, or use a host with more cores"),
        ((WRITTEN,), 0.3, "end dd during the run, or use a host with storage of its own"),
        ((STOLEN,), 1.0, "use a host whose cores other guests do not use"),
        ((NAMELESS,), 0.3, "end the programs of others during the run"),
        ((), 0.9, "2 cores of this host were 90 % busy: set a lower --rate"),
        ((), 0.89, ""),
    ],
)
def test_what_the_host_lacked(
    found: tuple[Interference, ...], busy: float, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs by name, else the load of its own; nothing where the host was idle."""
    message = advice.host_advice(case_of(monkeypatch, *found, busy=busy))
    assert message.startswith(text)
    assert bool(message) is bool(text)


def test_a_saturated_generator_gets_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else was there; one with cores left is not asked to end anything."""
    saturated = case_of(monkeypatch, BURNT, computed=0.9)
    assert advice.generator_advice(saturated) == "set load.processes=2, or a lower --rate"
    assert "cc1" in advice.generator_advice(case_of(monkeypatch, BURNT, computed=0.89))
    assert "faster disk" in advice.generator_advice(case_of(monkeypatch))


def test_what_kept_the_observer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal, its own work, the host, or what its log tells."""
    stopped = case_of(monkeypatch, BURNT, stopped=1, computed=1.0)
    assert "SIGSTOP" in advice.observer_advice(stopped)
    assert "whole core" in advice.observer_advice(case_of(monkeypatch, BURNT, computed=0.9))
    assert "cc1" in advice.observer_advice(case_of(monkeypatch, BURNT, computed=0.89))
    assert "logs/observer.log" in advice.observer_advice(case_of(monkeypatch))
