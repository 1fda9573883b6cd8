"""JSON-RPC over several nodes: the active one first, the next one when it does not answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from zone_b.http_service import Answer, Health
from zone_b.rpc_node import NodeError, Reply
from zone_b.rpc_switch import Rules, Switch

_NS_PER_MS = 1e6
_MS_BUCKETS = (0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 500, 1000)
_SERVER_ERROR = -32_000  # JSON-RPC 2.0: the range of errors that a server defines
# Asking these twice is as asking once; a signed transaction has one hash wherever it is sent.
_REPEATABLE = frozenset({
    "eth_accounts", "eth_blockNumber", "eth_call", "eth_chainId", "eth_createAccessList",
    "eth_estimateGas", "eth_feeHistory", "eth_gasPrice", "eth_maxPriorityFeePerGas",
    "eth_sendRawTransaction", "eth_syncing", "net_version", "web3_clientVersion", "web3_sha3",
})  # fmt: skip
_REPEATABLE_PREFIX = "eth_get"
_FILTERS = frozenset({"eth_getFilterChanges", "eth_getFilterLogs"})


class RpcNode(Protocol):
    """A node, as the adapter sees it."""

    @property
    def name(self) -> str:
        """For metrics and the log."""
        ...

    def call(self, body: bytes) -> Reply:
        """Ask; raises NodeError."""
        ...

    def head(self) -> int:
        """Its newest block; raises NodeError."""
        ...


class AdapterMetrics:
    """The adapter's metrics, by the nodes' names."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.duration = Histogram(
            "defi_rpc_request_duration_ms",
            "Time that a node took to answer, or until it was given up, in ms",
            ["node"],
            buckets=_MS_BUCKETS,
            registry=registry,
        )
        self.failures = Counter(
            "defi_rpc_failures", "Calls without an answer", ["node", "reason"], registry=registry
        )
        self.switches = Counter(
            "defi_rpc_switches", "Changes of the active node", ["to"], registry=registry
        )
        self.up = Gauge("defi_rpc_up", "1 if the node may be asked", ["node"], registry=registry)
        self.head = Gauge(
            "defi_rpc_head_block", "Head at the last probe", ["node"], registry=registry
        )


class Adapter:
    """Several nodes under one address. For many threads.

    Args:
        nodes: in order of preference; at least one.
        rules: when a node falls and rises.
        metrics: count every call.
        now_ns: monotonic clock.
        log: called with a line for the log at each change of the active node.
    """

    def __init__(
        self,
        nodes: Sequence[RpcNode],
        rules: Rules,
        metrics: AdapterMetrics,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._nodes = tuple(nodes)
        self._switch = Switch.of(len(self._nodes), rules)
        self._metrics = metrics
        self._now_ns = now_ns
        self._log = log
        self._lock = threading.Lock()
        self._probed = False
        self._probers = ThreadPoolExecutor(len(self._nodes), thread_name_prefix="probe")

    def serve(self, body: bytes) -> Answer:
        """Pass a JSON-RPC request to the first node that answers it in time."""
        reasons = []
        for index in self._switch.candidates():
            try:
                reply = self._call(index, body)
            except NodeError as error:
                reasons.append(f"{self._nodes[index].name}: {error.reason}")
                if error.sent and not is_repeatable(body):
                    reasons.append("not asked elsewhere, since it may have been done")
                    break
            else:
                return Answer(reply.code, reply.body)
        return _refusal(body, "; ".join(reasons) or "every node lags behind the best head")

    def probe(self) -> None:
        """Ask every node for its head, all at once; then judge them."""
        heads = tuple(self._probers.map(self._head, self._nodes))
        for node, head in zip(self._nodes, heads, strict=True):
            if head is not None:
                self._metrics.head.labels(node.name).set(head)
        self._change(lambda switch: switch.probed(heads, self._now_ns()))
        self._probed = True

    def health(self) -> Health:
        """Good while a node is usable."""
        switch = self._switch
        if not self._probed:
            return Health(False, "starting")
        if not switch.usable:
            return Health(False, f"none of {len(self._nodes)} RPC nodes is usable")
        return Health(True, f"ok: {self._nodes[switch.active].name} is active")

    def close(self) -> None:
        """End the probing threads."""
        self._probers.shutdown(wait=False, cancel_futures=True)

    def _call(self, index: int, body: bytes) -> Reply:
        node = self._nodes[index]
        began = self._now_ns()
        try:
            return node.call(body)
        except NodeError as error:
            self._metrics.failures.labels(node.name, error.reason).inc()
            self._change(lambda switch: switch.failed(index, self._now_ns()))
            raise
        finally:
            self._metrics.duration.labels(node.name).observe((self._now_ns() - began) / _NS_PER_MS)

    def _head(self, node: RpcNode) -> int | None:
        try:
            return node.head()
        except NodeError as error:
            self._metrics.failures.labels(node.name, error.reason).inc()
            return None

    def _change(self, change: Callable[[Switch], Switch]) -> None:
        with self._lock:
            before, self._switch = self._switch, change(self._switch)
            after = self._switch
        for node, state in zip(self._nodes, after.nodes, strict=True):
            self._metrics.up.labels(node.name).set(state.up)
        if after.active != before.active:
            name = self._nodes[after.active].name
            self._metrics.switches.labels(name).inc()
            self._log(f"{name} takes over from {self._nodes[before.active].name}")


def is_repeatable(body: bytes) -> bool:
    """Whether a request, or every request of a batch, may be sent to a second node."""
    try:
        asked = json.loads(body)
    except ValueError:
        return True  # a node will refuse it
    return all(_is_read(one) for one in _each(asked))


def _is_read(asked: Any) -> bool:
    method = asked.get("method") if isinstance(asked, dict) else None
    if not isinstance(method, str):
        return True
    reads = method.startswith(_REPEATABLE_PREFIX) and method not in _FILTERS
    return reads or method in _REPEATABLE


def _each(asked: Any) -> Iterable[Any]:
    return asked if isinstance(asked, list) else (asked,)


def _refusal(body: bytes, reason: str) -> Answer:
    try:
        asked = json.loads(body)
    except ValueError:
        asked = None
    identity = asked.get("id") if isinstance(asked, dict) else None
    error = {"code": _SERVER_ERROR, "message": f"no RPC node answered ({reason})"}
    document = {"jsonrpc": "2.0", "id": identity, "error": error}
    return Answer(502, json.dumps(document).encode())
