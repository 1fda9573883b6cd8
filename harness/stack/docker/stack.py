"""The stack as containers, each under the quota that the Compose files give it.

1. Sweep up after runs that died; start the reaper of this one; listen to the engine's events.
2. Networks and volumes; Redis and PostgreSQL, until their health checks say yes.
3. The observer's role; schema, in the engine's image; grants and publication.
4. The other services, in the order of what they need; Anvil, if the scenario has a gate.
5. Agents and the rest of the strategy zone, if asked for.
6. Verify that what is in force is what is specified: now, and again at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError
from harness.evidence.scale_log import AgentInstance, ServiceIdentity
from harness.process.proc import age_ns
from harness.process.reaper_client import ReaperClient
from harness.stack.base import Endpoints, ServiceState
from harness.stack.compose_file import ContainerSpec
from harness.stack.docker.anvil import PORT, await_node, container_address
from harness.stack.docker.changed_limits import change_specification, change_zones
from harness.stack.docker.client import Client, connect, need_this_host
from harness.stack.docker.container_supervisor import ContainerSupervisor
from harness.stack.docker.containers import Containers, stop_ryuk
from harness.stack.docker.database import Database
from harness.stack.docker.images import OURS
from harness.stack.docker.labels import RunIdentity
from harness.stack.docker.options import without_limits
from harness.stack.docker.provenance import cpu_shortage, start_provenance
from harness.stack.docker.reference_image import provide_images
from harness.stack.docker.settings import (
    AGENT,
    ANVIL,
    ENGINE,
    POSTGRES,
    REDIS,
    DockerSettings,
    StackPasswords,
    Zones,
    always_on_services,
    configured_port,
    make_placement,
    metrics_urls,
    migration,
    need_engine,
    open_variables,
    own_volumes,
    read_zones,
    redis_url,
    secret_variables,
    start_levels,
)
from harness.stack.docker.specification import read_specification
from harness.stack.docker.sweep import sweep, sweep_stale
from harness.stack.docker.verification_rows import VerificationRow, table
from harness.stack.docker.verifier import Verifier
from harness.stack.ports import free_port
from harness.stack.scale_out import live_limits
from harness.stack.startup import StartupEvent, StartupSink, StartupStep, ignore_event

_MIGRATION_MAX_NS = 60 * NS_PER_S
_GATE_MAX_NS = 30 * NS_PER_S


class DockerStack:
    """Zone B in containers, and as much of Zone A as is asked for.

    Args:
        settings: what to start.
        logs_dir: folder that takes each container's log at the end.
        clock: time of readiness.
        on_event: receives the events of the start.
    """

    def __init__(
        self,
        settings: DockerSettings,
        logs_dir: Path,
        clock: Clock,
        on_event: StartupSink = ignore_event,
    ) -> None:
        self._settings = settings
        self._logs_dir = logs_dir
        self._clock = clock
        self._on_event = on_event
        self._passwords = StackPasswords.random()
        self._mark = RunIdentity.new(settings.kind)
        self._reaper = ReaperClient(Path(__file__).with_name("reaper.py"), self._mark.token)
        self._variables = open_variables(settings)
        if settings.zone_a:
            self._variables["PORTAL_PORT"] = str(free_port())
        zones = read_zones(
            settings.compose, {**self._variables, **secret_variables(self._passwords)}
        )
        self._zones: Zones = change_zones(zones, settings.stack)
        self._quotas = change_specification(read_specification(settings.compose), settings.stack)
        self._client: Client = None
        self._supervisor: ContainerSupervisor | None = None
        self._verifier: Verifier | None = None
        self._rows: list[VerificationRow] = []
        self._facts: dict[str, Any] = {}
        self._is_whole = False

    @property
    def token(self) -> str:
        """The run's mark, which all labels and names carry."""
        return self._mark.token

    def start(self) -> Endpoints:
        started_ns = self._clock.now_ns()
        try:
            endpoints = self._start()
        except BaseException:  # an interrupt too must leave nothing
            self.stop()
            raise
        self._facts["start_ms"] = (self._clock.now_ns() - started_ns) // NS_PER_MS
        return endpoints

    def services(self) -> tuple[ServiceState, ...]:
        return self._running_supervisor().states()

    def alerts(self) -> tuple[str, ...]:
        """Containers that have left the pool, for an operator to check."""
        return self._running_supervisor().alerts()

    def describe(self) -> dict[str, Any]:
        """What ran; releases Anvil, since who asks has no more use for it."""
        if self._supervisor is None or self._verifier is None:
            return {"kind": "docker", **self._facts}
        rows = (*self._rows, *self._verifier.verify("end"))
        if self._settings.stack.anvil or self._settings.stack.gate:
            self.close_gate()
            rows += self._verifier.verify_one(ANVIL, "after the gate")
        return {
            "kind": "docker",
            **self._facts,
            "warden": {"pid": self._reaper.pid, "alive": self._reaper.is_alive},
            "verification": table(rows),
            **self._supervisor.describe(),
        }

    def stop(self) -> None:
        supervisor, self._supervisor = self._supervisor, None
        client, self._client = self._client, None
        is_clean = client is None
        try:
            if supervisor is not None:
                supervisor.close()
                supervisor.keep_logs(self._logs_dir)
            if client is not None:
                is_clean = not sweep(client, self.token, settle=not self._is_whole)
                stop_ryuk()
                client.close()
        finally:
            # The reaper removes what is left, whatever went wrong above.
            self._reaper.stop(done=is_clean)

    def open_gate(self, instance: int = 0) -> str:
        """Start Anvil, or one more by its number, for a gate and verify it; its URL on this host.

        Raises:
            StackError: it does not answer.
        """
        supervisor = self._running_supervisor()
        spec = self._zones.b.service(ANVIL)
        name = supervisor.start(spec, instance)
        address = container_address(
            self._client, name, supervisor.containers.place.networks[spec.networks[0]]
        )
        await_node(address, self._clock, _GATE_MAX_NS)
        assert self._verifier is not None  # noqa: S101 - made with the supervisor
        self._rows += self._verifier.verify_one(ANVIL, "gate")
        return f"http://{address}:{PORT}"

    def close_gate(self, instance: int = 0) -> None:
        """Release Anvil. May be called when there is none."""
        name = self.gate_name(instance)
        self._running_supervisor().remove(name)
        self._running_supervisor().await_event(name, "destroy")

    def gate_name(self, instance: int = 0) -> str:
        """Name of the container of Anvil."""
        return self._mark.name(f"{ANVIL}-{instance}" if instance else ANVIL)

    def verify(self, when: str) -> tuple[VerificationRow, ...]:
        """Every row as it is now."""
        assert self._verifier is not None  # noqa: S101 - start() comes first
        return self._verifier.verify(when)

    def scale(self, agents: int, is_aborted: Callable[[], bool] = lambda: False) -> None:
        """Start or end agents until there are so many; nothing of Zone B is touched.

        Args:
            agents: how many.
            is_aborted: asked before each start; no further agent is started then.

        Raises:
            StackError: one cannot be started, or the scaling was aborted.
        """
        spec = self._zones.a.service(AGENT)
        if self._settings.free_agents:
            spec = without_limits(spec)
        self._running_supervisor().scale(spec, agents, is_aborted)

    def agent_instances(self) -> tuple[AgentInstance, ...]:
        """The agents that run.

        Raises:
            StackError: the engine does not answer.
        """
        found = self._running_supervisor().inspect_all(self._zones.a.service(AGENT))
        return tuple(
            AgentInstance(
                name=name,
                host=document["Config"]["Hostname"],
                running_ns=self._clock.now_ns() - age_ns(document["State"]["Pid"]),
            )
            for name, document in found.items()
        )

    def service_identities(self) -> tuple[ServiceIdentity, ...]:
        """The services of Zone B that are always on.

        Raises:
            StackError: the engine does not answer.
        """
        return tuple(
            ServiceIdentity(
                name=name,
                id=document["Id"],
                pid=document["State"]["Pid"],
                started=document["State"]["StartedAt"],
                restarts=document["RestartCount"],
                limits=live_limits(document["State"]["Pid"]),
            )
            for spec in always_on_services(self._zones.b)
            for name, document in self._running_supervisor().inspect_all(spec).items()
        )

    def leave_running(self) -> None:
        """Let the containers live on when this process ends: `harness stack down` ends them."""
        if self._supervisor is not None:
            self._supervisor.close()
        self._reaper.stop(done=True)
        if self._client is not None:
            self._client.close()
        self._supervisor = self._client = None

    def _start(self) -> Endpoints:
        client = self._client = connect()
        cpus = int(need_this_host(client)["NCPU"])
        if shortage := cpu_shortage(self._zones.b.services, cpus):
            self._on_event(StartupEvent(StartupStep.NOTE, shortage))
        sweep_stale(client)
        self._reaper.start()
        supervisor = self._supervisor = self._make_supervisor(client)
        supervisor.listen()
        need_engine(self._zones.b.service(ENGINE))
        images = (spec.image for spec in self._wanted())
        provide_images(client, self._settings.compose, images, self._on_event)
        note = json.dumps({"image_set": self._settings.image_set, "variables": self._variables})
        supervisor.containers.make_networks((self._zones.a, self._zones.b), note)
        supervisor.containers.make_volumes(own_volumes(self._settings, self._zones.b))

        servers, *levels = start_levels(always_on_services(self._zones.b))
        supervisor.start_all(servers)
        database = self._set_up_database(supervisor)
        url = redis_url(supervisor.port(REDIS), self._passwords)
        self._verifier = Verifier(
            client,
            supervisor.containers,
            self._zones,
            self._quotas,
            database.admin_dsn,
            url,
            self._clock,
        )
        for level in levels:
            supervisor.start_all(level)
        anvil_url = self.open_gate() if self._settings.stack.anvil else None
        if self._settings.zone_a:
            supervisor.start_all(tuple(s for s in self._zones.a.services if s.name != AGENT))
        self.scale(self._settings.agents)
        self._rows += self._verifier.verify("start")
        self._facts |= {
            "token": self.token,
            "reaper": supervisor.containers.cleanup_watchers,
            **start_provenance(
                client, self._settings, self._zones, self._quotas, self._rows, database, url
            ),
        }
        self._facts["grade_reasons"] += supervisor.containers.disks.reasons()
        self._is_whole = True
        return Endpoints(
            redis_url=url,
            observer_dsn=database.observer_dsn,
            admin_dsn=database.admin_dsn,
            metrics_urls=metrics_urls(supervisor.ports),
            anvil_url=anvil_url,
        )

    def _make_supervisor(self, client: Client) -> ContainerSupervisor:
        place = make_placement(self._mark, self._zones, self._settings.compose)
        containers = Containers(client, place, self._passwords.texts(), self._clock)
        services = (s.name for s in (*self._zones.a.services, *self._zones.b.services))
        chosen = {name: configured_port(self._settings, name) for name in services}
        ports = {name: port for name, port in chosen.items() if port is not None}
        return ContainerSupervisor(
            client, containers, ports, self._settings.ready_ns, self._clock, self._on_event
        )

    def _wanted(self) -> tuple[ContainerSpec, ...]:
        """Every service that this stack will start some time."""
        settings = self._settings
        anvil = settings.stack.anvil or settings.stack.gate
        zone_b = (s for s in self._zones.b.services if anvil or not s.on_demand)
        wants_agents = {AGENT} if settings.agents else set()
        zone_a = (s for s in self._zones.a.services if settings.zone_a or s.name in wants_agents)
        return (*zone_b, *zone_a)

    def _set_up_database(self, supervisor: ContainerSupervisor) -> Database:
        database = Database(
            supervisor.port(POSTGRES), self._passwords, self._settings.stack.contract
        )
        database.make_observer(supervisor.containers, self._zones.b.service(POSTGRES))
        engine = self._zones.b.service(ENGINE)
        if engine.image.startswith(OURS):  # a team's own finds the tables that PostgreSQL made
            supervisor.containers.run_to_end(migration(engine), _MIGRATION_MAX_NS)
        database.open_to_observer()
        return database

    def _running_supervisor(self) -> ContainerSupervisor:
        if self._supervisor is None:
            raise StackError("is not running", where="docker stack")
        return self._supervisor
