"""When a container is ready: asked by its own health check, more often than the engine asks."""

from __future__ import annotations

import http.client

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.docker.containers import Containers
from harness.docker.settings import published_port
from harness.errors import StackError
from harness.stack.composefile import ContainerSpec
from harness.stack.ports import LOOPBACK

_POLL_NS = 100 * NS_PER_MS
_ANSWER_MAX_S = 0.5
# Somebody who comes up too early for a dependency may try again, but not for ever.
_RESTARTS_MAX = 3


def await_ready(containers: Containers, spec: ContainerSpec, clock: Clock, timeout_ns: int) -> None:
    """Wait until a service is healthy.

    Raises:
        StackError: it ended, or the time is over; with its last log lines.
    """
    if spec.health is None and published_port(spec) is None:
        return
    name = containers.place.mark.name(spec.name)
    started_ns = clock.now_ns()
    while not is_healthy(containers, spec):
        state, restarts = containers.state_and_restarts(name)
        if state["Status"] in {"exited", "dead"} or restarts > _RESTARTS_MAX:
            times = f" {restarts + 1} times" if restarts else ""
            what = f"ended{times} with {state['ExitCode']} before it was ready"
            raise containers.error(spec, name, what)
        if clock.now_ns() - started_ns > timeout_ns:
            what = f"was not ready after {timeout_ns / NS_PER_S:.1f} s"
            raise containers.error(spec, name, what)
        clock.sleep_ns(_POLL_NS)


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
        kind, *words = spec.health.test
        command = ["/bin/sh", "-c", *words] if kind == "CMD-SHELL" else words
        return containers.execute(name, command)[0] == 0
    except StackError:  # it does not run (yet, or any more)
        return False


def _answers(containers: Containers, spec: ContainerSpec) -> bool:
    (port,) = containers.place.publish[spec.name].values()
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWER_MAX_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
