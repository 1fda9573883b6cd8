"""Anvil, which is there while a gate needs it and at no other time."""

from __future__ import annotations

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError
from harness.json_rpc import answers_chain_id
from harness.stack.docker.client import Client, engine_errors

PORT = 8545
_ANSWER_MAX_S = 0.5
_POLL_NS = 50 * NS_PER_MS


def container_address(client: Client, container: str, network: str) -> str:
    """Address of a container on a network; this host reaches it over the network's bridge.

    Raises:
        StackError: it is not on that network.
    """
    with engine_errors(container):
        networks = client.api.inspect_container(container)["NetworkSettings"]["Networks"]
    address = str(networks.get(network, {}).get("IPAddress", ""))
    if not address:
        raise StackError(f"has no address on {network}", where=container)
    return address


def await_node(address: str, clock: Clock, timeout_ns: int) -> None:
    """Wait until a node answers its chain id.

    Raises:
        StackError: it has not in time.
    """
    deadline_ns = clock.now_ns() + timeout_ns
    while not answers_chain_id(f"http://{address}:{PORT}", _ANSWER_MAX_S):
        if clock.now_ns() > deadline_ns:
            raise StackError(
                f"gave no answer at {address}:{PORT} after {timeout_ns / NS_PER_S:.1f} s",
                where="anvil",
            )
        clock.sleep_ns(_POLL_NS)
