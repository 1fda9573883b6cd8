"""JSON-RPC to a node over a persistent connection, with a timeout for every answer."""

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
    """No answer arrived in time."""


class Rpc:
    """A connection to one node.

    Args:
        url: `http://host:port`.
        timeout_s: for an answer.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._client = HttpClient(url, timeout_s, _ANSWER_BYTES_MAX)

    def ask(self, method: str, *params: object) -> Any:
        """The answer of the node.

        Raises:
            RefusedError: it answers with an error.
            LostError: it does not answer.
        """
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        try:
            answer = json.loads(self._client.post_json(json.dumps(request).encode()).body)
        except (OSError, ValueError) as error:
            self.close()
            raise LostError(f"{method}: {error!r}", where="node") from error
        if isinstance(answer, dict) and "result" in answer:
            return answer["result"]
        refusal = answer.get("error") if isinstance(answer, dict) else None
        message = refusal.get("message") if isinstance(refusal, dict) else answer
        raise RefusedError(f"{method}: {message}")

    def number(self, method: str, *params: object) -> int:
        """An answer that is a number in hex."""
        return int(str(self.ask(method, *params)), 16)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._client.close()


def answers_chain_id(url: str, timeout_s: float) -> bool:
    """Whether a node returns its chain id, over a new connection."""
    with closing(Rpc(url, timeout_s)) as rpc, suppress(RefusedError, LostError):
        return rpc.ask("eth_chainId") is not None
    return False
