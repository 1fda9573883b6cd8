"""Observation across restarts of the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from harness.clock import NS_PER_MS, NS_PER_S, Clock
from harness.errors import StackError
from harness.observe.decoder import RowVersion
from harness.observe.watcher import Versions, Watcher, WatcherLost

# A server's restart policy restarts it within seconds; a longer outage ends the observation.
RECONNECT_LIMIT_NS = 60 * NS_PER_S
_RETRY_NS = 100 * NS_PER_MS
_ATTEMPT_NS = 10 * NS_PER_S
# How long the stream may repeat what the query after a gap has returned.
_REPEAT_NS = 30 * NS_PER_S
_XIDS = 1 << 32

Missed = Callable[[], Sequence[RowVersion]]


class ReconnectingWatcher:
    """Reads row versions from a watcher, and recovers those of an outage of the server.

    After a lost connection it opens the watcher again and queries what was committed in between.

    Args:
        watcher: the observation method.
        missed: queries the row versions that were not seen.
        clock: monotonic time and sleep.
        log: receives messages for the log.
        ended: whether the end was requested; a reconnect does not outlast it.
        is_first: whether a status is the one that every row begins with.

    Attributes:
        gaps: number of lost connections.
        recovered: row versions read by query after a gap.
        seen_ns: when the versions of the newest poll had just been received.
        since_ns: when none of them was visible yet; 0 when not known.
        cause: why the newest gap began, and why it did not end.
    """

    def __init__(
        self,
        watcher: Watcher,
        missed: Missed,
        clock: Clock,
        log: Callable[[str], None],
        ended: Callable[[], bool],
        is_first: Callable[[str], bool],
    ) -> None:
        self._watcher = watcher
        self._missed = missed
        self._clock = clock
        self._log = log
        self._ended = ended
        self._is_first = is_first
        self._queried: dict[tuple[int, int], RowVersion] = {}
        self._repeats_until_ns = 0
        self._gap_since_ns: int | None = None
        self._retry_ns = 0
        self.gaps = 0
        self.recovered = 0
        self.seen_ns = 0
        self.since_ns = 0
        self.cause = ""

    @property
    def in_gap(self) -> bool:
        """Whether there is no connection at the moment."""
        return self._gap_since_ns is not None

    @property
    def blind_since_ns(self) -> int:
        """Since when nothing is observed; 0 outside a gap."""
        return 0 if self._gap_since_ns is None else self.since_ns or self._gap_since_ns

    def open(self, limit_ns: int) -> None:
        """Begin to observe.

        Raises:
            StackError: not possible within `limit_ns`.
        """
        deadline_ns = self._clock.now_ns() + limit_ns
        while True:
            try:
                self._watcher.open(deadline_ns)
                return
            except WatcherLost as lost:
                if self._clock.now_ns() + _RETRY_NS >= deadline_ns or self._ended():
                    raise _unreachable(lost, limit_ns) from lost
                self._clock.sleep_ns(_RETRY_NS)

    def poll(self, timeout_ns: int) -> Versions:
        """Row versions received since the last call, those missed in a gap included.

        Empty while there is no connection.

        Raises:
            StackError: there is no connection for longer than `RECONNECT_LIMIT_NS`.
        """
        if self._gap_since_ns is not None:
            return self._return_from_gap(timeout_ns)
        # It stays through a gap: what the query after it finds may have existed since then.
        self.since_ns = self._watcher.covered_ns
        try:
            versions = self._watcher.poll(timeout_ns)
        except WatcherLost as lost:
            self.gaps += 1
            self._gap_since_ns = self._clock.now_ns()
            self._retry_ns = 0
            self.cause = f"connection lost: {lost}"
            self._log(self.cause)
            return ()
        self.seen_ns = self._watcher.seen_ns
        return self._without_repeats(versions) if self._queried else versions

    def drained(self, lsn: int) -> bool:
        """Whether everything committed up to a WAL position has been read."""
        if self._gap_since_ns is not None:
            return False
        try:
            return self._watcher.has_all(lsn)
        except WatcherLost:
            return False  # the next poll will notice and count the gap

    def close(self) -> None:
        """Release connection and server resources."""
        self._watcher.close()

    def _return_from_gap(self, timeout_ns: int) -> Versions:
        assert self._gap_since_ns is not None  # noqa: S101 - only called in a gap
        now_ns = self._clock.now_ns()
        if now_ns < self._retry_ns:
            self._clock.sleep_ns(min(timeout_ns, self._retry_ns - now_ns))
            return ()
        try:
            # First the watcher, then the query: commits between the two come by both.
            self._watcher.open(now_ns + _ATTEMPT_NS)
            found = self._missed()
        except WatcherLost as lost:
            self.cause = f"{self.cause.partition('; then ')[0]}; then {lost}"
            if now_ns - self._gap_since_ns > RECONNECT_LIMIT_NS:
                raise _unreachable(lost, RECONNECT_LIMIT_NS) from lost
            self._retry_ns = self._clock.now_ns() + _RETRY_NS
            return ()
        self.seen_ns = self._clock.now_ns()
        gap_ns = self.seen_ns - self._gap_since_ns
        self._gap_since_ns = None
        self.recovered += len(found)
        self._queried = {(v.trace_hi, v.trace_lo): v for v in found}
        self._repeats_until_ns = self.seen_ns + _REPEAT_NS
        self._log(
            f"watching again after {gap_ns / NS_PER_S:.2f} s,"
            f" {len(found)} row versions read by query"
        )
        return found

    def _without_repeats(self, versions: Iterable[RowVersion]) -> Versions:
        if self._clock.now_ns() > self._repeats_until_ns:
            self._queried = {}
        return [version for version in versions if not self._is_repeat(version)]

    def _is_repeat(self, version: RowVersion) -> bool:
        queried = self._queried.get((version.trace_hi, version.trace_lo))
        if queried is None:
            return False
        if queried.status == version.status:
            return queried.commit_us in (0, version.commit_us)
        # The watcher begins before the query: it may still report the first state of a row that
        # the query returned in a later one. The row would appear to have gone back.
        return self._is_first(version.status) and _is_older(version, queried)


def _is_older(one: RowVersion, other: RowVersion) -> bool:
    """Compares two versions of a row by commit time, or by transaction id without one."""
    if one.commit_us and other.commit_us:
        return one.commit_us < other.commit_us
    # Transaction ids wrap around; the older one precedes by less than half of the range.
    return 0 < (other.xid - one.xid) % _XIDS < _XIDS // 2


def _unreachable(lost: WatcherLost, limit_ns: int) -> StackError:
    return StackError(
        f"SIMULATED cannot be watched: {lost} (tried for {limit_ns / NS_PER_S:.0f} s)",
        where="observer",
        hint="is the server up, may the observer's role log in, does no transaction stay open?",
    )
