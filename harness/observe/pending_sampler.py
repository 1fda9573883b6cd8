"""Samples the pending entries, by consumer, of the group that agents share.

After the run it is unknown which agent claimed the entries of another: Redis forgets an entry once
it is acknowledged. One XPENDING, four times a second, costs Redis some 20 us each time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis

from harness.clock import Clock
from harness.contract.names import Contract
from harness.observe.proposals_sampler import ProposalsSampler

# Pending events listed per sample, the oldest first.
PENDING_MAX = 1_000


class PendingSampler(ProposalsSampler):
    """Writes `pool.jsonl`. A Redis that does not answer leaves a gap.

    Args:
        url: Redis, with password.
        contract: names of stream and group.
        path: the file.
        clock: monotonic time.
    """

    def __init__(self, url: str, contract: Contract, path: Path, clock: Clock) -> None:
        super().__init__(url, contract, path, clock)
        self.name = "pool-watch"
        self._key = contract.key(contract.streams.chain_events or "")
        self._group = contract.streams.agents_group

    def _ask(self) -> dict[str, Any]:
        try:
            found: Any = self._client.xpending_range(self._key, self._group, "-", "+", PENDING_MAX)
        except redis.ResponseError:  # there is no such stream or group (yet)
            return {"pending": None}
        return pending_of(found)


def pending_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of a line: ids by consumer, in order.

    Args:
        found: answer to XPENDING with a range.
    """
    pending: dict[str, list[str]] = {}
    for entry in found:
        pending.setdefault(_text(entry["consumer"]), []).append(_text(entry["message_id"]))
    return {"pending": pending, "whole": len(found) < PENDING_MAX}


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
