from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_MS, NS_PER_S, ManualClock
from harness.errors import StackError
from harness.observe.decoder import RowVersion
from harness.observe.logical import is_transient
from harness.observe.reconnecting_watcher import RECONNECT_LIMIT_NS, ReconnectingWatcher
from harness.observe.watcher import Versions, WatcherLost


def version(index: int, commit_us: int = 1) -> RowVersion:
    """A row version."""
    return RowVersion(7, index, "INIT", commit_us, 0, 1)


class FakeWatcher:
    """Plays a script: lists of row versions, or None for a lost connection."""

    def __init__(self, clock: ManualClock, script: Sequence[Versions | None]) -> None:
        self.clock = clock
        self.script = list(script)
        self.refuse_opens = 0
        self.opens = 0
        self.seen_ns = 0
        self.received_lsn = 0
        self.covered_ns = 0
        self.unreadable = 0

    def open(self, deadline_ns: int) -> None:
        self.opens += 1
        if self.refuse_opens:
            self.refuse_opens -= 1
            raise WatcherLost("refused")

    def poll(self, timeout_ns: int) -> Versions:
        self.clock.advance(timeout_ns)
        self.seen_ns = self.clock.now_ns()
        found = self.script.pop(0) if self.script else ()
        if found is None:
            raise WatcherLost("cut")
        return found

    def has_all(self, lsn: int) -> bool:
        return not self.script

    def close(self) -> None:
        self.opens = -1


def session_of(
    watcher: FakeWatcher, missed: Versions = (), *, ended: bool = False
) -> tuple[ReconnectingWatcher, list[str]]:
    """A session on a fake, and its log."""
    log: list[str] = []
    session = ReconnectingWatcher(
        watcher,
        lambda: missed,
        watcher.clock,
        log.append,
        ended=lambda: ended,
        is_first=lambda status: status == "INIT",
    )
    return session, log


def poll_all(session: ReconnectingWatcher, turns: int) -> list[RowVersion]:
    """What comes in so many turns."""
    return [v for _ in range(turns) for v in session.poll(NS_PER_MS)]


def test_versions_pass_through() -> None:
    """Without a gap a session adds nothing and removes nothing."""
    watcher = FakeWatcher(ManualClock(), [[version(1)], [], [version(2), version(2)]])
    session, _ = session_of(watcher)
    assert poll_all(session, 3) == [version(1), version(2), version(2)]
    assert session.seen_ns == watcher.seen_ns


def test_gap_is_filled_by_query_without_repeats() -> None:
    """The stream does not repeat what the query returned; new versions still come."""
    script = [[version(1)], None, [version(2), version(3)], [version(2, commit_us=9)]]
    session, log = session_of(FakeWatcher(ManualClock(), script), [version(2)])
    assert poll_all(session, 5) == [version(1), version(2), version(3), version(2, commit_us=9)]
    assert (session.gaps, session.recovered, session.in_gap) == (1, 1, False)
    assert len(log) == 2


def test_repeats_are_known_without_commit_times() -> None:
    """A query without commit times still keeps the stream from repeating a state."""
    later = version(2)._replace(status="SIMULATED")
    script = [None, [version(2), later]]
    session, _ = session_of(FakeWatcher(ManualClock(), script), [version(2, commit_us=0)])
    assert poll_all(session, 3) == [version(2, commit_us=0), later]


@given(
    queried_us=st.integers(2, 1_000),
    began_us=st.integers(1, 1_000),
    xids=st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 2**20)),
    is_timed=st.booleans(),
)
def test_the_first_state_of_a_row_does_not_follow_a_later_one(
    queried_us: int, began_us: int, xids: tuple[int, int], is_timed: bool
) -> None:
    """The query may be further than the stream; a row that really went back still shows."""
    began_us += began_us == queried_us
    is_older = began_us < queried_us
    xid, apart = xids
    later_xid = (xid + apart) % 2**32
    queried = RowVersion(7, 2, "SIMULATED", queried_us if is_timed else 0, 0, later_xid)
    began_xid = xid if is_older else (later_xid + apart) % 2**32
    began = RowVersion(7, 2, "INIT", began_us, 8, began_xid)
    session, _ = session_of(FakeWatcher(ManualClock(), [None, [began]]), [queried])
    assert poll_all(session, 3) == ([queried] if is_older else [queried, began])


def test_another_end_before_the_queried_one_still_shows() -> None:
    """A row that ended twice is a mistake of the system, whichever end was seen first."""
    queried = version(2, commit_us=9)._replace(status="SIMULATED")
    other = version(2, commit_us=5)._replace(status="STALE_DATA_ERROR")
    session, _ = session_of(FakeWatcher(ManualClock(), [None, [other]]), [queried])
    assert poll_all(session, 3) == [queried, other]


def test_server_that_comes_back_late_is_awaited() -> None:
    """Refused connections are tried again, and polls return meanwhile."""
    watcher = FakeWatcher(ManualClock(), [None])
    session, _ = session_of(watcher, [version(5)])
    watcher.refuse_opens = 3
    found = poll_all(session, 1000)
    assert found == [version(5)]
    assert watcher.opens == 4


def test_server_that_stays_away_is_an_error() -> None:
    """A gap has an end."""
    watcher = FakeWatcher(ManualClock(), [None])
    session, _ = session_of(watcher)
    watcher.refuse_opens = 10**9
    with pytest.raises(StackError, match="tried for 60 s"):
        poll_all(session, 2 * RECONNECT_LIMIT_NS // NS_PER_MS)


@pytest.mark.parametrize(("covered_ns", "blind_ns"), [(0, 2 * NS_PER_MS), (NS_PER_MS, NS_PER_MS)])
def test_a_gap_has_its_start_and_cause(covered_ns: int, blind_ns: int) -> None:
    """From the last complete read on, where there is one; by the loss and the newest refusal."""
    watcher = FakeWatcher(ManualClock(), [[version(1)], None])
    watcher.covered_ns = covered_ns
    session, _ = session_of(watcher)
    assert session.blind_since_ns == 0
    watcher.refuse_opens = 2
    poll_all(session, 2)
    assert (session.blind_since_ns, session.cause) == (blind_ns, "connection lost: cut")
    poll_all(session, 50)
    assert session.blind_since_ns == blind_ns
    poll_all(session, 400)
    assert session.cause == "connection lost: cut; then refused"
    assert session.blind_since_ns == 0


def test_opening_is_bounded_in_time() -> None:
    """A server that never answers is reported with the time it was given."""
    watcher = FakeWatcher(ManualClock(), [])
    session, _ = session_of(watcher)
    watcher.refuse_opens = 10**9
    with pytest.raises(StackError, match=r"refused \(tried for 5 s\)"):
        session.open(5 * NS_PER_S)
    assert watcher.opens <= 51


def test_opening_ends_when_asked_to() -> None:
    """A requested end does not wait for the server."""
    watcher = FakeWatcher(ManualClock(), [])
    session, _ = session_of(watcher, ended=True)
    watcher.refuse_opens = 10**9
    with pytest.raises(StackError):
        session.open(5 * NS_PER_S)
    assert watcher.opens == 1


def test_nothing_is_drained_in_a_gap() -> None:
    """Without a connection the session is not drained."""
    session, _ = session_of(FakeWatcher(ManualClock(), [None]))
    assert session.drained(0) is False
    session.poll(0)
    assert session.drained(0) is False


@pytest.mark.parametrize(
    ("state", "is_ill"),
    [
        ("53100", True),  # no room on its disk
        ("53200", True),
        ("58030", True),
        ("53400", False),  # no slot is free: it must be configured otherwise
        ("42501", False),
        ("", False),
    ],
)
def test_a_server_that_is_ill_is_asked_again(state: str, is_ill: bool) -> None:
    """And one that refuses for good is not."""
    assert is_transient(state) is is_ill
