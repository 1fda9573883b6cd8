"""The running containers of one stack: starting them on free ports, counting what befalls them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError, UsageError
from harness.process.cgroup import read_limits
from harness.stack.base import ServiceState
from harness.stack.compose_file import ContainerSpec
from harness.stack.docker.client import Client, engine_errors, if_there
from harness.stack.docker.containers import Containers, PortInUseError
from harness.stack.docker.engine_events import EventCounters, EventListener
from harness.stack.docker.labels import RUN, SERVICE
from harness.stack.docker.options import instance_name
from harness.stack.docker.readiness import await_ready
from harness.stack.docker.settings import published_port
from harness.stack.ports import claim, release_ports
from harness.stack.startup import StartupEvent, StartupSink, StartupStep, ignore_event

_Item = TypeVar("_Item")

_AT_ONCE = 4
# Starting computes, and signals may flow meanwhile; ending is waiting.
_SCALED_AT_ONCE = min(16, max(2, os.cpu_count() or 1))
_RETIRED_AT_ONCE = 16
_PORT_TRIES_MAX = 3
_LOG_LINES_KEPT = 20_000
_EVENT_MAX_NS = 2 * NS_PER_S
_EVENT_POLL_NS = 20 * NS_PER_MS
# An agent that is retired leaves its consumer group first.
_RETIRE_S = 10
# An end by hand may be the first half of a restart by hand.
_LOST_AFTER_NS = 5 * NS_PER_S


class ContainerSupervisor:
    """Containers and what the engine reports of them.

    Args:
        client: the engine.
        containers: makes and reaches them.
        ports: ports of this host by service that the user chose.
        ready_ns: the longest that one service may take to become ready.
        clock: time of readiness.
        on_event: receives each start, and each service that is ready.
    """

    def __init__(
        self,
        client: Client,
        containers: Containers,
        ports: Mapping[str, int],
        ready_ns: int,
        clock: Clock,
        on_event: StartupSink = ignore_event,
    ) -> None:
        self.containers = containers
        self._client = client
        self._chosen = ports
        self._ready_ns = ready_ns
        self._clock = clock
        self._on_event = on_event
        self._begun_ns: dict[str, int] = {}
        self._ports: dict[str, int] = {}
        self._pids: dict[str, int] = {}
        self._specs: dict[str, ContainerSpec] = {}
        self._lock = Lock()
        self._counters = EventCounters()
        self._listener = EventListener(
            containers.place.mark.token, self._counters, self._note_start
        )

    def listen(self) -> None:
        """Follow the engine's events from now on; before the first container."""
        self._listener.start()

    def close(self) -> None:
        """Stop following the events, and hold no file system any longer than its mounts do."""
        self._listener.stop()
        self.containers.disks.close()
        release_ports(self._ports.values())

    def port(self, service: str) -> int:
        """The port of this host on which a service is reached."""
        return self._ports[service]

    @property
    def ports(self) -> dict[str, int]:
        """Every published port by service."""
        return dict(self._ports)

    def start_all(self, specs: tuple[ContainerSpec, ...]) -> None:
        """Start services side by side and wait until each is healthy.

        Raises:
            StackError: one is not; with its last log lines.
        """
        _side_by_side(self.start, specs)

        def on_ready(spec: ContainerSpec) -> None:
            took_ns = self._clock.now_ns() - self._begun_ns[spec.name]
            self._on_event(StartupEvent(StartupStep.READY, spec.name, took_ns))

        await_ready(self.containers, specs, self._clock, self._ready_ns, on_ready)

    def start(self, spec: ContainerSpec, instance: int = 0) -> str:
        """Start one container; its name. Another port is tried when a program has the first.

        Raises:
            StackError: it cannot be started.
            UsageError: the port that the user chose is in use.
        """
        name = instance_name(spec, self.containers.place, instance)
        with self._listener.lock:
            self._counters.register(name, spec.name, spec.restart)
        self._specs[name] = spec
        for attempt in range(1, _PORT_TRIES_MAX + 1):
            self._choose_port(spec)
            self._begun_ns[spec.name] = self._clock.now_ns()
            try:
                self.containers.start(spec, instance)
            except PortInUseError as error:
                if spec.name in self._chosen:
                    raise UsageError(error.what, where=spec.name, hint=error.hint) from error
                if attempt == _PORT_TRIES_MAX:
                    raise
            else:
                self._on_event(StartupEvent(StartupStep.STARTED, self._short(name)))
                return name
        raise AssertionError("unreachable")

    def remove(self, name: str) -> None:
        """End a container for good, if it is there."""
        with self._listener.lock:
            self._counters.stopping(name)
        self.containers.remove(name)

    def await_event(self, name: str, action: str) -> None:
        """Wait until the engine has reported something; bounded in time."""
        deadline_ns = self._clock.now_ns() + _EVENT_MAX_NS
        while self._clock.now_ns() < deadline_ns:
            with self._listener.lock:
                last = next(
                    (e for e in reversed(self._counters.events) if e.container == name), None
                )
            if last is None or last.action == action:
                return
            self._clock.sleep_ns(_EVENT_POLL_NS)

    def scale(
        self, spec: ContainerSpec, wanted: int, is_aborted: Callable[[], bool] = lambda: False
    ) -> None:
        """Start or end instances of a service until there are so many.

        Args:
            spec: the service.
            wanted: how many.
            is_aborted: asked before each start; no further instance is started then.

        Raises:
            StackError: one cannot be started, or the scaling was aborted.
        """

        def start(number: int) -> None:
            if is_aborted():
                raise StackError("the scaling was aborted", where=spec.name)
            self.start(spec, number)

        numbers = self._instances(spec)
        missing = [n for n in range(1, wanted + 1) if n not in numbers]
        _side_by_side(start, missing, _SCALED_AT_ONCE)
        leaving = [name for n, name in numbers.items() if n > wanted]
        _side_by_side(self._retire, leaving, _RETIRED_AT_ONCE)

    def inspect_all(self, spec: ContainerSpec) -> dict[str, dict[str, Any]]:
        """What the engine says of each running instance of a service, by its short name.

        Raises:
            StackError: the engine does not answer.
        """
        found = {}
        for name in self._instances(spec).values():
            with engine_errors(spec.name), if_there():
                document = self._client.api.inspect_container(name)
                if document["State"]["Pid"]:
                    found[self._short(name)] = document
        return found

    def _retire(self, name: str) -> None:
        with self._listener.lock:
            self._counters.stopping(name)
        with engine_errors(name), if_there():
            self._client.api.stop(name, timeout=_RETIRE_S)
        self.remove(name)

    def states(self) -> tuple[ServiceState, ...]:
        """Every container that was started, and not removed since, in the order of its start.

        Raises:
            StackError: one of Zone B is lost, or the engine reports nothing any more.
        """
        if self._listener.failure:
            raise StackError(self._listener.failure, where="docker")
        now_ns = self._clock.now_ns()
        states = []
        with self._listener.lock:
            for count in self._counters.counts.values():
                if count.stopping:
                    continue
                last = count.exits[-1] if count.exits else None
                if count.is_lost(now_ns, _LOST_AFTER_NS) and count.policy.name != "on-failure":
                    code = last.code if last else None
                    raise StackError(
                        f"is lost: it ended with {code} and is not started again",
                        where=count.service,
                    )
                states.append(
                    ServiceState(
                        name=self._short(count.name),
                        pid=self._pids.get(count.name, 0),
                        alive=count.running,
                        restarts=count.restarts,
                        last_exit=last.code if last else None,
                        out_of_pool=count.out_of_pool and not count.running,
                    )
                )
        return tuple(states)

    def alerts(self) -> tuple[str, ...]:
        """Containers that have left the pool."""
        with self._listener.lock:
            return tuple(self._counters.alerts)

    def describe(self) -> dict[str, Any]:
        """Ends, restarts, OOM kills and throttling of every container, and the events."""
        with self._listener.lock:
            services = {
                self._short(count.name): {
                    "pid": self._pids.get(count.name, 0),
                    "host": count.host,
                    "restarts": count.restarts,
                    "lost": count.out_of_pool,
                    "oom_events": count.oom_events,
                    "oom_kills": count.oom_kills,
                    "exits": [asdict(end) for end in count.exits],
                    **self._throttling(count.name),
                }
                for count in self._counters.counts.values()
            }
            events = [asdict(event) for event in self._counters.events]
        return {
            "ports": self.ports,
            "services": services,
            "alerts": list(self.alerts()),
            "file_systems": self.containers.disks.describe(),
            "events": events,
        }

    def keep_logs(self, folder: Path) -> None:
        """Write the log of every container that is still there to a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in self._specs:
            with suppress(StackError, OSError):  # a log is no reason to leave a container running
                text = self.containers.logs(name, _LOG_LINES_KEPT)
                (folder / f"{self._short(name)}.log").write_text(text, encoding="utf-8")

    def _throttling(self, name: str) -> dict[str, int]:
        """Since the container's last start, because a new start makes a new control group."""
        try:
            limits = read_limits(self._pids[name])
        except (StackError, KeyError):
            return {}
        return {"throttled_periods": limits.throttled_periods, "periods": limits.periods}

    def _choose_port(self, spec: ContainerSpec) -> None:
        inside = published_port(spec)
        if inside is None:
            return
        with self._lock:
            claimed = frozenset(self._ports.values())
            port = claim(self._chosen.get(spec.name), spec.name, claimed)
            self._ports[spec.name] = port
            place = self.containers.place
            publish = {**place.publish, spec.name: {inside: port}}
            self.containers.place = replace(place, publish=publish)

    def _note_start(self, name: str) -> None:
        try:
            self._pids[name] = int(self.containers.state(name)["Pid"])
        except StackError:  # gone again already; its end is an event too
            self._pids.pop(name, None)

    def _instances(self, spec: ContainerSpec) -> dict[int, str]:
        token = self.containers.place.mark.token
        labels = [f"{RUN}={token}", f"{SERVICE}={spec.name}"]
        with engine_errors(spec.name):
            listed = self._client.api.containers(all=True, filters={"label": labels})
        names = (entry["Names"][0].removeprefix("/") for entry in listed)
        numbered = ((name.rpartition("-")[2], name) for name in names)
        found = {int(n) if n.isdigit() else 0: name for n, name in numbered}
        return dict(sorted(found.items()))

    def _short(self, name: str) -> str:
        return name.removeprefix(self.containers.place.mark.name(""))


def _side_by_side(
    work: Callable[[_Item], object], items: Iterable[_Item], at_once: int = _AT_ONCE
) -> None:
    """Do something for each item; after an error or an interruption no further one is begun."""
    pool = ThreadPoolExecutor(at_once)
    try:
        for job in [pool.submit(work, item) for item in items]:
            job.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
