"""JSON-RPC to a node over a connection that is kept, with a limit for every answer."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import Any

from harness.errors import HarnessError
from harness.http_client import HttpClient

_ANSWER_BYTES_MAX = 8 << 20


class RefusedError(Exception):
    """The node answered with an error."""


class LostError(HarnessError):
    """No answer came: in time, or at all."""


class Rpc:
    """A connection to one node.

    Args:
        url: `http://host:port`.
        timeout_s: the longest that an answer may take.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._client = HttpClient(url, timeout_s, _ANSWER_BYTES_MAX)

    def ask(self, method: str, *params: object) -> Any:
        """What the node answers.

        Raises:
            RefusedError: it answers with an error.
            LostError: it does not answer.
        """
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        try:
            answer = json.loads(self._client.post_json(json.dumps(asked).encode()).body)
        except (OSError, ValueError) as error:
            self.close()
            raise LostError(f"{method}: {error!r}", where="gate's node") from error
        if isinstance(answer, dict) and "result" in answer:
            return answer["result"]
        error_told = answer.get("error") if isinstance(answer, dict) else None
        message = error_told.get("message") if isinstance(error_told, dict) else answer
        raise RefusedError(f"{method}: {message}")

    def number(self, method: str, *params: object) -> int:
        """An answer that is a number in hex."""
        return int(str(self.ask(method, *params)), 16)

    def close(self) -> None:
        """Drop the connection; the next question opens another."""
        self._client.close()


def answers_chain_id(url: str, timeout_s: float) -> bool:
    """Whether a node tells its chain id, asked over a connection of its own."""
    with closing(Rpc(url, timeout_s)) as rpc, suppress(RefusedError, LostError):
        return rpc.ask("eth_chainId") is not None
    return False
