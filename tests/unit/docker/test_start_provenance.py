"""The start of containers is reported as it happens, and what goes wrong has one clear message."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from harness.cli.console import PIPE_WIDTH, startup_sink
from harness.clock import NS_PER_S, ManualClock
from harness.errors import Exit, StackError, UsageError
from harness.stack.compose_file import ContainerSpec
from harness.stack.docker.client import EngineError
from harness.stack.docker.container_supervisor import ContainerSupervisor
from harness.stack.docker.containers import Containers, PortInUseError
from harness.stack.docker.error_causes import Cause
from harness.stack.docker.explain import Failure, explain
from harness.stack.docker.provenance import cpu_shortage
from harness.stack.docker.readiness import await_ready
from harness.stack.docker.settings import read_zones
from harness.stack.settings import ROOT
from harness.stack.startup import StartupEvent, StartupStep
from tests.unit.docker.samples import PLACE, spec

RUNNING = {"Status": "running", "Running": True, "OOMKilled": False, "ExitCode": 0}


class Fleet:
    """Containers that become healthy, or end, at given times (in seconds)."""

    def __init__(self, healthy_at_s: Mapping[str, float], **state: Any) -> None:
        self.clock = ManualClock()
        self.place = PLACE
        self.ready: list[tuple[str, float]] = []
        self.log = ""
        self.restarts = 0
        self._healthy_at_s = healthy_at_s
        self._state = RUNNING | state

    def now_s(self) -> float:
        return self.clock.now_ns() / NS_PER_S

    def execute(self, name: str, command: list[str]) -> tuple[int, str]:
        assert command == ["ask"]
        at_s = self._healthy_at_s.get(name.rpartition("-")[2], 10**9)
        return int(self.now_s() < at_s), ""

    def state_and_restarts(self, name: str) -> tuple[dict[str, Any], int]:
        del name
        return self._state, self.restarts

    def logs(self, name: str, lines: int) -> str:
        del name, lines
        return self.log

    # What is tried is the real one.
    error: Callable[..., StackError] = Containers.error

    def wait(self, *names: str, timeout_s: float = 60) -> None:
        def on_ready(one: ContainerSpec) -> None:
            self.ready.append((one.name, round(self.now_s(), 1)))

        specs = [spec(name=name) for name in names]
        containers: Any = self
        await_ready(containers, specs, self.clock, round(timeout_s * NS_PER_S), on_ready)


def test_each_service_is_reported_when_it_is_ready() -> None:
    """Not in the order of the file, and no later because another one takes long."""
    fleet = Fleet({"slow": 7.0, "quick": 0.5, "middling": 3.0})
    fleet.wait("slow", "quick", "middling")
    assert fleet.ready == [("quick", 0.5), ("middling", 3.0), ("slow", 7.0)]


def test_who_is_never_ready_is_named() -> None:
    """And not who was."""
    fleet = Fleet({"quick": 0.5})
    with pytest.raises(StackError, match=r"never: was not ready after 2\.0 s"):
        fleet.wait("quick", "never", timeout_s=2)
    assert fleet.now_s() < 2.3


def test_who_cannot_be_asked_is_not_waited_for() -> None:
    """No health check and no port with metrics."""
    fleet, silent = Fleet({}), spec(name="silent", health=None)
    containers: Any = fleet
    await_ready(containers, [silent], fleet.clock, NS_PER_S, lambda _: None)
    assert fleet.now_s() == 0


@pytest.mark.parametrize("status", ["restarting", "exited"])
def test_a_container_killed_at_its_memory_limit(status: str) -> None:
    """Seen at once, while its policy restarts it: the engine calls that running."""
    fleet = Fleet({}, Status=status, OOMKilled=True, ExitCode=137)
    with pytest.raises(StackError, match="killed by the kernel at its memory limit of 8,192 MiB"):
        fleet.wait("hungry")
    assert fleet.now_s() == 0


def test_a_kill_that_may_have_been_for_memory() -> None:
    """The flag is gone after a restart; the exit code stays."""
    fleet = Fleet({}, Status="exited", ExitCode=137)
    fleet.restarts = 2
    with pytest.raises(StackError, match=r"(?s)ended 3 times with 137.*SIGKILL.*8,192 MiB"):
        fleet.wait("hungry")


@pytest.mark.parametrize(
    ("log", "hint"),
    [
        ("exec /usr/bin/engine: exec format error", "build it for this machine"),
        ("FATAL: could not write: No space left on device", "docker system df"),
        ("bind: address already in use", "its image is team/engine:1"),
    ],
)
def test_the_log_of_a_container_may_tell_why(log: str, hint: str) -> None:
    """Only causes that lie with image, disk and memory; a service's own troubles are its own."""
    fleet = Fleet({}, Status="exited", ExitCode=1)
    fleet.log = log
    with pytest.raises(StackError) as raised:
        fleet.wait("engine")
    assert log in raised.value.what
    assert raised.value.hint.endswith(hint) or hint in raised.value.hint
    assert "ss -ltnp" not in raised.value.hint


class Yard:
    """Stands for `Containers`; whoever starts finds the port in use so many times."""

    def __init__(self, used: int) -> None:
        self.place = PLACE
        self.starts = 0
        self._used = used

    def start(self, one: ContainerSpec, instance: int) -> str:
        self.starts += 1
        if self.starts <= self._used:
            raise PortInUseError("a port of this host is in use", where=one.name, hint="ss -ltnp")
        return self.place.mark.name(f"{one.name}-{instance}" if instance else one.name)


def supervisor_of(
    yard: Yard, events: list[StartupEvent], chosen: Mapping[str, int]
) -> ContainerSupervisor:
    """A supervisor over it."""
    containers: Any = yard
    return ContainerSupervisor(None, containers, chosen, NS_PER_S, ManualClock(), events.append)


def test_a_start_is_reported_once_however_many_ports_are_tried() -> None:
    """Another program is faster on two ports; agents have numbers."""
    events: list[StartupEvent] = []
    supervisor_of(Yard(2), events, {}).start(spec(name="python-agent"), 3)
    assert events == [StartupEvent(StartupStep.STARTED, "python-agent-3")]


def test_a_chosen_port_in_use_is_wrong_usage() -> None:
    """No other one is tried, and the advice stays."""
    events: list[StartupEvent] = []
    yard = Yard(1)
    with pytest.raises(UsageError, match=r"(?s)python-agent: a port .*ss -ltnp") as raised:
        supervisor_of(yard, events, {"python-agent": 16_379}).start(spec(name="python-agent"))
    assert raised.value.exit_code is Exit.USAGE
    assert (yard.starts, events) == (1, [])


class Refusing:
    """Stands for a container that the engine does not start."""

    def __init__(self, message: str) -> None:
        self._message = message

    def start(self) -> None:
        raise EngineError(explain(Failure(self._message, 500)), "engine")

    def get_docker_client(self) -> Any:
        return SimpleNamespace(client=SimpleNamespace(close=lambda: None))


@pytest.mark.parametrize(
    ("message", "is_port"),
    [
        ("pasta failed: Failed to bind port 8443 (Address already in use)", True),
        ("Bind for 127.0.0.1:8443 failed: port is already allocated", True),
        ("no space left on device", False),
    ],
)
def test_a_port_in_use_is_known_by_its_cause(
    monkeypatch: pytest.MonkeyPatch, message: str, is_port: bool
) -> None:
    """Whichever text reports it; the half-made container goes away."""
    removed: list[str] = []
    api = SimpleNamespace(
        images=lambda name: [],  # noqa: ARG005 - docker-py's own name of the argument
        remove_container=lambda name, **_: removed.append(name),
    )
    made = Containers(SimpleNamespace(api=api), PLACE, (), ManualClock())
    monkeypatch.setattr(
        "harness.stack.docker.containers.as_container", lambda *_: Refusing(message)
    )
    with pytest.raises(EngineError if not is_port else PortInUseError) as raised:
        made.start(spec(name="engine"))
    assert raised.value.hint
    assert bool(removed) is is_port
    if isinstance(raised.value, EngineError):
        assert raised.value.cause is Cause.DISK_FULL


def test_a_pipe_gets_the_same_plain_lines() -> None:
    """One for each event, never wrapped, and no name counts as markup."""
    out = io.StringIO()
    console = Console(file=out, width=PIPE_WIDTH, highlight=False)
    on_event = startup_sink(console)
    on_event(StartupEvent(StartupStep.NOTE, "the host has few CPUs " * 10))
    on_event(StartupEvent(StartupStep.IMAGE_PRESENT, "[red]x:1"))
    on_event(StartupEvent(StartupStep.BUILDING, "a:1"))
    on_event(StartupEvent(StartupStep.BUILDING, "a:1", 5 * NS_PER_S))
    on_event(StartupEvent(StartupStep.BUILT, "a:1", 6 * NS_PER_S))
    on_event(StartupEvent(StartupStep.STARTED, "redis"))
    on_event(StartupEvent(StartupStep.READY, "redis", 1_230_000_000))
    assert out.getvalue().splitlines()[1:] == [
        "  image [red]x:1: present",
        "  image a:1: building",
        "  image a:1: building, 5.0 s so far",
        "  image a:1: built in 6.0 s",
        "  redis: started",
        "  redis: ready after 1.2 s",
    ]


def test_too_few_cpus_are_one_sentence() -> None:
    """The reason of the grade; none where every quota has its cores."""
    variables = {"REDIS_PASSWORD": "-", "POSTGRES_PASSWORD": "-"}
    zone = read_zones(ROOT / "compose", variables).b
    sentence = cpu_shortage(zone.services, 2)
    assert "2 CPUs" in sentence
    assert "13.5" in sentence
    assert "a PASS holds for this slower host" in sentence
    assert cpu_shortage(zone.services, 14) == ""
    assert "\n" not in sentence
