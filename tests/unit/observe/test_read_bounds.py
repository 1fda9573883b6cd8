"""The previous read is a lower bound: no commit of a new sighting is earlier."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

import numpy as np
import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.observer_reads import ObserverReads
from harness.analysis.samples import SAMPLE
from harness.clock import NS_PER_MS, ManualClock
from harness.contract import trace_id
from harness.contract.names import Contract
from harness.contract.observation import ObservationMethod, ObservationSettings
from harness.evidence.records import SIGHTING, read_records
from harness.observe.decoder import RowVersion
from harness.observe.notification import NotificationWatcher
from harness.observe.observations import ObservationsFile
from harness.observe.polling import PollingWatcher
from harness.observe.reconnecting_watcher import ReconnectingWatcher
from harness.observe.result_stream_watcher import ResultStreamWatcher

TAG = 0xABCDEF012345
FIRST_XID = 1_000
POLLS = 40


class Server:
    """A PostgreSQL whose transactions begin and commit at given times.

    Args:
        clock: its time; a query advances it before and after its snapshot.
        transactions: begin after the load's and duration, in ms; each makes a row SIMULATED.
        queries: ms before and after each snapshot, and whether the connection then breaks.
    """

    def __init__(
        self,
        clock: ManualClock,
        transactions: list[tuple[int, int]],
        queries: Iterator[tuple[int, int, bool]],
    ) -> None:
        self.clock = clock
        self.queries = queries
        self.times_ns: list[tuple[int, int]] = []
        self._transactions = sorted(transactions)

    def begin(self) -> None:
        """The load begins, which it does once the observer watches."""
        t0_ns = self.clock.now_ns()
        self.times_ns = [
            (t0_ns + begin * NS_PER_MS, t0_ns + (begin + length) * NS_PER_MS)
            for begin, length in self._transactions
        ]

    def read(self, cursor: object, horizon: int | None) -> tuple[int, Iterator[RowVersion]]:
        """As `RunRows.read`."""
        before_ms, after_ms, breaks = next(self.queries, (1, 1, False))
        self.clock.advance(before_ms * NS_PER_MS)
        now_ns = self.clock.now_ns()
        running = [n for n, (begin, end) in enumerate(self.times_ns) if begin <= now_ns < end]
        begun = sum(begin <= now_ns for begin, _ in self.times_ns)
        shown = self.shown(now_ns, horizon or 0)
        self.clock.advance(after_ms * NS_PER_MS)
        if breaks:
            raise psycopg.OperationalError("cut")
        return FIRST_XID + min(running, default=begun), iter(shown)

    def shown(self, now_ns: int, horizon: int = 0) -> list[RowVersion]:
        """The row versions that a snapshot of that moment shows."""
        return [
            RowVersion(*trace_id.pack(TAG, 0, number), "SIMULATED", 0, 0, FIRST_XID + number)
            for number, (_, end) in enumerate(self.times_ns)
            if end <= now_ns and FIRST_XID + number >= horizon
        ]


def watch(server: Server, folder: Path) -> None:
    """Poll it as the observer does, gaps and all."""
    clock, connection = server.clock, MagicMock()
    connection.execute.return_value.fetchone.return_value = (f"{FIRST_XID}:{FIRST_XID}:",)
    file = ObservationsFile(folder / "sightings.bin", Contract(), TAG)
    seen = set[int]()

    def missed() -> list[RowVersion]:
        clock.advance(NS_PER_MS)
        return [row for row in server.shown(clock.now_ns()) if row.trace_lo not in seen]

    watcher = PollingWatcher("", Contract(), TAG, clock)
    session = ReconnectingWatcher(
        watcher, missed, clock, lambda _: None, lambda: False, lambda status: status == "INIT"
    )
    with ExitStack() as patched:
        for name, made in (
            ("connect", connection),
            ("RunRows", server),
            ("read_status_normalizer", str),
            ("hides_rows", False),
        ):
            patched.enter_context(patch(f"harness.observe.polling.{name}", return_value=made))
        session.open(10**12)
        server.begin()
        for _ in range(POLLS):
            versions = session.poll(100 * NS_PER_MS)
            seen.update(version.trace_lo for version in versions)
            file.add(versions, session.seen_ns, session.since_ns)
    file.close()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 200)), min_size=1, max_size=12),
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from([False, False, True])),
        max_size=30,
    ),
)
def test_no_commit_lies_before_the_bound(
    transactions: list[tuple[int, int]], queries: list[tuple[int, int, bool]]
) -> None:
    """Whatever the order of commits, the time of polls, and polls that break half way."""
    server = Server(ManualClock(), transactions, iter(queries))
    with tempfile.TemporaryDirectory() as folder:
        watch(server, Path(folder))
        sightings, _ = read_records(Path(folder, "sightings.bin"), SIGHTING)
        samples = np.zeros(len(sightings), dtype=SAMPLE)
        samples["seen_ns"] = sightings["seen_ns"]
        ObserverReads(Path(folder, "reads.bin")).annotate(samples)
    ends = {
        row.trace_lo: end
        for row, (_, end) in zip(server.shown(2**62), server.times_ns, strict=True)
    }
    true_ns = np.array([ends[int(lo)] for lo in sightings["trace_lo"]])
    assert (samples["since_ns"] <= true_ns).all()
    assert (true_ns <= samples["seen_ns"]).all()


def test_the_bound_is_the_poll_before() -> None:
    """It is as near as it can be: when the last whole poll before was sent."""
    server = Server(ManualClock(), [(30, 4)], iter([]))
    with tempfile.TemporaryDirectory() as folder:
        watch(server, Path(folder))
        samples = np.zeros(1, dtype=SAMPLE)
        samples["seen_ns"] = read_records(Path(folder, "sightings.bin"), SIGHTING)[0]["seen_ns"]
        ObserverReads(Path(folder, "reads.bin")).annotate(samples)
    # Polls of 2 ms, 10 ms apart, from 0 on: sent at 24 and at 36, whose answer came at 38.
    assert samples[["since_ns", "seen_ns"]].item() == (24 * NS_PER_MS, 38 * NS_PER_MS)


def test_a_full_answer_of_the_stream_bounds_nothing() -> None:
    """An entry that had no room in the answer before was there all the same."""
    clock = ManualClock(5)
    watcher = ResultStreamWatcher(
        "redis://127.0.0.1:1", Contract(seen=ObservationSettings(stream="results")), clock
    )
    client: Any = MagicMock()
    watcher._client = client
    for entries, covered_ns in ((3, 5), (1_000, 5), (0, 7)):
        client.xread.return_value = [(b"results", [(b"1-1", {})] * entries)] if entries else []
        watcher.poll(0)
        assert watcher.covered_ns == covered_ns
        clock.advance(1)


def test_a_notification_that_waits_unread_bounds_nothing() -> None:
    """Only when the socket is empty has everything that had arrived been read."""
    clock = ManualClock(5)
    seen = ObservationSettings(way=ObservationMethod.NOTIFICATION, channel="done")
    watcher: Any = NotificationWatcher("", Contract(seen=seen), clock)
    watcher._connection, watcher._poll = MagicMock(), MagicMock()
    watcher._connection.notifies.return_value = None
    watcher._poll.poll.side_effect = [[(1, 1)], [], [(1, 1)], [(1, 1)]]
    watcher.poll(0)
    assert watcher.covered_ns == 5
    clock.advance(1)
    watcher.poll(0)
    assert watcher.covered_ns == 5
