"""The state of the chain's head as the chain adapter reports it, for simulation in memory."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from zone_b.amm import POOL_ADDRESS, RESERVES_SLOT

PATH = "/rpc"
# The adapter asks each of its nodes for 100 ms at most, and has eight at most.
LIMIT_S = 1.0
_ANSWER_BYTES_MAX = 1 << 20


class StateUnavailableError(Exception):
    """No node reports the state."""


class ChainState:
    """A connection to the chain adapter.

    Args:
        url: `http://host:port` of the adapter.
    """

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._connection: http.client.HTTPConnection | None = None

    def reserves_word(self) -> int:
        """What the pool's slot `RESERVES_SLOT` holds at the head.

        Three questions, each of which needs the answer to the one before: the head's number, its
        block (to know that the node has it), and the slot at that block.

        Raises:
            StateUnavailableError: no node answered, or the answer is none.
        """
        try:
            number = self._ask("eth_blockNumber")
            block = self._ask("eth_getBlockByNumber", number, False)
            slot = hex(RESERVES_SLOT)
            return int(self._ask("eth_getStorageAt", POOL_ADDRESS, slot, block["number"]), 16)
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            self.close()
            raise StateUnavailableError(str(error)) from error

    def close(self) -> None:
        """Drop the connection; the next question opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _ask(self, method: str, *params: object) -> Any:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._address, timeout=LIMIT_S)
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        self._connection.request(
            "POST", PATH, json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        answer = json.loads(self._connection.getresponse().read(_ANSWER_BYTES_MAX))
        if not isinstance(answer, dict) or "result" not in answer:
            raise ValueError(f"no result of {method}")
        return answer["result"]
