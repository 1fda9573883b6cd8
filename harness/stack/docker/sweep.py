"""Removing what carries a run's label, by whoever is still alive to do it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from harness.errors import StackError
from harness.stack.docker.client import Client, engine_errors, if_there
from harness.stack.docker.labels import KIND, RUN, Kind, is_stale

_AT_ONCE = 4
_ROUNDS_MAX = 40
_PAUSE_S = 0.25
# A request to create a container that was under way when its sender died may still succeed.
_SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class LabelledResources:
    """Ids of what carries a label."""

    containers: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.containers or self.networks or self.volumes)


def labelled_resources(client: Client, token: str) -> LabelledResources:
    """Everything that carries a run's token."""
    return LabelledResources(*(tuple(found) for found in _labelled(client, f"{RUN}={token}")))


def sweep(client: Client, token: str, *, settle: bool = False) -> LabelledResources:
    """Remove everything that carries a token; bounded in time.

    Args:
        client: the engine.
        token: the run's.
        settle: stay until nothing new has turned up for two seconds, as after an interruption.

    Returns:
        what could not be removed.

    Raises:
        StackError: the engine does not answer.
    """
    idle_since: float | None = None
    left = LabelledResources()
    for _ in range(_ROUNDS_MAX):
        with engine_errors("sweep"):
            left = labelled_resources(client, token)
            if left:
                idle_since = None
                _remove(client, left)
                continue
        now = time.monotonic()
        idle_since = now if idle_since is None else idle_since
        if not settle or now - idle_since >= _SETTLE_S:
            return left
        time.sleep(_PAUSE_S)
    return left


def sweep_stale(client: Client) -> tuple[str, ...]:
    """Remove what runs left that died together with their reaper; their tokens."""
    stale = tuple(sorted(token for token, labels in _stacks(client).items() if is_stale(labels)))
    for token in stale:
        sweep(client, token)
    return stale


def existing_stacks(client: Client) -> tuple[str, ...]:
    """Tokens of the stacks that `harness stack up` started."""
    stacks = _stacks(client)
    return tuple(sorted(t for t, labels in stacks.items() if labels.get(KIND) == Kind.UP))


def _stacks(client: Client) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    with engine_errors("sweep"):
        listed = (
            client.api.containers(all=True, filters={"label": RUN}),
            client.api.networks(filters={"label": RUN}),
            client.api.volumes(filters={"label": RUN})["Volumes"] or (),
        )
        for things in listed:
            for thing in things:
                found[thing["Labels"][RUN]] = thing["Labels"]
    return found


def _labelled(client: Client, label: str) -> Iterable[list[str]]:
    filters = {"label": label}
    yield [thing["Id"] for thing in client.api.containers(all=True, filters=filters)]
    yield [thing["Id"] for thing in client.api.networks(filters=filters)]
    yield [thing["Name"] for thing in client.api.volumes(filters=filters)["Volumes"] or ()]


def _remove(client: Client, what: LabelledResources) -> None:
    api = client.api
    _each(what.containers, lambda name: api.remove_container(name, force=True, v=True))
    _each(what.networks, api.remove_network)
    _each(what.volumes, lambda name: api.remove_volume(name, force=True))


def _each(names: tuple[str, ...], remove: Callable[[str], Any]) -> None:
    def one(name: str) -> StackError | None:
        try:
            with engine_errors(name), if_there():
                remove(name)
        except StackError as error:  # a network may still have an endpoint: the next round
            return error
        return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        failed = [error for error in pool.map(one, names) if error is not None]
    if failed:
        time.sleep(_PAUSE_S)
