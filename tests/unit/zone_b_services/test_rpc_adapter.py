"""The chain adapter on nodes without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from zone_b.chain_adapter import read_adapter_settings
from zone_b.rpc_adapter import Adapter, AdapterMetrics, is_repeatable
from zone_b.rpc_local import LocalChain
from zone_b.rpc_node import NodeError, Reply, parse_url
from zone_b.rpc_switch import Rules
from zone_b.settings import Settings, SettingsError

S = 1_000_000_000
RULES = Rules(lag_max=2, probes_up=3, hold_ns=5 * S)


class FakeNode:
    """A node that answers with its name, or fails as the test sets it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0
        self.block = 100
        self.error: NodeError | None = None

    def call(self, body: bytes) -> Reply:
        """Answer."""
        self.asked += 1
        if self.error:
            raise self.error
        return Reply(200, self.name.encode())

    def head(self) -> int:
        """Answer the block."""
        if self.error:
            raise self.error
        return self.block


class Bench:
    """An adapter on two such nodes, with a clock to turn."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.log: list[str] = []
        self.registry = CollectorRegistry()
        self.primary, self.fallback = FakeNode("primary"), FakeNode("fallback-1")
        self.adapter = Adapter(
            (self.primary, self.fallback),
            RULES,
            AdapterMetrics(self.registry),
            now_ns=lambda: self.now_ns,
            log=self.log.append,
        )

    def ask(self, method: str = "eth_call") -> bytes:
        """Body of the answer to a request."""
        return self.adapter.serve(request(method)).body

    def probe(self, rounds: int) -> None:
        """Probe once a second."""
        for _ in range(rounds):
            self.now_ns += S
            self.adapter.probe()

    def sample(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.registry.get_sample_value(name, labels)


def request(method: str) -> bytes:
    """A JSON-RPC request."""
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": []}).encode()


@pytest.fixture
def bench() -> Bench:
    """An adapter on two nodes."""
    return Bench()


def test_silence_makes_the_fallback_answer_and_stay(bench: Bench) -> None:
    """The request is answered all the same, and later ones do not wait for the primary."""
    assert bench.ask() == b"primary"
    bench.primary.error = NodeError("timeout", sent=True)
    assert bench.ask() == b"fallback-1"
    assert bench.ask() == b"fallback-1"
    assert bench.primary.asked == 2
    assert bench.sample("defi_rpc_switches_total", to="fallback-1") == 1
    assert bench.sample("defi_rpc_failures_total", node="primary", reason="timeout") == 1
    assert bench.log == ["fallback-1 takes over from primary"]


def test_primary_returns_after_its_probes(bench: Bench) -> None:
    """Not with the first good probe, but with the hold time over."""
    bench.primary.error = NodeError("timeout", sent=True)
    bench.ask()
    bench.primary.error = None
    bench.probe(4)
    assert bench.ask() == b"fallback-1"
    bench.probe(1)
    assert bench.ask() == b"primary"
    assert bench.sample("defi_rpc_switches_total", to="primary") == 1


def test_a_lagging_node_is_left(bench: Bench) -> None:
    """It answers, but what it says is old."""
    bench.fallback.block = 103
    bench.probe(1)
    assert bench.ask() == b"fallback-1"
    assert bench.sample("defi_rpc_up", node="primary") == 0


def test_what_may_have_been_done_is_not_asked_twice(bench: Bench) -> None:
    """A transaction that the node signs itself would be sent twice."""
    bench.primary.error = NodeError("timeout", sent=True)
    answer = bench.adapter.serve(request("eth_sendTransaction"))
    assert answer.code == 502
    assert json.loads(answer.body)["id"] == 7
    assert b"not asked elsewhere" in answer.body
    assert bench.fallback.asked == 0


def test_what_was_never_sent_is_asked_elsewhere(bench: Bench) -> None:
    """A refused connection has done nothing."""
    bench.primary.error = NodeError("unreachable", sent=False)
    assert bench.ask("eth_sendTransaction") == b"fallback-1"


def test_health_tells_the_active_node(bench: Bench) -> None:
    """Starting, then which node; bad when there is none."""
    assert not bench.adapter.health().good
    bench.probe(1)
    assert bench.adapter.health().detail == "ok: primary is active"
    bench.primary.error = bench.fallback.error = NodeError("timeout", sent=True)
    bench.probe(1)
    assert not bench.adapter.health().good
    assert bench.adapter.serve(request("eth_call")).code == 502


@pytest.mark.parametrize(
    ("body", "repeatable"),
    [
        (request("eth_getBalance"), True),
        (request("eth_sendRawTransaction"), True),
        (request("eth_sendTransaction"), False),
        (request("eth_getFilterChanges"), False),
        (request("evm_mine"), False),
        (b"[" + request("eth_call") + b"," + request("evm_mine") + b"]", False),
        (b"[]", True),
        (b"nonsense", True),
        (b'{"method": 5}', True),
    ],
)
def test_repeatable(body: bytes, repeatable: bool) -> None:
    """What changes a node's state goes to one node only."""
    assert is_repeatable(body) is repeatable


def test_local_chain_counts_with_the_clock() -> None:
    """Blocks come from Unix time and the block time."""
    chain = LocalChain(2 * S, 5)

    def ask(body: bytes) -> Any:
        return json.loads(chain.answer(body, 41 * S))

    assert ask(request("eth_blockNumber")) == {"jsonrpc": "2.0", "id": 7, "result": "0x14"}
    assert ask(b"[" + request("eth_chainId") + b"]")[0]["result"] == "0x5"
    assert ask(request("eth_call"))["error"]["code"] == -32601
    assert ask(b"{")["error"]["code"] == -32700
    assert ask(b"[]")["error"]["code"] == -32600
    assert ask(b"[5]")[0]["error"]["code"] == -32600


def test_settings_name_the_nodes_and_hide_the_urls() -> None:
    """Keys in a path reach neither a metric nor an error."""
    env = {"DEFI_RPC_URLS": "https://a.example/v2/KEY?k=2, http://b.example:8545"}
    own = read_adapter_settings(Settings(redis_url="redis://x"), env)
    assert [name for name, _ in own.nodes] == ["primary", "fallback-1"]
    assert (own.nodes[0][1].secure, own.nodes[0][1].port) == (True, 443)
    assert own.nodes[0][1].path == "/v2/KEY?k=2"
    assert "KEY" not in repr(own)
    assert own.timeout_ms == 100


@pytest.mark.parametrize("url", ["ws://h/KEY", "http://", "http://u:KEY@h", "http://h:KEY/", "KEY"])
def test_wrong_urls(url: str) -> None:
    """The error names the entry, not its value."""
    with pytest.raises(SettingsError, match="entry 2") as caught:
        parse_url(url, "entry 2")
    assert "KEY" not in str(caught.value)


def test_too_many_nodes() -> None:
    """The list is bounded."""
    env = {"DEFI_RPC_URLS": ",".join(["http://h"] * 9)}
    with pytest.raises(SettingsError, match="9 nodes"):
        read_adapter_settings(Settings(redis_url="redis://x"), env)
