"""Making and reaching the containers of one stack, through Testcontainers for Python."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from typing import Any

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer, Reaper
from testcontainers.core.docker_client import get_docker_host
from testcontainers.core.network import Network

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError
from harness.stack.compose_file import ComposeFile, ContainerSpec
from harness.stack.docker.client import Client, EngineError, engine_address, engine_errors, if_there
from harness.stack.docker.container_config import config_of_inspect, config_of_spec, differences
from harness.stack.docker.disks import Disks
from harness.stack.docker.error_causes import Cause
from harness.stack.docker.explain import Failure, explain
from harness.stack.docker.labels import SETTINGS, Kind
from harness.stack.docker.live_container import names_of
from harness.stack.docker.options import Placement, run_options
from harness.stack.log_tail import redact

_READY_POLL_NS = 100 * NS_PER_MS
_TAIL_LINES = 12
# Lines of a container's log that are kept for the message about its end.
_CAUSES_IN_LOG = frozenset(
    {Cause.ARCHITECTURE, Cause.DISK_FULL, Cause.NO_COMMAND, Cause.OUT_OF_MEMORY}
)
_LIMITS = frozenset(
    ("cpu_period_us", "cpu_quota_us", "cpu_shares", "memory_bytes", "memory_swap_bytes")
)
_INSPECT = "`docker inspect` shows what it took"
_NOT_DELEGATED = (
    "a rootless engine limits what is delegated to its user (control groups version 2, "
    "`Delegate=cpu memory`) and nothing on version 1: use the system's engine, run by root"
)


class PortInUseError(StackError):
    """Another program was faster on a port of this host."""


class Containers:
    """The containers, networks and volumes of one stack.

    Args:
        client: the engine.
        place: where they go.
        secrets: what no message may show.
        clock: time of readiness.
    """

    def __init__(
        self, client: Client, place: Placement, secrets: tuple[str, ...], clock: Clock
    ) -> None:
        self.place = place
        self.cleanup_watchers = _configure_ryuk(client, place.mark.kind)
        self.disks = Disks()
        self.names: Mapping[str, str] = names_of(place.networks, place.volumes)
        self._client = client
        self._secrets = secrets
        self._clock = clock

    def make_networks(self, files: Sequence[ComposeFile], note: str) -> None:
        """Make every network of the files.

        Args:
            files: the Compose files.
            note: kept as a label, for whoever finds the stack.

        Raises:
            StackError: the engine refuses.
        """
        internal = {key: is_internal for f in files for key, _, is_internal in f.networks}
        for key, name in self.place.networks.items():
            labels = {**self.place.mark.labels(), SETTINGS: note}
            options = {"internal": internal[key], "labels": labels}
            with engine_errors(key):
                network = Network(docker_network_kw=options)
                network.name = name
                network.create()
                network._docker.client.close()  # noqa: SLF001 - it has no other end

    def make_volumes(self, own: Set[str] = frozenset()) -> None:
        """Make every volume.

        Args:
            own: keys of those that get a file system of their own.

        Raises:
            StackError: the engine refuses, or a file system cannot be made.
        """
        for key, name in self.place.volumes.items():
            options = self.disks.make(key) if key in own else None
            with engine_errors(key):
                self._client.api.create_volume(
                    name, driver="local", driver_opts=options, labels=self.place.mark.labels()
                )

    def start(self, spec: ContainerSpec, instance: int = 0) -> str:
        """Start a container and make sure that it is what was asked for; its name.

        Raises:
            PortInUseError: a port of this host is in use.
            StackError: it cannot be started, or an option did not arrive.
        """
        options = run_options(spec, self.place, instance)
        name = str(options["name"])
        container = as_container(spec, options)
        try:
            with engine_errors(spec.name):
                container.start()
                for network in spec.networks[1:]:
                    self._client.api.connect_container_to_network(
                        name, self.place.networks[network], aliases=[spec.name]
                    )
        except EngineError as error:
            if error.cause is Cause.PORT_IN_USE:
                self.remove(name)
                raise PortInUseError(error.what, where=spec.name, hint=error.hint) from error
            raise
        finally:
            container.get_docker_client().client.close()
        self._check_arrived(spec, name)
        return name

    def remove(self, name: str) -> None:
        """Remove a container with its anonymous volumes, if it is there."""
        with engine_errors(name), if_there():
            self._client.api.remove_container(name, force=True, v=True)

    def execute(self, name: str, command: list[str]) -> tuple[int, str]:
        """Run a command inside a container; its exit code and output.

        Raises:
            StackError: the container does not run.
        """
        with engine_errors(name):
            api = self._client.api
            job = api.exec_create(name, command)
            output = api.exec_start(job["Id"])
            return int(api.exec_inspect(job["Id"])["ExitCode"] or 0), output.decode(
                "utf-8", "replace"
            )

    def run_to_end(self, spec: ContainerSpec, timeout_ns: int) -> None:
        """Run a container to its end and remove it.

        Raises:
            StackError: it failed or took too long; with its last log lines.
        """
        name = self.start(spec)
        deadline_ns = self._clock.now_ns() + timeout_ns
        while (state := self.state(name))["Status"] != "exited":
            if self._clock.now_ns() > deadline_ns:
                raise self.error(spec, name, f"has not ended after {timeout_ns / NS_PER_S:.0f} s")
            self._clock.sleep_ns(_READY_POLL_NS)
        if state["ExitCode"] != 0:
            raise self.error(spec, name, f"ended with {state['ExitCode']}")
        self.remove(name)

    def state(self, name: str) -> dict[str, Any]:
        """State of a container, as the engine reports it.

        Raises:
            StackError: there is no such container.
        """
        return self.state_and_restarts(name)[0]

    def logs(self, name: str, lines: int) -> str:
        """The last lines of a container's log, redacted."""
        with engine_errors(name):
            text = self._client.api.logs(name, tail=lines).decode("utf-8", "replace")
        return redact(text, self._secrets)

    def state_and_restarts(self, name: str) -> tuple[dict[str, Any], int]:
        """State of a container, and how often its policy has started it again.

        Raises:
            StackError: there is no such container.
        """
        with engine_errors(name):
            document = self._client.api.inspect_container(name)
        return document["State"], int(document["RestartCount"])

    def _check_arrived(self, spec: ContainerSpec, name: str) -> None:
        with engine_errors(spec.name):
            document = self._client.api.inspect_container(name)
        found = config_of_inspect(document, self.names, spec.name)
        wanted = config_of_spec(spec, self.place)
        if different := [item for item, _, _ in differences(wanted, found)]:
            hint = _NOT_DELEGATED if _LIMITS & set(different) else _INSPECT
            raise StackError(
                f"the engine did not take: {', '.join(different)}", where=spec.name, hint=hint
            )

    def error(self, spec: ContainerSpec, name: str, what: str, hint: str = "") -> StackError:
        """An error of a container, with the last lines of its log."""
        tail = self.logs(name, _TAIL_LINES).rstrip()
        last = f"; its last output:\n{tail}" if tail else ""
        explained = explain(Failure(tail, status=0))
        if not hint and explained.cause in _CAUSES_IN_LOG:
            hint = explained.hint
        hints = filter(None, (f"its image is {spec.image}", hint))
        return StackError(what + last, where=spec.name, hint="; ".join(hints))


def as_container(spec: ContainerSpec, options: Mapping[str, Any]) -> DockerContainer:
    """A service as Testcontainers knows one, not yet started.

    `with_kwargs` replaces what an earlier call has set, so there is one call; and what
    Testcontainers has methods for may not be among its arguments.
    """
    rest = dict(options)
    container = (
        DockerContainer(spec.image)
        .with_name(rest.pop("name"))
        .with_command(list(spec.command))
        .with_envs(**dict(spec.environment))
    )
    for source, mount in rest.pop("volumes").items():
        container.with_volume_mapping(source, mount["bind"], mount["mode"])
    for target, settings in rest.pop("tmpfs").items():
        container.with_tmpfs_mount(target, settings)
    # `with_bind_ports` knows no address and would publish to every network of the host.
    container.ports.update(rest.pop("ports"))
    return container.with_kwargs(**rest)


def _configure_ryuk(client: Client, kind: Kind) -> str:
    """Let Testcontainers' reaper (Ryuk) watch too where its image is at hand; what was chosen.

    Without its image every start would try to download it. It must not watch a stack that is to
    outlive this process.
    """
    _same_engine()
    image = testcontainers_config.ryuk_image
    with engine_errors("ryuk"):
        found = client.api.images(name=image)
    testcontainers_config.ryuk_disabled = kind is Kind.UP or not found
    return "warden" if testcontainers_config.ryuk_disabled else "warden and ryuk"


def _same_engine() -> None:
    """Let Testcontainers ask the same engine.

    It has rules of its own: a property comes before DOCKER_HOST, and DOCKER_CONTEXT counts nothing.
    """
    testcontainers_config.tc_properties.pop("tc.host", None)
    ours, theirs = engine_address(), get_docker_host()
    if theirs != ours.url and (theirs or ours.origin):  # else both take the local one
        os.environ["DOCKER_HOST"] = ours.url


def stop_ryuk() -> None:
    """End Testcontainers' reaper, if there is one."""
    Reaper.delete_instance()
