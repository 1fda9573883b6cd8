from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hiredis
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import ManualClock
from harness.errors import EvidenceError
from harness.evidence.records import ACK, ATTEMPT, PushStatus, Records, read_records
from harness.load import dispatcher as dispatcher_module
from harness.load.dispatcher import Dispatcher
from harness.load.journal import Journal
from harness.scenario.models import Load
from harness.schedule.agent_schedule import NEVER_NS, AgentSchedule
from harness.schedule.send_queue import SendQueue
from tests.unit.load.swarm_setup import load_of, plan_of

MS = 1_000_000
# Signals of two agents at 4/s for 1 s, on an even grid from t0 = 1 s.
DUE_NS = [1125 * MS, 1375 * MS, 1625 * MS, 1875 * MS]


class FakeLink:
    """Accepts bytes, or does not."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.has_unsent_bytes = False
        self.is_broken = False
        self.is_closed = False

    def send(self, data: bytes) -> None:
        if self.is_broken:
            raise ConnectionResetError("gone")
        self.sent.append(data)

    def close(self) -> None:
        self.is_closed = True


class FakeTimer:
    """Remembers what it was set to."""

    def __init__(self) -> None:
        self.at_ns = NEVER_NS

    def set(self, at_ns: int) -> None:
        self.at_ns = at_ns


class Scene:
    """A dispatcher with everything around it under the test's control."""

    def __init__(self, folder: Path, load: Load) -> None:
        self.folder = folder
        plan = plan_of(load, folder)
        self.clock = ManualClock(0, 1_763_930_000_000 * MS)
        self.timer = FakeTimer()
        self.losses = 0
        self.queue = SendQueue(AgentSchedule(plan, agent) for agent in plan.own_agents)
        self.journal = Journal(folder, 0)
        self.dispatcher = Dispatcher(
            self.queue, self.journal, self.timer, self.clock, self.count_loss
        )
        self.link = FakeLink()
        self.dispatcher.connect(self.link)

    def count_loss(self) -> None:
        self.losses += 1

    def at(self, now_ns: int) -> None:
        """Set the time, and fire the timer if it is due."""
        self.clock.advance(now_ns - self.clock.now_ns())
        if self.timer.at_ns <= now_ns:
            self.timer.at_ns = NEVER_NS
            self.dispatcher.flush()

    def reconnect(self) -> None:
        """A new link in place of the old one."""
        self.link = FakeLink()
        self.dispatcher.connect(self.link)

    def attempts(self) -> Records:
        records, torn = read_records(self.folder / "attempts-0.bin", ATTEMPT)
        assert torn == 0
        return records

    def acks(self) -> Records:
        records, torn = read_records(self.folder / "acks-0.bin", ACK)
        assert torn == 0
        return records

    def outcomes(self) -> Counter[PushStatus]:
        """How many signals ended how; each exactly once, in the order of the attempts."""
        acks, attempts = self.acks(), self.attempts()
        for column in ("trace_hi", "trace_lo"):
            assert acks[column].tolist() == attempts[column].tolist()[: len(acks)]
        return Counter(PushStatus(outcome) for outcome in acks["outcome"].tolist())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Two agents, four signals on an even grid."""
    made = Scene(tmp_path, load_of((2, 4, 4, 1), arrival="constant"))
    yield made
    made.journal.close()


def test_sends_when_due_and_never_early(scene: Scene) -> None:
    """The timer is set to each signal's time; nothing is sent before it."""
    assert scene.timer.at_ns == DUE_NS[0]
    scene.at(DUE_NS[0] - 1)
    scene.dispatcher.flush()
    assert scene.link.sent == []
    for count, due_ns in enumerate(DUE_NS, start=1):
        assert scene.timer.at_ns == due_ns
        scene.at(due_ns)
        assert len(scene.link.sent) == count
    assert scene.dispatcher.is_sent
    assert scene.attempts()["sent_ns"].tolist() == DUE_NS
    assert scene.timer.at_ns == NEVER_NS


def test_answers_are_matched_in_order(scene: Scene) -> None:
    """Ids go to the signals in the order they were sent; an error answer is a refusal."""
    scene.at(DUE_NS[1])
    assert scene.dispatcher.counts.sent == 2
    scene.at(DUE_NS[1] + 3)
    scene.dispatcher.answered([b"1700-0", hiredis.ReplyError("OOM command not allowed")])
    acks = scene.acks()
    assert scene.outcomes() == {PushStatus.ACCEPTED: 1, PushStatus.REFUSED: 1}
    assert acks["redis_ms"].tolist() == [1700, 0]
    assert acks["acked_ns"].tolist() == [DUE_NS[1] + 3] * 2
    assert scene.dispatcher.counts.reasons == {"OOM": 1}
    assert scene.dispatcher.outstanding == 0


def test_journal_comes_first(scene: Scene) -> None:
    """What is on the wire is in the journal already."""
    lengths = []
    send = scene.link.send

    def send_and_check(data: bytes) -> None:
        lengths.append(len(scene.attempts()))
        send(data)

    scene.link.send = send_and_check  # type: ignore[method-assign]  # a spy
    scene.at(DUE_NS[2])
    assert lengths == [3]


def test_unwritable_journal_stops_the_sending(scene: Scene) -> None:
    """A signal that cannot be journaled is not sent, and the failure is reported."""
    scene.journal.close()
    scene.at(DUE_NS[0])
    assert scene.link.sent == []
    assert isinstance(scene.dispatcher.failure, EvidenceError)


def test_late_signals_keep_their_intended_time(scene: Scene) -> None:
    """After a stall everything missed goes out at once, as late as it is."""
    scene.at(DUE_NS[3] + 7)
    records = scene.attempts()
    assert records["intended_ns"].tolist() == DUE_NS
    assert records["sent_ns"].tolist() == [DUE_NS[3] + 7] * 4
    assert scene.dispatcher.counts.lateness_max_ns == DUE_NS[3] + 7 - DUE_NS[0]


def test_loss_makes_what_was_under_way_unknown(scene: Scene) -> None:
    """Their results are unknown; they are not sent again, and later signals wait."""
    scene.at(DUE_NS[0])
    scene.dispatcher.disconnect()
    assert (scene.losses, scene.link.is_closed) == (1, True)
    scene.at(DUE_NS[2])
    scene.dispatcher.flush()
    assert scene.outcomes() == {PushStatus.UNKNOWN: 1}
    assert (scene.dispatcher.due(), scene.dispatcher.counts.sent) == (3, 1)
    scene.reconnect()
    assert scene.dispatcher.counts.sent == 3
    assert len(scene.link.sent) == 1
    scene.dispatcher.answered([b"1-1", b"1-2"])
    assert scene.outcomes() == {PushStatus.UNKNOWN: 1, PushStatus.ACCEPTED: 2}


def test_send_that_fails_is_a_loss(scene: Scene) -> None:
    """The attempt stands in the journal, and its outcome is unknown."""
    scene.link.is_broken = True
    scene.at(DUE_NS[0])
    assert scene.outcomes() == {PushStatus.UNKNOWN: 1}
    assert scene.losses == 1
    assert not scene.dispatcher.is_connected


def test_clogged_link_is_left_alone(scene: Scene) -> None:
    """While the kernel accepts no bytes, nothing is attempted."""
    scene.link.has_unsent_bytes = True
    scene.at(DUE_NS[1])
    assert len(scene.attempts()) == 0
    scene.link.has_unsent_bytes = False
    scene.dispatcher.flush()
    assert len(scene.attempts()) == 2


def test_outstanding_is_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that swallows and never answers is not fed without end."""
    monkeypatch.setattr(dispatcher_module, "OUTSTANDING_MAX", 1)
    scene.at(DUE_NS[0])
    scene.at(DUE_NS[1])
    assert scene.dispatcher.counts.sent == 1
    assert scene.dispatcher.silence_ns() == DUE_NS[1] - DUE_NS[0]
    scene.dispatcher.answered([b"1-0"])
    assert scene.dispatcher.counts.sent == 2


def test_giving_up_refuses_what_is_due(scene: Scene) -> None:
    """The account sums: what could not be sent was attempted and refused."""
    scene.dispatcher.disconnect()
    scene.clock.advance(DUE_NS[2] - scene.clock.now_ns())
    scene.dispatcher.refuse_due()
    assert scene.outcomes() == {PushStatus.REFUSED: 3}
    assert scene.dispatcher.counts.refused == scene.dispatcher.counts.sent == 3
    assert not scene.dispatcher.is_sent


def test_stopped_handles_answers_but_sends_nothing(scene: Scene) -> None:
    """At the end answers still count."""
    scene.at(DUE_NS[0])
    scene.dispatcher.stop_sending()
    scene.at(DUE_NS[1])
    scene.dispatcher.answered([b"1-0"])
    assert scene.dispatcher.counts.sent == scene.dispatcher.counts.accepted == 1


_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 400)),
        st.tuples(st.just("answer"), st.integers(1, 10)),
        st.tuples(st.sampled_from(("lose", "break", "clog", "unclog", "reconnect")), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(_EVENTS)
def test_account_sums_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int]]
) -> None:
    """After any history every attempt has one outcome, in order, and everything was attempted."""
    folder = tmp_path_factory.mktemp("journal")
    scene = Scene(folder, load_of((3, 40, 40, 2), (5, 0, 60, 1), arrival="poisson"))
    dispatcher = scene.dispatcher
    for kind, value in events:
        _happen(scene, kind, value)
        counts = dispatcher.counts
        assert counts.sent == counts.accepted + counts.refused + counts.unknown + (
            dispatcher.outstanding
        )
    scene.clock.advance(10_000 * MS)
    dispatcher.disconnect()
    dispatcher.refuse_due()
    assert dispatcher.is_sent
    assert sum(scene.outcomes().values()) == len(scene.attempts()) == dispatcher.counts.sent
    assert (np.diff(scene.attempts()["intended_ns"]) >= 0).all()
    scene.journal.close()


def _happen(scene: Scene, kind: str, value: int) -> None:
    match kind:
        case "wait":
            scene.at(scene.clock.now_ns() + value * MS)
        case "answer":
            scene.dispatcher.answered([b"1-1"] * min(value, scene.dispatcher.outstanding))
        case "lose":
            scene.dispatcher.disconnect()
        case "break":
            scene.link.is_broken = True
        case "clog" | "unclog":
            scene.link.has_unsent_bytes = kind == "clog"
        case _ if not scene.dispatcher.is_connected:
            scene.reconnect()


def test_crowds_go_in_larger_pipelines(tmp_path: Path) -> None:
    """After a crowd the sender rests for a moment; a full batch goes on at once."""
    scene = Scene(tmp_path, load_of((1, 100_000, 100_000, 1), arrival="constant"))
    start_ns = 1_000_000_000
    scene.at(start_ns + 100_000)
    assert scene.dispatcher.counts.sent == 10
    assert scene.timer.at_ns == start_ns + 300_000
    scene.at(start_ns + 200_000)
    scene.dispatcher.flush()
    assert scene.dispatcher.counts.sent == 10
    scene.at(start_ns + 300_000)
    assert scene.dispatcher.counts.sent == 30
    scene.at(start_ns + 5_000_000)
    assert scene.dispatcher.counts.sent == 30 + dispatcher_module.BATCH_SIZE
    assert scene.timer.at_ns < start_ns + 5_000_000
    scene.journal.close()
