"""When a container is ready: asked by its own health check, more often than the engine asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError
from harness.http_client import HttpClient
from harness.stack.compose_file import ContainerSpec
from harness.stack.docker.containers import Containers
from harness.stack.docker.settings import published_port
from harness.stack.ports import LOOPBACK

_POLL_NS = 100 * NS_PER_MS
_ANSWER_MAX_S = 0.5
# A service that starts too early for a dependency may restart, but not for ever.
_RESTARTS_MAX = 3
_MIB = 1 << 20
_KILLED = 137
_SERVER_ERROR = 500


def await_ready(
    containers: Containers,
    specs: Sequence[ContainerSpec],
    clock: Clock,
    timeout_ns: int,
    on_ready: Callable[[ContainerSpec], None],
) -> None:
    """Wait until each of some services is healthy; those that cannot be asked are not waited for.

    Args:
        containers: of the stack.
        specs: the services, all started.
        clock: time.
        timeout_ns: the longest that any of them may take from now on.
        on_ready: receives each as soon as it is healthy.

    Raises:
        StackError: one ended, or the time is over; with its last log lines.
    """
    pending = [s for s in specs if s.health is not None or published_port(s) is not None]
    deadline_ns = clock.now_ns() + timeout_ns
    while True:
        for spec in tuple(pending):
            if is_healthy(containers, spec):
                pending.remove(spec)
                on_ready(spec)
            else:
                _check_alive(containers, spec)
        if not pending:
            return
        if clock.now_ns() > deadline_ns:
            name = containers.place.mark.name(pending[0].name)
            what = f"was not ready after {timeout_ns / NS_PER_S:.1f} s"
            raise containers.error(pending[0], name, what)
        clock.sleep_ns(_POLL_NS)


def _check_alive(containers: Containers, spec: ContainerSpec) -> None:
    name = containers.place.mark.name(spec.name)
    state, restarts = containers.state_and_restarts(name)
    limit = f"its memory limit of {spec.memory_bytes / _MIB:,.0f} MiB"
    # The flag is gone once the container was started again by its policy.
    if state.get("OOMKilled") and state["Status"] != "running":
        what = f"was killed by the kernel at {limit} before it was ready"
        raise containers.error(spec, name, what, "run an image that needs less at its start")
    if state["Status"] in {"exited", "dead"} or restarts > _RESTARTS_MAX:
        times = f" {restarts + 1} times" if restarts else ""
        what = f"ended{times} with {state['ExitCode']} before it was ready"
        hint = f"137 is SIGKILL, as at {limit}; see `dmesg`" if state["ExitCode"] == _KILLED else ""
        raise containers.error(spec, name, what, hint)


def is_healthy(containers: Containers, spec: ContainerSpec) -> bool:
    """Whether a service is healthy now.

    By its own check where the Compose file gives one. A team's image is asked as it wants to be:
    by the check that it brings, else by whether it answers HTTP where metrics are read.
    """
    name = containers.place.mark.name(spec.name)
    try:
        if spec.health is None:
            health = containers.state(name).get("Health")
            return _answers(containers, spec) if health is None else health["Status"] == "healthy"
        kind, *arguments = spec.health.test
        command = ["/bin/sh", "-c", *arguments] if kind == "CMD-SHELL" else arguments
        return containers.execute(name, command)[0] == 0
    except StackError:  # it does not run (yet, or any more)
        return False


def _answers(containers: Containers, spec: ContainerSpec) -> bool:
    (port,) = containers.place.publish[spec.name].values()
    try:
        with HttpClient(f"http://{LOOPBACK}:{port}", _ANSWER_MAX_S) as client:
            return client.get("/metrics").status < _SERVER_ERROR
    except OSError:
        return False
