"""Order between workers: signals of one address get their nonces in the order of the stream.

Workers take turns at reading. With what it read a worker draws a ticket, and learns the newest
earlier ticket of every other worker that holds a signal of the same address; before it gives
nonces it waits until those are done. Tickets are drawn while the reading turn is held, so no worker
waits for a later ticket and no circle can form. A worker that dies ends the whole engine, so
nothing has to be repaired here.
"""

from __future__ import annotations

import ctypes
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkContext
from multiprocessing.synchronize import Event, Lock

# Addresses share these slots; two in one slot wait for each other needlessly, never wrongly.
_SLOTS = 1 << 14
_PAUSE_S = 0.000_2
# A batch takes as long as a foreign nonce lock may last, at most; see store.StoreError.
_WAIT_S = 120.0


class TurnLostError(Exception):
    """Another worker did not finish its batch in time."""


class Turns:
    """What the workers share; made before they are forked."""

    def __init__(self, context: ForkContext, workers: int) -> None:
        self.reading: Lock = context.Lock()
        # Set once what dead workers left is done, so that old signals come before new ones.
        self.recovered: Event = context.Event()
        self.drawn = context.RawValue(ctypes.c_uint64, 0)
        # For each slot the last ticket drawn, and whose it is.
        self.last_ticket = context.RawArray(ctypes.c_uint64, _SLOTS)
        self.last_worker = context.RawArray(ctypes.c_uint8, _SLOTS)
        self.done = context.RawArray(ctypes.c_uint64, workers)
        self.workers = workers


class Turn:
    """One worker's place in the order.

    Args:
        turns: what the workers share.
        worker: this worker's index.
    """

    def __init__(self, turns: Turns, worker: int) -> None:
        self._turns = turns
        self._worker = worker
        self._ticket = 0
        self._before = [0] * turns.workers

    @contextmanager
    def reading(self, timeout_s: float) -> Iterator[bool]:
        """Hold the reading turn; False if it was another's all the time."""
        held = self._turns.reading.acquire(timeout=timeout_s)
        try:
            yield held
        finally:
            if held:
                self._turns.reading.release()

    def draw(self, addresses: Iterable[str]) -> None:
        """Draw a ticket for a batch. Only while holding the reading turn."""
        turns = self._turns
        turns.drawn.value += 1
        self._ticket = turns.drawn.value
        self._before = [0] * turns.workers
        for slot in {zlib.crc32(address.encode()) % _SLOTS for address in addresses}:
            worker = turns.last_worker[slot]
            self._before[worker] = max(self._before[worker], turns.last_ticket[slot])
            turns.last_ticket[slot] = self._ticket
            turns.last_worker[slot] = self._worker

    def wait(self) -> None:
        """Wait until every earlier batch with one of these addresses is done.

        Raises:
            TurnLostError: that takes longer than any batch may.
        """
        give_up = time.monotonic() + _WAIT_S
        while not self.may_go_on():
            if time.monotonic() > give_up:
                raise TurnLostError(f"another worker has not finished in {_WAIT_S:.0f} s")
            time.sleep(_PAUSE_S)

    def may_go_on(self) -> bool:
        """Whether all those batches are done."""
        done = self._turns.done
        return all(
            done[worker] >= ticket or worker == self._worker
            for worker, ticket in enumerate(self._before)
        )

    def finish(self) -> None:
        """The batch has its nonces."""
        self._turns.done[self._worker] = self._ticket
