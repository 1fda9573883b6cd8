"""Sends due signals and handles Redis's answers, for all agents of one process.

Nothing here blocks: `flush` may be called from anywhere and returns at once, so that other work of
the process delays a signal by its own length at most. A signal that cannot be sent stays in the
queue, which needs no memory, and is sent late with its intended time unchanged.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, Protocol

from harness.clock import NS_PER_MS, Clock
from harness.errors import HarnessError
from harness.evidence.records import PushStatus
from harness.load.journal import Journal
from harness.schedule.agent_schedule import NEVER_NS, Batch
from harness.schedule.send_queue import SendQueue
from harness.schedule.trade_request_template import varint

# One pipeline: large enough to catch up quickly, small enough not to delay the answers.
BATCH_SIZE = 128
# Maximum number of signals without an answer; beyond it sending pauses until answers arrive.
OUTSTANDING_MAX = 65_536
# Drawing a block lasts 0.1 ms; it is done when nothing is due for this time.
_DRAW_TIME_NS = 200_000
# At tens of thousands of signals a second they are sent in fewer, larger pipelines: a wake-up costs
# more than a signal, and a saturated process would be later than this pause.
_BURST = 4
_BURST_PAUSE_NS = 200_000
_REASONS_MAX = 16

_P = ParamSpec("_P")


class Link(Protocol):
    """A connection to Redis."""

    @property
    def has_unsent_bytes(self) -> bool:
        """Whether bytes are left that the kernel has not accepted yet."""
        ...

    def send(self, data: bytes) -> None:
        """Hand bytes to the kernel without waiting; OSError when the connection is lost."""
        ...

    def close(self) -> None: ...


class Timer(Protocol):
    """Calls `flush` at a given time."""

    def set(self, at_ns: int) -> None: ...


@dataclass(slots=True)
class SendCounts:
    """Counts of the signals so far.

    Attributes:
        sent: attempts journaled.
        stall_max_ns: longest time from a signal's sending time to the end of its hand-over to the
            kernel, since the last status; the largest error of a sending time.
        reasons: error codes of Redis's error answers.
    """

    sent: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    lateness_max_ns: int = 0
    stall_max_ns: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class Dispatcher:
    """Sender of one process.

    Args:
        queue: signals to send.
        journal: records each signal before it is sent.
        timer: calls `flush` when the next signal is due.
        clock: the host's clocks.
        on_loss: called when the connection is lost.
    """

    def __init__(
        self,
        queue: SendQueue,
        journal: Journal,
        timer: Timer,
        clock: Clock,
        on_loss: Callable[[], None] = lambda: None,
    ) -> None:
        self.counts = SendCounts()
        self.failure: HarnessError | None = None
        self._queue = queue
        self._journal = journal
        self._timer = timer
        self._now_ns = clock.now_ns
        self._wall_ns = clock.wall_ns
        self._on_loss = on_loss
        self._link: Link | None = None
        self._batch = Batch(BATCH_SIZE)
        self._outstanding: deque[bytes] = deque()
        self._is_stopped = False
        self._pause_until_ns = 0
        self._progress_ns = 0
        self._millisecond = -1
        self._timestamp = b""

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._link is not None

    @property
    def is_sent(self) -> bool:
        """Whether every signal of the queue has been attempted."""
        return self._queue.next_ns >= NEVER_NS

    @property
    def outstanding(self) -> int:
        """Number of signals without an answer."""
        return len(self._outstanding)

    def silence_ns(self) -> int:
        """Time since the last answer while some are outstanding; 0 if none are."""
        return self._now_ns() - self._progress_ns if self._outstanding else 0

    def due(self) -> int:
        """Number of signals whose intended time has passed."""
        return self.counts.sent + self._queue.overdue(self._now_ns())

    def connect(self, link: Link) -> None:
        """Send over this connection from now on."""
        self._link = link
        self._progress_ns = self._now_ns()
        self.flush()

    def stop_sending(self) -> None:
        """Send nothing more; answers are still handled."""
        self._is_stopped = True

    def flush(self) -> None:
        """Send one batch of due signals, if there are any and the connection accepts bytes."""
        link = self._link
        if link is None or link.has_unsent_bytes or len(self._outstanding) >= OUTSTANDING_MAX:
            return
        if self._is_stopped or self.failure is not None:
            return
        now_ns = self._now_ns()
        if self._queue.next_ns <= now_ns and now_ns >= self._pause_until_ns:
            self._send(link, now_ns)
            is_burst = _BURST <= self._batch.count < BATCH_SIZE
            self._pause_until_ns = now_ns + _BURST_PAUSE_NS if is_burst else 0
        self._prepare()

    def answered(self, replies: Sequence[object]) -> None:
        """Handle Redis's answers, in the order of the commands."""
        now_ns = self._now_ns()
        self._progress_ns = now_ns
        results: list[tuple[bytes, bytes | None]] = []
        for reply in replies:
            if not self._outstanding:
                break
            packed_id = self._outstanding.popleft()
            if isinstance(reply, bytes):
                results.append((packed_id, reply))
            else:
                results.append((packed_id, None))
                self._count_reason(str(reply))
        refused = sum(entry is None for _, entry in results)
        self.counts.refused += refused
        self.counts.accepted += len(results) - refused
        self._write(self._journal.answered, results, now_ns)
        self.flush()

    def disconnect(self) -> None:
        """The connection is lost: the results of outstanding signals are unknown."""
        if self._link is not None:
            self._link.close()
            self._link = None
            self._on_loss()
        if self._outstanding:
            ids = list(self._outstanding)
            self._outstanding.clear()
            self.counts.unknown += len(ids)
            self._write(self._journal.unanswered, ids, PushStatus.UNKNOWN, self._now_ns())

    def refuse_due(self) -> None:
        """Record due signals as attempted and refused, so that the counts add up."""
        until_ns = self._now_ns()
        while self._queue.next_ns <= until_ns and self.failure is None:
            batch = self._next_batch(until_ns)
            now_ns = self._now_ns()
            self._write(self._write_refused, batch, now_ns)

    def _write_refused(self, batch: Batch, now_ns: int) -> None:
        self._journal.attempt(batch, now_ns)
        self._journal.unanswered(batch.ids, PushStatus.REFUSED, now_ns)
        self.counts.sent += batch.count
        self.counts.refused += batch.count

    def _send(self, link: Link, now_ns: int) -> None:
        batch = self._next_batch(now_ns)
        data = b"".join(batch.commands)
        sent_ns = self._now_ns()
        if not self._write(self._journal.attempt, batch, sent_ns):
            return
        if not self._outstanding:
            self._progress_ns = sent_ns
        self._outstanding.extend(batch.ids)
        counts = self.counts
        counts.sent += batch.count
        counts.lateness_max_ns = max(counts.lateness_max_ns, sent_ns - batch.oldest_ns)
        try:
            link.send(data)
        except OSError:
            self.disconnect()
            return
        counts.stall_max_ns = max(counts.stall_max_ns, self._now_ns() - sent_ns)

    def _next_batch(self, now_ns: int) -> Batch:
        millisecond = self._wall_ns() // NS_PER_MS
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            self._timestamp = varint(millisecond)
        batch = self._batch
        batch.clear()
        self._queue.pop_due(batch, now_ns, self._timestamp)
        return batch

    def _prepare(self) -> None:
        """Draw blocks in the time before the next signal, then set the timer for it."""
        queue = self._queue
        while queue.next_ns - self._now_ns() > _DRAW_TIME_NS and queue.draw_ahead():
            pass
        self._timer.set(max(queue.next_ns, self._pause_until_ns))

    def _count_reason(self, text: str) -> None:
        reason = text.split(" ", 1)[0][:32]
        if reason in self.counts.reasons or len(self.counts.reasons) < _REASONS_MAX:
            self.counts.reasons[reason] += 1

    def _write(self, write: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> bool:
        try:
            write(*args, **kwargs)
        except HarnessError as error:
            self.failure = error
            return False
        return True
