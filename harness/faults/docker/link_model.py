"""What a slow, lossy or narrow line does to a packet: when it comes out, or that it never does.

Only the standard library: the relay that asks it runs on the bare interpreter.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

_NS_PER_S = 1_000_000_000
_BITS_PER_BYTE = 8
# What would wait longer for its turn is dropped, as by the full queue of a router. TCP learns
# from it; without a limit the queue would hold as much as all windows together allow.
QUEUE_NS = 500_000_000


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """A line; all zero is one that does nothing.

    Attributes:
        delay_ns: how much later each packet comes out.
        jitter_ns: it varies by up to so much, either way; at most `delay_ns`.
        loss_share: share of packets that never do, 0..1.
        bits_per_s: how fast they may follow each other, headers of IP included; 0 for no limit.
        seed: of the losses and the jitter.
    """

    delay_ns: int = 0
    jitter_ns: int = 0
    loss_share: float = 0.0
    bits_per_s: int = 0
    seed: str = ""


@dataclass
class LinkModel:
    """Follows the packets of one direction. What comes out keeps the order of what went in."""

    settings: LinkSettings
    _chance: random.Random = field(init=False)
    _free_ns: int = field(default=0, init=False)
    _last_ns: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.settings.seed)  # noqa: S311 - repeatable, not secret

    def out_ns(self, now_ns: int, size_bytes: int) -> int | None:
        """When a packet that comes in now goes out; None for never.

        Args:
            now_ns: monotonic; never less than the last time.
            size_bytes: with all its headers.
        """
        settings = self.settings
        if self._chance.random() < settings.loss_share:
            return None
        out_ns = now_ns
        if settings.bits_per_s:
            start_ns = max(now_ns, self._free_ns)
            if start_ns - now_ns > QUEUE_NS:
                return None
            bits = size_bytes * _BITS_PER_BYTE
            out_ns = self._free_ns = start_ns + bits * _NS_PER_S // settings.bits_per_s
        out_ns += settings.delay_ns
        if settings.jitter_ns:
            out_ns += self._chance.randint(-settings.jitter_ns, settings.jitter_ns)
        self._last_ns = max(self._last_ns, out_ns)
        return self._last_ns
