"""The stack as child processes of this one.

1. Watch over the private folder, so that whatever happens from here on is cleaned up.
2. Find what is needed and check configured ports, before anything runs.
3. Redis, Anvil if asked for, PostgreSQL; each until it answers.
4. Schema, roles and publication.
5. RPC nodes if asked for, then the reference services; each until it says that it is healthy.
6. From here on whoever ends is restarted; agents of the strategy zone, if asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import psutil
from pydantic import SecretStr

from harness.clock import NS_PER_MS, Clock
from harness.errors import StackError, UsageError
from harness.evidence.scale_log import AgentInstance, ServiceIdentity
from harness.process.proc import start_ticks
from harness.process.program import Program, cleanup_after_exit, run_to_end, spawn
from harness.process.reaper_client import ReaperClient
from harness.process.termination import remove
from harness.stack.base import Endpoints, ServiceState
from harness.stack.log_tail import log_tail
from harness.stack.ports import claim, free_port, is_free, release_ports
from harness.stack.private_dir import claim_dir, release_dir
from harness.stack.process.agents import AGENT, AgentProcesses
from harness.stack.process.anvil import AnvilNode, find_anvil
from harness.stack.process.gate_node import GateNode
from harness.stack.process.postgres import PostgresServer
from harness.stack.process.postgres_settings import host_memory_bytes
from harness.stack.process.redis_cluster import RedisProcesses
from harness.stack.process.restart_policy import ALWAYS, NEVER, RestartPolicy
from harness.stack.process.services import (
    ServiceSpec,
    Wiring,
    as_program,
    http_listeners,
    is_healthy,
    migration,
    reference_services,
    rpc_nodes,
    with_clock,
)
from harness.stack.process.supervisor import Service, Supervisor
from harness.stack.scale_out import live_limits
from harness.stack.settings import LISTENERS, StackSettings
from harness.stack.startup import StartupEvent, StartupSink, StartupStep, ignore_event

_PORT_TRIES_MAX = 3
_MIGRATION_MAX_S = 30.0
_SERVERS, _SERVICES = 0, 1


class _Server(Protocol):
    def program(self, port: int) -> Program: ...

    def is_ready(self) -> bool: ...


class ProcessStack:
    """PostgreSQL, Redis, Anvil on demand and the reference services, as child processes.

    `start` is to be called from the main thread, since the children's lives are bound to it.

    Args:
        settings: what to start.
        private_dir: folder for data and configuration; made if missing, removed by `stop`.
        logs_dir: folder that keeps each service's log after the end.
        clock: time of readiness and restarts.
        on_event: receives an event for each service that is ready.
    """

    def __init__(
        self,
        settings: StackSettings,
        private_dir: Path,
        logs_dir: Path,
        clock: Clock,
        on_event: StartupSink = ignore_event,
    ) -> None:
        self._settings = settings
        self._private_dir = private_dir
        self._logs_dir = logs_dir
        self._clock = clock
        self._on_event = on_event
        self._reaper = ReaperClient()
        self._ports: dict[str, int] = {}
        self._postgres = PostgresServer(
            private_dir / "postgres",
            logs_dir / "postgres.log",
            self._reaper,
            settings.contract.observer_role,
            settings.postgres,
        )
        self._redis = RedisProcesses(
            private_dir,
            logs_dir,
            settings.redis_maxmemory_mb,
            settings.redis_cluster_nodes,
            settings.contract.key(settings.contract.streams.proposals),
        )
        self._anvil: AnvilNode | None = None
        self._anvil_binary = Path()
        self._secrets = (self._redis.password, *self._postgres.passwords.all())
        self._supervisor = Supervisor(
            lambda program: spawn(program, self._reaper),
            lambda pid: cleanup_after_exit(pid, self._reaper),
            clock,
            self._secrets,
        )
        self._agents = AgentProcesses(
            settings, self._supervisor, private_dir / "agents", logs_dir, clock
        )
        self._nodes: tuple[ServiceSpec, ...] = ()
        self._services: tuple[ServiceSpec, ...] = ()
        self._facts: dict[str, Any] = {}

    def start(self) -> Endpoints:
        started_ns = self._clock.now_ns()
        try:
            endpoints = self._start()
        except BaseException:  # an interrupt too must leave nothing
            self.stop()
            raise
        self._facts = {
            **self._host_facts(),
            "start_ms": (self._clock.now_ns() - started_ns) // NS_PER_MS,
            "redis": self._redis.describe(),
            "postgres": self._postgres.describe(),
            "anvil": self._anvil.describe() if self._anvil else None,
        }
        return endpoints

    def services(self) -> tuple[ServiceState, ...]:
        self._supervisor.check()
        return self._supervisor.states()

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "process",
            **self._facts,
            "ports": dict(self._ports),
            "warden": {"pid": self._reaper.pid, "alive": self._reaper.is_alive},
            "services": self._supervisor.describe(),
        }

    def stop(self) -> None:
        try:
            self._supervisor.stop()
        finally:
            remove((str(self._private_dir),))
            release_dir(self._private_dir)
            release_ports(self._ports.values())
            # The reaper ends and removes everything that is left, even if the above failed.
            self._reaper.stop()

    def scale(self, agents: int, is_aborted: Callable[[], bool] = lambda: False) -> None:
        """Start or end agents of the strategy zone until there are so many.

        Args:
            agents: how many.
            is_aborted: not asked: processes start within seconds.

        Raises:
            StackError: one cannot be started.
        """
        del is_aborted
        if agents or self._agents.instances():
            self._agents.scale(agents, self._redis.url)

    def agent_instances(self) -> tuple[AgentInstance, ...]:
        """The agents of the strategy zone that run."""
        return self._agents.instances()

    def service_identities(self) -> tuple[ServiceIdentity, ...]:
        """Servers and services of Zone B."""
        return tuple(
            ServiceIdentity(
                name=state.name,
                id=str(state.pid),
                pid=state.pid,
                started=f"{start_ticks(state.pid)} ticks after boot",
                restarts=state.restarts,
                limits=live_limits(state.pid),
            )
            for state in self._supervisor.states()
            if not state.name.startswith(AGENT)
        )

    def gate_node(self) -> GateNode:
        """The node of a gate under load, not yet started; its fuzz stays out of the services'."""
        folder, log = self._private_dir / "gate-anvil", self._logs_dir / "gate-anvil.log"
        return GateNode(self._anvil_binary, folder, log, self._reaper, self._clock)

    def _start(self) -> Endpoints:
        self._reaper.start()
        self._make_folders()
        self._find_what_is_needed()

        for server in self._redis.servers:
            policy, offset = self._redis.restart_policy, self._redis.second_offset
            self._start_server(server.name, server, policy, offset)
        self._redis.join(self._clock)
        self._redis.verify()
        if self._anvil is not None:
            # On demand (section 3.3 of the quotas): its loss is not repaired.
            self._start_server("anvil", self._anvil, NEVER)
        self._postgres.prepare()
        self._start_server("postgres", self._postgres)
        self._postgres.set_up()

        wiring = Wiring(
            self._redis.url,
            SecretStr(self._postgres.owner_dsn),
            self._anvil.url if self._anvil else None,
        )
        self._migrate(wiring)
        contract = self._settings.contract
        self._postgres.open_to_observer(contract.tasks.table, contract.publication)
        self._start_services(wiring)
        self._supervisor.watch()
        self.scale(self._settings.agents)
        return Endpoints(
            redis_url=self._redis.url,
            observer_dsn=SecretStr(self._postgres.observer_dsn),
            admin_dsn=SecretStr(self._postgres.admin_dsn),
            metrics_urls={spec.name: spec.metrics_url for spec in self._services},
            anvil_url=wiring.anvil_url,
            rpc_urls={spec.name: spec.url for spec in self._nodes},
        )

    def _make_folders(self) -> None:
        try:
            claim_dir(self._private_dir)
            self._logs_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"a folder cannot be made: {error.strerror}", where=str(error.filename)
            ) from error
        self._reaper.clean(self._private_dir)

    def _find_what_is_needed(self) -> None:
        for name in LISTENERS:
            if (port := self._settings.ports.get(name)) is not None:
                self._ports[name] = claim(port, name, frozenset(self._ports.values()))
        if not (self._settings.root / "compose" / "zone_b").is_dir():
            raise UsageError(
                "the reference services are not here",
                where=str(self._settings.root / "compose" / "zone_b"),
                hint="install signal-harness again, or run from a clone of its repository",
            )
        self._redis.prepare()
        if self._settings.anvil or self._settings.gate:
            self._anvil_binary = find_anvil(self._settings.root)
        if self._settings.anvil:
            self._anvil = AnvilNode(
                self._anvil_binary,
                self._private_dir / "anvil",
                self._logs_dir / "anvil.log",
            )

    def _start_server(
        self, name: str, server: _Server, policy: RestartPolicy = ALWAYS, second_offset: int = 0
    ) -> None:
        """Start a server; another free port is tried when a program was faster on it."""
        self._on_a_port(
            name,
            lambda port: Service(server.program(port), server.is_ready, _SERVERS, policy),
            second_offset,
        )

    def _start_services(self, wiring: Wiring) -> None:
        """Start the RPC nodes if there are any, then the reference services, each lot together.

        A service needs the servers and none of the others; the chain adapter needs its nodes, or it
        would begin by switching between them.
        """
        for name in http_listeners(self._settings):
            self._ports.setdefault(name, free_port(frozenset(self._ports.values())))
        self._nodes = rpc_nodes(self._settings, wiring, self._ports)
        self._services = reference_services(self._settings, wiring, self._ports)
        for lot in (self._nodes, self._services):
            for spec in lot:
                program = self._program(spec)
                self._supervisor.start(
                    Service(program, partial(is_healthy, spec.http_port), _SERVICES, spec.policy)
                )
            for spec in lot:
                self._await(spec.name)

    def _on_a_port(self, name: str, make: Callable[[int], Service], second_offset: int = 0) -> None:
        configured = self._settings.ports.get(name)
        for attempt in range(1, _PORT_TRIES_MAX + 1):
            port = configured or free_port(frozenset(self._ports.values()), second_offset)
            release_ports({self._ports.get(name, port)} - {port})
            self._ports[name] = port
            if second_offset:
                self._ports[f"{name}-bus"] = port + second_offset
            self._supervisor.start(make(port))
            try:
                self._await(name)
            except StackError:
                self._supervisor.drop(name)
                was_beaten = configured is None and not is_free(port)
                if attempt == _PORT_TRIES_MAX or not was_beaten:
                    raise
            else:
                return

    def _await(self, name: str) -> None:
        took_ns = self._supervisor.await_ready(name, self._settings.ready_ns)
        self._on_event(StartupEvent(StartupStep.READY, name, took_ns))

    def _migrate(self, wiring: Wiring) -> None:
        program = self._program(migration(self._settings, wiring))
        code = run_to_end(program, self._reaper, _MIGRATION_MAX_S)
        if code != 0:
            tail = log_tail(program.log, self._secrets)
            raise StackError(
                f"ended with {code}; its last output:\n{tail}",
                where=program.name,
                hint=f"see {program.log}",
            )

    def _program(self, spec: ServiceSpec) -> Program:
        folder = self._private_dir / spec.name
        folder.mkdir(mode=0o700, exist_ok=True)
        log = self._logs_dir / f"{spec.name}.log"
        program = as_program(spec, self._settings.root, folder, log)
        return with_clock(program) if spec.name in self._settings.stepped else program

    def _host_facts(self) -> dict[str, Any]:
        return {
            "python": sys.version.split()[0],
            "uid": os.geteuid(),
            "memory_bytes": host_memory_bytes(),
            "filesystem": _filesystem_of(self._private_dir),
        }


def _filesystem_of(path: Path) -> str:
    """Type of the file system; on `tmpfs` an fsync costs nothing, which a reader must know."""
    place = path.resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    for folder in (place, *place.parents):
        if folder in mounts:
            return mounts[folder]
    return ""
