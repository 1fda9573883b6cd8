"""When a defect strikes."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from zone_b.defects.spec import When

_NS_PER_S = 1_000_000_000
_BYTES = 6


class TimeOrigin:
    """The moment from which a worker counts: its first signal.

    Args:
        now_ns: monotonic clock.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._first_ns: int | None = None

    def begin(self) -> None:
        """A signal is there; only the first one counts."""
        if self._first_ns is None:
            self._first_ns = self._now_ns()

    def elapsed_s(self) -> float:
        """Seconds since the first signal; negative while there was none."""
        if self._first_ns is None:
            return -1.0
        return (self._now_ns() - self._first_ns) / _NS_PER_S


class Trigger:
    """Decides for one defect, opportunity by opportunity.

    Args:
        name: the defect's; two defects of one rate strike different signals.
        when: what was asked for.
        origin: where its times begin.
        struck: how often it struck in former lives of the engine.
    """

    def __init__(self, name: str, when: When, origin: TimeOrigin, struck: int = 0) -> None:
        self._name = name
        self._when = when
        self._origin = origin
        self._struck = struck
        self._opportunities = 0
        self._period = -1

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first signal; negative while there was none."""
        return self._origin.elapsed_s()

    def strikes(self, key: str = "") -> bool:
        """Whether the defect occurs at this opportunity.

        Args:
            key: names the opportunity. A rate decides by it alone, so that every worker decides
                the same about a signal, however often it is delivered.
        """
        when = self._when
        since_s = self.elapsed_s - when.after_s
        if self.elapsed_s < 0 or since_s < 0 or self._is_used_up():
            return False
        if not self._is_chosen(key):
            return False
        if when.every_s is not None:
            period, into_s = int(since_s // when.every_s), since_s % when.every_s
            if into_s >= when.for_s if when.for_s is not None else period == self._period:
                return False
            self._period = period
        self._struck += 1
        return True

    def stretch_left_s(self) -> float:
        """How much of the present stretch (`for_s` of `every_s`) is left; 0 between two."""
        when = self._when
        since_s = self.elapsed_s - when.after_s
        if self.elapsed_s < 0 or since_s < 0 or when.every_s is None or when.for_s is None:
            return 0.0
        return max(0.0, when.for_s - since_s % when.every_s)

    def _is_used_up(self) -> bool:
        return self._when.times is not None and self._struck >= self._when.times

    def _is_chosen(self, key: str) -> bool:
        when = self._when
        if when.every is not None:
            self._opportunities += 1
            if self._opportunities % when.every:
                return False
        return when.rate is None or share_of(f"{when.seed}/{self._name}/{key}") < when.rate


def share_of(text: str) -> float:
    """A number of [0, 1) that is a pure function of the text, and even over many texts."""
    return int.from_bytes(blake2b(text.encode(), digest_size=_BYTES).digest()) / (1 << 8 * _BYTES)
