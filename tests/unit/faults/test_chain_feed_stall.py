"""Stalled feeds of the chain: how they are injected, and how they are proven."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from harness.errors import StackError
from harness.faults import health_checks
from harness.faults.kinds import chain_staleness
from harness.faults.kinds.chain_staleness import (
    ChainFeedStallInjector,
    ChainFeedStallProbe,
    StaleNodeProbe,
    failover_evidence,
)
from harness.process.feed_stall_signals import handles_signal

# Written as a whole at once: a handler may run in the middle of a print.
LISTENER = (
    "import os, signal, sys\n"
    "signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b'still\\n'))\n"
    "signal.signal(signal.SIGUSR2, lambda *_: os.write(1, b'on\\n'))\n"
    "os.write(1, b'up\\n')\n"
    "sys.stdin.read()\n"
)
DEAF = "import sys\nprint('up', flush=True)\nsys.stdin.read()\n"


@contextmanager
def running(text: str) -> Iterator[subprocess.Popen[str]]:
    """A program that prints when it is up, and ends with its input."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", text],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
        process.kill()


def test_a_listener_gets_both_signals() -> None:
    """To stall, and to go on; a second healing has no effect."""
    with running(LISTENER) as process:
        injector = ChainFeedStallInjector(lambda: {"swarm-0": process.pid})
        injector.inject()
        assert process.stdout is not None
        assert process.stdout.readline() == "still\n"
        injector.heal()
        assert process.stdout.readline() == "on\n"
        injector.heal()
    injector.heal()


def test_who_does_not_listen_is_left_alone() -> None:
    """The signal would end it."""
    with running(DEAF) as process:
        assert not handles_signal(process.pid, signal.SIGUSR1)
        injector = ChainFeedStallInjector(lambda: {"swarm-0": process.pid})
        with pytest.raises(StackError, match="no handler"):
            injector.inject()
        injector.heal()
        assert process.poll() is None
    with pytest.raises(StackError, match="does not run"):
        injector.inject()
    with pytest.raises(StackError, match="no process"):
        ChainFeedStallInjector(dict).inject()


class Chain:
    """Redis with events of the chain, as far as the probe asks it."""

    def __init__(self) -> None:
        self.newest = 10
        self.delivered = {b"cg:agent:0000": 10, b"cg:agent:0001": 10, b"cg:agent:host": 3}
        self.away = False

    def __enter__(self) -> Chain:
        if self.away:
            raise redis.ConnectionError("away")
        return self

    def __exit__(self, *_: object) -> None: ...

    def xinfo_groups(self, key: str) -> list[dict[str, Any]]:
        assert key == "dev:chain"
        return [
            {"name": name, "last-delivered-id": f"{block}-0".encode()}
            for name, block in self.delivered.items()
        ]

    def xrange(self, key: str, first: str, last: str, count: int) -> list[str]:
        assert (key, last, first[0]) == ("dev:chain", "+", "(")
        return ["x"] * min(count, self.newest - int(first[1:].partition("-")[0]))


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Chain:
    """One on which no agent lags, but another group does."""
    made = Chain()
    monkeypatch.setattr(health_checks, "redis_client", lambda *_: made)
    return made


PROBE = ChainFeedStallProbe("redis://", "dev:chain", frozenset({"cg:agent:0000", "cg:agent:0001"}))


def test_agents_lag_when_all_of_them_do(chain: Chain) -> None:
    """By two blocks at least: one may be on its way at any poll."""
    PROBE.before()
    assert PROBE.ended()
    for newest, text in ((11, ""), (12, "newest 2 blocks, which none of 2 groups"), (15, "5")):
        chain.newest = newest
        assert text in PROBE.holds()
        assert bool(PROBE.holds()) == bool(text)
        assert PROBE.ended() == ""
    with pytest.raises(StackError, match="stale before"):
        PROBE.before()
    chain.delivered[b"cg:agent:0001"] = 15
    assert PROBE.holds() == PROBE.ended() == ""
    chain.delivered[b"cg:agent:0000"] = 15
    assert "each of 2 groups" in PROBE.ended()
    chain.delivered = {b"cg:agent:host": 3}
    assert "no group of an agent is left" in PROBE.ended()
    assert PROBE.holds() == ""


def test_no_answer_of_redis_proves_nothing(chain: Chain) -> None:
    """Neither that they lag, nor that they do not."""
    chain.newest, chain.away = 20, True
    assert PROBE.holds() == PROBE.ended() == ""
    with pytest.raises(StackError, match="no group of an agent"):
        PROBE.before()


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """The newest blocks of the nodes, by their URL."""
    blocks: dict[str, int | None] = {"one": 20, "two": 20}
    monkeypatch.setattr(chain_staleness, "block_number", lambda url: blocks[url])
    return blocks


NODES: Mapping[str, str] = {"rpc-primary": "one", "rpc-fallback-1": "two"}


def test_a_node_lags_another(heads: dict[str, int | None]) -> None:
    """By its own answers; one that does not answer is another fault."""
    probe = StaleNodeProbe(NODES, "rpc-primary", lambda: "")
    probe.before()
    assert probe.holds() == ""
    assert probe.ended()
    heads["two"] = 23
    assert "lags another node by 3 blocks" in probe.holds()
    assert probe.ended() == ""
    with pytest.raises(StackError, match="lags before"):
        probe.before()
    heads["one"] = None
    assert probe.holds() == probe.ended() == ""
    heads["one"] = 24  # asked later than the other
    assert probe.ended()


def test_a_node_that_nobody_asks_cannot_be_left(heads: dict[str, int | None]) -> None:
    """That another one is active would be no answer to the fault."""
    assert heads
    probe = StaleNodeProbe(NODES, "rpc-primary", lambda: "fallback-1 is active")
    with pytest.raises(StackError, match="is not asked before its fault: fallback-1 is active"):
        probe.before()


@pytest.mark.parametrize(
    ("text", "is_left"),
    [
        ("ok: primary is active", False),
        ("ok: fallback-1 is active", True),
        ("none of 2 RPC nodes is usable", False),
        ("", False),
    ],
)
def test_the_adapter_says_which_node_it_asks(
    text: str, is_left: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name that it has for it."""
    monkeypatch.setattr(chain_staleness, "read_health", lambda _: text)
    assert bool(failover_evidence("http://127.0.0.1:1/metrics", "rpc-primary")) == is_left
