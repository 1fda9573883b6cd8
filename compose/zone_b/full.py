"""Full simulation: the contract runs on an Anvil node, in calls that leave no state.

Code and reserves travel with every call as state overrides: nothing is deployed, no snapshot is
made, and workers that share the node cannot affect each other. The block is named by its number,
because a call at `latest` can race with a new head. A gate has the pool on its node instead.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from zone_b.amm import (
    POOL_ADDRESS,
    RESERVE_IN,
    RESERVE_OUT,
    RESERVES_SLOT,
    TRADER_ADDRESS,
    SimulationRevertedError,
    SwapOutcome,
    artifact,
    decode_outcome,
    reserves_word,
)

LIMIT_NS = 600_000_000
_GAS_LIMIT = hex(1_000_000)
_ANSWER_BYTES_MAX = 8_000_000

_Json = dict[str, Any]


class SimulationTimeoutError(Exception):
    """The node took longer than it may."""


class SimulationUnavailableError(Exception):
    """There is no node, or it cannot be talked to."""


# What became of one call.
Answer = SwapOutcome | SimulationRevertedError | SimulationTimeoutError | SimulationUnavailableError


class FullSimulator:
    """A connection to one node, or to none.

    Args:
        url: `http://host:port`; empty when there is no node.
        limit_ns: how long the calls of one batch may take together.
        deployed: whether the pool lies on the node, and no state travels with the calls.
    """

    def __init__(self, url: str, limit_ns: int = LIMIT_NS, *, deployed: bool = False) -> None:
        self._address = urlsplit(url).netloc
        self._limit_ns = limit_ns
        self._connection: http.client.HTTPConnection | None = None
        self._block: str | None = None
        self._head = -1
        pool = {
            "code": "0x" + artifact().code.hex(),
            "stateDiff": {_word(RESERVES_SLOT): _word(reserves_word(RESERVE_IN, RESERVE_OUT))},
        }
        self._overrides = {} if deployed else {POOL_ADDRESS: pool}

    def simulate(self, amounts_in_wei: Sequence[int], head: int) -> list[Answer]:
        """What each of these swaps would do, all asked in one request.

        Args:
            amounts_in_wei: amounts to pay in.
            head: height of the chain as the events report it; the node is asked for its own when
                this moves.
        """
        if not self._address:
            return [SimulationUnavailableError("no node is configured")] * len(amounts_in_wei)
        deadline_ns = time.monotonic_ns() + self._limit_ns
        if head != self._head:
            self._head, self._block = head, None
        try:
            answers = self._ask(amounts_in_wei, deadline_ns)
            if any(_lost_block(answer) for answer in answers):
                self._block = None
                answers = self._ask(amounts_in_wei, deadline_ns)
        except TimeoutError:
            self.close()
            return [SimulationTimeoutError(f"no answer in {self._limit_ns // 10**6} ms")] * len(
                amounts_in_wei
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return [SimulationUnavailableError(str(error))] * len(amounts_in_wei)
        return [_read(answer) for answer in answers]

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._block = None

    def _ask(self, amounts_in_wei: Sequence[int], deadline_ns: int) -> list[_Json]:
        if self._block is None:
            self._block = str(
                self._post([_request(0, "eth_blockNumber")], deadline_ns)[0]["result"]
            )
        return self._post(
            [
                _request(index, "eth_call", self._call(amount), self._block, self._overrides)
                for index, amount in enumerate(amounts_in_wei)
            ],
            deadline_ns,
        )

    def _call(self, amount_in_wei: int) -> _Json:
        return {
            "from": TRADER_ADDRESS,
            "to": POOL_ADDRESS,
            "gas": _GAS_LIMIT,
            "data": "0x" + artifact().calldata(amount_in_wei).hex(),
        }

    def _post(self, requests: list[_Json], deadline_ns: int) -> list[_Json]:
        """Send a JSON-RPC batch; its answers in the order of the requests."""
        connection = self._connection
        if connection is None:
            connection = http.client.HTTPConnection(self._address, timeout=_left_s(deadline_ns))
            self._connection = connection
            connection.connect()
        _set_timeout(connection, deadline_ns)
        connection.request(
            "POST", "/", json.dumps(requests).encode(), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        body = bytearray()
        while len(body) < _ANSWER_BYTES_MAX:
            # A node that trickles its answer must not get a new limit with every byte.
            _set_timeout(connection, deadline_ns)
            part = response.read1()
            if not part:
                break
            body += part
        response.close()  # or the connection would not take another request
        answers = json.loads(body)
        if not isinstance(answers, list) or len(answers) != len(requests):
            raise ValueError("the node's answer does not fit the request")
        return sorted(answers, key=lambda answer: int(answer["id"]))


def _request(index: int, method: str, *params: Any) -> _Json:
    return {"jsonrpc": "2.0", "id": index, "method": method, "params": list(params)}


def _lost_block(answer: _Json) -> bool:
    """Whether the node does not know the block any more: it was restarted, or has moved on."""
    message = str(answer.get("error", {}).get("message", ""))
    return "BlockOutOfRange" in message or "block not found" in message.lower()


def _read(answer: _Json) -> Answer:
    error = answer.get("error")
    if error is not None:
        message = str(error.get("message", error))
        if error.get("code") == 3 or "revert" in message.lower():
            return SimulationRevertedError(message)
        return SimulationUnavailableError(message)
    try:
        return decode_outcome(bytes.fromhex(str(answer["result"])[2:]))
    except SimulationRevertedError as reverted:
        return reverted


def _word(value: int) -> str:
    return f"0x{value:064x}"


def _left_s(deadline_ns: int) -> float:
    left_s = (deadline_ns - time.monotonic_ns()) / 1e9
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _set_timeout(connection: http.client.HTTPConnection, deadline_ns: int) -> None:
    left_s = _left_s(deadline_ns)
    if connection.sock is not None:
        connection.sock.settimeout(left_s)
