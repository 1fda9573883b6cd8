"""The chain adapter (`python -m zone_b.chain_adapter`): one door to several RPC nodes.

POST /rpc accepts JSON-RPC. In addition to the shared variables it reads

    DEFI_RPC_URLS            nodes, separated by commas, the primary first; none: a local chain head
    DEFI_RPC_TIMEOUT_MS      how long a node may take for an answer (100)
    DEFI_RPC_PROBE_EVERY_MS  time between two probes of every node (1000)
    DEFI_RPC_HOLD_MS         shortest time that a node which fell is left alone (5000)
    DEFI_CHAIN_ID            what the local chain head calls itself (1)

Filters and subscriptions live in one node and do not survive a change of it; `ws://` URLs are
refused.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge

from zone_b.env_variables import port, read_list, whole
from zone_b.http_service import Answer, Health, HttpService
from zone_b.rpc_adapter import Adapter, AdapterMetrics
from zone_b.rpc_local import LocalChain
from zone_b.rpc_node import Address, Node, parse_url
from zone_b.rpc_switch import Rules
from zone_b.service_lifecycle import run_until_stopped
from zone_b.settings import Settings, SettingsError, read_settings

_NODES_MAX = 8
_NS_PER_MS = 1_000_000

_LOG = logging.getLogger("zone_b.chain_adapter")


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """The service's own settings; times in ms."""

    nodes: tuple[tuple[str, Address], ...]
    timeout_ms: int
    probe_every_ms: int
    rules: Rules
    chain_id: int


def read_adapter_settings(shared: Settings, env: Mapping[str, str]) -> AdapterSettings:
    """Settings from the environment.

    Raises:
        SettingsError: a value is out of range, or a URL is none that can be used.
    """
    urls = read_list(env, "DEFI_RPC_URLS")
    if len(urls) > _NODES_MAX:
        raise SettingsError(f"DEFI_RPC_URLS names {len(urls)} nodes, more than {_NODES_MAX}")
    names = ("primary", *(f"fallback-{number}" for number in range(1, _NODES_MAX)))
    return AdapterSettings(
        nodes=tuple(
            (name, parse_url(url, f"entry {number} of DEFI_RPC_URLS"))
            for number, (name, url) in enumerate(zip(names, urls, strict=False), start=1)
        ),
        timeout_ms=whole(env, "DEFI_RPC_TIMEOUT_MS", 100, 1, 60_000),
        probe_every_ms=whole(env, "DEFI_RPC_PROBE_EVERY_MS", 1000, 10, 60_000),
        rules=Rules(
            lag_max=shared.watermark_max_lag,
            hold_ns=whole(env, "DEFI_RPC_HOLD_MS", 5000, 0, 60_000) * _NS_PER_MS,
        ),
        chain_id=whole(env, "DEFI_CHAIN_ID", 1, 1, 1 << 62),
    )


def run(shared: Settings, own: AdapterSettings, stop: threading.Event) -> None:
    """Serve until the signal to stop.

    Raises:
        OSError: the port is in use.
    """
    if own.nodes:
        _run_nodes(shared, own, stop)
    else:
        _run_local(shared, own, stop)


def _run_nodes(shared: Settings, own: AdapterSettings, stop: threading.Event) -> None:
    registry = CollectorRegistry()
    nodes = [Node(name, address, own.timeout_ms / 1000) for name, address in own.nodes]
    adapter = Adapter(nodes, own.rules, AdapterMetrics(registry), log=_LOG.warning)
    http = HttpService(
        shared.http_host, shared.http_port, registry, adapter.health, {"/rpc": adapter.serve}
    )
    http.start()
    try:
        adapter.probe()
        while not stop.wait(own.probe_every_ms / 1000):
            adapter.probe()
    finally:
        http.stop()
        adapter.close()
        for node in nodes:
            node.close()


def _run_local(shared: Settings, own: AdapterSettings, stop: threading.Event) -> None:
    registry = CollectorRegistry()
    chain = LocalChain(round(shared.block_time_s * 1e9), own.chain_id)
    Gauge("defi_rpc_head_block", "Head", ["node"], registry=registry).labels("local").set_function(
        lambda: chain.block(time.time_ns())
    )
    http = HttpService(
        shared.http_host,
        shared.http_port,
        registry,
        lambda: _local_health(chain),
        {"/rpc": lambda body: Answer(200, chain.answer(body, time.time_ns()))},
    )
    http.start()
    _LOG.info("DEFI_RPC_URLS is empty: serving a local chain head")
    stop.wait()
    http.stop()


def _local_health(chain: LocalChain) -> Health:
    block = chain.block(time.time_ns())
    return Health(True, f"ok: no RPC node is configured; this is a local chain head at {block}")


def main() -> int:
    """Run the chain adapter; the exit code."""
    return run_until_stopped("chain_adapter", _work)


def _work(stop: threading.Event) -> None:
    shared = read_settings()
    port(shared.http_port)
    run(shared, read_adapter_settings(shared, os.environ), stop)


if __name__ == "__main__":
    sys.exit(main())
