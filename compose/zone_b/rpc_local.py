"""A chain without a network: what the adapter serves while no RPC node is configured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Params = Sequence[Any]

# JSON-RPC 2.0, section 5.1 (https://www.jsonrpc.org/specification#error_object).
_PARSE_ERROR = -32_700
_INVALID = -32_600
_UNKNOWN_METHOD = -32_601
_WRONG_PARAMS = -32_602
_BATCH_MAX = 100


class LocalChain:
    """Counts blocks from Unix time 0, so that every restart answers the same height.

    Args:
        block_time_ns: time between two blocks.
        chain_id: what it calls itself.
        more: what answers further methods, each from the parameters.
    """

    def __init__(
        self,
        block_time_ns: int,
        chain_id: int,
        more: Mapping[str, Callable[[Params], object]] | None = None,
    ) -> None:
        self._block_time_ns = block_time_ns
        self._chain_id = chain_id
        self._more = dict(more or {})

    def block(self, wall_ns: int) -> int:
        """Height at a Unix time in ns."""
        return wall_ns // self._block_time_ns

    def answer(self, body: bytes, wall_ns: int) -> bytes:
        """Answer a JSON-RPC request or a batch of them."""
        try:
            asked = json.loads(body)
        except ValueError:
            return _dump(_error(None, _PARSE_ERROR, "not JSON"))
        if not isinstance(asked, list):
            return _dump(self._one(asked, wall_ns))
        if not 0 < len(asked) <= _BATCH_MAX:
            return _dump(_error(None, _INVALID, f"a batch holds 1 to {_BATCH_MAX} requests"))
        return _dump([self._one(one, wall_ns) for one in asked])

    def _one(self, asked: Any, wall_ns: int) -> dict[str, Any]:
        if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
            return _error(None, _INVALID, "not a JSON-RPC request")
        values = {
            "eth_blockNumber": hex(self.block(wall_ns)),
            "eth_chainId": hex(self._chain_id),
            "eth_syncing": False,
            "net_version": str(self._chain_id),
            "web3_clientVersion": "local-head",
        }
        method = asked["method"]
        if method in self._more:
            return self._further(method, asked)
        if method not in values:
            text = f"{method} needs a node, and DEFI_RPC_URLS names none"
            return _error(asked.get("id"), _UNKNOWN_METHOD, text)
        return {"jsonrpc": "2.0", "id": asked.get("id"), "result": values[method]}

    def _further(self, method: str, asked: dict[str, Any]) -> dict[str, Any]:
        identity = asked.get("id")
        try:
            result = self._more[method](asked.get("params") or [])
        except (ValueError, TypeError, LookupError):
            return _error(identity, _WRONG_PARAMS, f"these are no parameters of {method}")
        return {"jsonrpc": "2.0", "id": identity, "result": result}


def _error(identity: Any, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": text}}


def _dump(document: Any) -> bytes:
    return json.dumps(document).encode()
