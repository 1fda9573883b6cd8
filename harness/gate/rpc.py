"""JSON-RPC to a node over a persistent connection, with a timeout for every answer."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from harness.errors import HarnessError

_ANSWER_BYTES_MAX = 8_000_000


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
        self._address = urlsplit(url).netloc
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, *params: object) -> Any:
        """The answer of the node.

        Raises:
            RefusedError: it answers with an error.
            LostError: it does not answer.
        """
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        try:
            connection = self._connection
            if connection is None:
                connection = http.client.HTTPConnection(self._address, timeout=self._timeout_s)
                self._connection = connection
            connection.request(
                "POST", "/", json.dumps(request).encode(), {"Content-Type": "application/json"}
            )
            answer = json.loads(connection.getresponse().read(_ANSWER_BYTES_MAX))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise LostError(f"{method}: {error!r}", where="gate's node") from error
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
        if self._connection is not None:
            self._connection.close()
        self._connection = None
