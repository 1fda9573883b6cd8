"""Sends what is due and takes in the answers, for all agents of one process.

Nothing in here waits: `flush` may be called from anywhere and returns at once, so that no other
work of the process delays a signal by more than its own length. What cannot be sent stays in the
queue, which costs no memory, and goes late with its intended time kept.
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

# One pipeline: large enough to catch up quickly, small enough not to hold up the answers.
BATCH_SIZE = 128
# Signals whose answer is awaited; beyond that nothing more is sent until answers come.
OUTSTANDING_MAX = 65_536
# Drawing a stretch takes 0.1 ms; it is done when nothing is due for this long.
_DRAW_TIME_NS = 200_000
# Where signals come in crowds (tens of thousands a second) they go in fewer, larger pipelines: a
# wake-up costs more than a signal, and a process out of breath is later than this.
_CROWD = 4
_REST_NS = 200_000
_REASONS_MAX = 16

_P = ParamSpec("_P")


class Link(Protocol):
    """A way to Redis."""

    @property
    def has_unsent_bytes(self) -> bool:
        """Whether bytes are left that the kernel did not take yet."""
        ...

    def send(self, data: bytes) -> None:
        """Hand bytes to the kernel without waiting; OSError when the connection is gone."""
        ...

    def close(self) -> None: ...


class Timer(Protocol):
    """Calls `flush` at a given time."""

    def set(self, at_ns: int) -> None: ...


@dataclass(slots=True)
class SendCounts:
    """What became of the signals so far.

    Attributes:
        sent: attempts journaled.
        stall_max_ns: longest time between a signal's sent stamp and the end of its hand-over to
            the kernel, since the last reading; by so much a sent stamp may be too early.
        reasons: first words of Redis's error answers.
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
        queue: what to send.
        journal: where it is written down before it is sent.
        timer: wakes it when the next signal is due.
        clock: the host's clocks.
        on_loss: called when the link is gone.
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
        self._ceased = False
        self._rest_until_ns = 0
        self._progress_ns = 0
        self._millisecond = -1
        self._timestamp = b""

    @property
    def is_connected(self) -> bool:
        """Whether there is a link."""
        return self._link is not None

    @property
    def is_sent(self) -> bool:
        """Whether everything on the queue has been attempted."""
        return self._queue.next_ns >= NEVER_NS

    @property
    def outstanding(self) -> int:
        """Signals whose answer is awaited."""
        return len(self._outstanding)

    def silence_ns(self) -> int:
        """How long an answer has been awaited without any coming; 0 when none is awaited."""
        return self._now_ns() - self._progress_ns if self._outstanding else 0

    def due(self) -> int:
        """Signals whose intended time has come."""
        return self.counts.sent + self._queue.overdue(self._now_ns())

    def connect(self, link: Link) -> None:
        """Send over this link from now on."""
        self._link = link
        self._progress_ns = self._now_ns()
        self.flush()

    def stop_sending(self) -> None:
        """Send nothing more; answers are still taken in."""
        self._ceased = True

    def flush(self) -> None:
        """Send one batch of what is due, if anything is and if the link takes it."""
        link = self._link
        if link is None or link.has_unsent_bytes or len(self._outstanding) >= OUTSTANDING_MAX:
            return
        if self._ceased or self.failure is not None:
            return
        now_ns = self._now_ns()
        if self._queue.next_ns <= now_ns and now_ns >= self._rest_until_ns:
            self._send(link, now_ns)
            is_crowd = _CROWD <= self._batch.count < BATCH_SIZE
            self._rest_until_ns = now_ns + _REST_NS if is_crowd else 0
        self._prepare()

    def answered(self, replies: Sequence[object]) -> None:
        """Take in Redis's answers, in the order of the commands."""
        now_ns = self._now_ns()
        self._progress_ns = now_ns
        answers: list[tuple[bytes, bytes | None]] = []
        for reply in replies:
            if not self._outstanding:
                break
            name = self._outstanding.popleft()
            if isinstance(reply, bytes):
                answers.append((name, reply))
            else:
                answers.append((name, None))
                self._count_reason(str(reply))
        refused = sum(entry is None for _, entry in answers)
        self.counts.refused += refused
        self.counts.accepted += len(answers) - refused
        self._guard(self._journal.answered, answers, now_ns)
        self.flush()

    def disconnect(self) -> None:
        """The link is gone: nobody knows what became of the signals that were under way."""
        if self._link is not None:
            self._link.close()
            self._link = None
            self._on_loss()
        if self._outstanding:
            names = list(self._outstanding)
            self._outstanding.clear()
            self.counts.unknown += len(names)
            self._guard(self._journal.unanswered, names, PushStatus.UNKNOWN, self._now_ns())

    def refuse_due(self) -> None:
        """Give up on what is due: attempted now, refused at once, so that the account sums."""
        until_ns = self._now_ns()
        while self._queue.next_ns <= until_ns and self.failure is None:
            batch = self._take(until_ns)
            now_ns = self._now_ns()
            self._guard(self._write_refused, batch, now_ns)

    def _write_refused(self, batch: Batch, now_ns: int) -> None:
        self._journal.attempt(batch, now_ns)
        self._journal.unanswered(batch.names, PushStatus.REFUSED, now_ns)
        self.counts.sent += batch.count
        self.counts.refused += batch.count

    def _send(self, link: Link, now_ns: int) -> None:
        batch = self._take(now_ns)
        data = b"".join(batch.commands)
        sent_ns = self._now_ns()
        if not self._guard(self._journal.attempt, batch, sent_ns):
            return
        if not self._outstanding:
            self._progress_ns = sent_ns
        self._outstanding.extend(batch.names)
        counts = self.counts
        counts.sent += batch.count
        counts.lateness_max_ns = max(counts.lateness_max_ns, sent_ns - batch.oldest_ns)
        try:
            link.send(data)
        except OSError:
            self.disconnect()
            return
        counts.stall_max_ns = max(counts.stall_max_ns, self._now_ns() - sent_ns)

    def _take(self, now_ns: int) -> Batch:
        millisecond = self._wall_ns() // NS_PER_MS
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            self._timestamp = varint(millisecond)
        batch = self._batch
        batch.clear()
        self._queue.pop_due(batch, now_ns, self._timestamp)
        return batch

    def _prepare(self) -> None:
        """Use the time that is left before the next signal, then ask to be woken for it."""
        queue = self._queue
        while queue.next_ns - self._now_ns() > _DRAW_TIME_NS and queue.draw_ahead():
            pass
        self._timer.set(max(queue.next_ns, self._rest_until_ns))

    def _count_reason(self, text: str) -> None:
        reason = text.split(" ", 1)[0][:32]
        if reason in self.counts.reasons or len(self.counts.reasons) < _REASONS_MAX:
            self.counts.reasons[reason] += 1

    def _guard(self, write: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> bool:
        try:
            write(*args, **kwargs)
        except HarnessError as error:
            self.failure = error
            return False
        return True
