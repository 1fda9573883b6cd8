"""The RPC node without a network, and how the engine reads the state from it; over loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from zone_b.amm import POOL_ADDRESS, RESERVE_IN, RESERVE_OUT, reserves_word
from zone_b.chain_node import StallableClock, chain_of
from zone_b.chain_state import PATH, ChainState, StateUnavailableError
from zone_b.http_service import Answer, Health, HttpService

S = 1_000_000_000
CHAIN = chain_of(2 * S, 5)


def ask(method: str, *params: object) -> Mapping[str, Any]:
    """One question at 41 s of Unix time."""
    asked = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    answer: Mapping[str, Any] = json.loads(CHAIN.answer(json.dumps(asked).encode(), 41 * S))
    return answer


def test_it_tells_blocks_and_the_pool() -> None:
    """The pool's reserves lie in its slot 0; everything else is empty."""
    assert ask("eth_blockNumber")["result"] == "0x14"
    assert ask("eth_getBlockByNumber", "0x14", False)["result"]["number"] == "0x14"
    held = ask("eth_getStorageAt", POOL_ADDRESS, "0x0", "0x14")["result"]
    assert int(held, 16) == reserves_word(RESERVE_IN, RESERVE_OUT)
    for address, slot in ((POOL_ADDRESS, "0x1"), ("0x" + "00" * 20, "0x0")):
        assert int(ask("eth_getStorageAt", address, slot, "0x14")["result"], 16) == 0


def test_a_watch_stands_still_and_catches_up() -> None:
    """Stalled twice, it keeps the time of the first stall."""
    now = [40 * S]
    watch = StallableClock(lambda: now[0])
    for stalls, expected in ((False, 41), (True, 42), (True, 42), (False, 44)):
        now[0] += S
        (watch.stall if stalls else watch.resume)()
        assert watch.wall_ns() == expected * S


@pytest.mark.parametrize("params", [(), ("0x0",), ("nonsense", "x", "0x1"), (5, None, "0x1")])
def test_wrong_parameters_are_refused(params: tuple[object, ...]) -> None:
    """With the code that JSON-RPC has for it."""
    assert ask("eth_getStorageAt", *params)["error"]["code"] == -32_602


@pytest.fixture
def adapter() -> Iterator[tuple[str, dict[str, Answer]]]:
    """A stand-in of the chain adapter, and its other answer, if a test sets one."""
    instead: dict[str, Answer] = {}

    def serve(body: bytes) -> Answer:
        return instead.get(json.loads(body)["method"]) or Answer(200, CHAIN.answer(body, 41 * S))

    made = HttpService("127.0.0.1", 0, CollectorRegistry(), lambda: Health(True), {PATH: serve})
    made.start()
    yield f"http://127.0.0.1:{made.port}", instead
    made.stop()


def test_the_engine_reads_the_reserves(adapter: tuple[str, dict[str, Answer]]) -> None:
    """Again and again over one connection."""
    state = ChainState(adapter[0])
    expected = reserves_word(RESERVE_IN, RESERVE_OUT)
    assert [state.reserves_word() for _ in range(3)] == [expected] * 3
    state.close()


@pytest.mark.parametrize("method", ["eth_blockNumber", "eth_getBlockByNumber", "eth_getStorageAt"])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(502, b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "none"}}'),
        Answer(200, b'{"jsonrpc": "2.0", "id": 1, "result": null}'),
        Answer(200, b"[]"),
        Answer(200, b"nonsense"),
    ],
    ids=["no node", "null", "list", "nonsense"],
)
def test_no_answer_is_no_state(
    adapter: tuple[str, dict[str, Answer]], method: str, answer: Answer
) -> None:
    """Whatever goes wrong is one kind of error, and the next try may succeed."""
    url, instead = adapter
    state = ChainState(url)
    instead[method] = answer
    with pytest.raises(StateUnavailableError):
        state.reserves_word()
    instead.clear()
    assert state.reserves_word() == reserves_word(RESERVE_IN, RESERVE_OUT)
    state.close()


def test_nobody_there_is_no_state() -> None:
    """A refused connection too."""
    with pytest.raises(StateUnavailableError):
        ChainState("http://127.0.0.1:1").reserves_word()
