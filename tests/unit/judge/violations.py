"""What a system under test may do to a healthy run; each breaks one rule of integrity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.names import State
from harness.evidence.records import PushStatus, Records
from harness.scenario import Signals
from tests.unit.analysis.evidence import MS, World, in_order, without
from tests.unit.analysis.stream_polls import entry_text, poll

# A signal in the middle of the measured phase.
N = 1_000


def drop(world: World, number: int, *, tasks: bool = True, ledger: bool = True) -> None:
    """The system forgets a signal."""
    world.sightings = without(world.sightings, world.of(world.sightings, number))
    if tasks and world.tasks is not None:
        world.tasks = without(world.tasks, world.of(world.tasks, number))
    if ledger and world.ledger is not None:
        world.ledger = without(world.ledger, world.of(world.ledger, number))


def field(records: Records | None, world: World, number: int, name: str, value: int) -> None:
    """Set one column of the record of one signal."""
    assert records is not None
    records[name][world.of(records, number)] = value


def reject(world: World, chosen: NDArray[np.bool_], state: State) -> None:
    """The engine refuses signals."""
    world.reject(world.attempts[0][chosen], state)


def lose_last_nonce(world: World) -> None:
    """The address of the last signal has used one nonce less."""
    assert world.final is not None
    agent = int(world.attempts[0]["agent"][-1])
    world.final["postgres"]["nonces"][agent]["nonce"] -= 1


def stream(world: World) -> dict[str, Any]:
    """What Redis said of the proposals when nothing was in progress."""
    assert world.final is not None
    found: dict[str, Any] = world.final["redis"]["proposals"]
    return found


def trim_unread(world: World) -> None:
    """The last signal was trimmed from the stream before it was read; Redis 6 shows no lag."""
    lose(world)
    used = len(world.attempts[0])
    late_ns = world.stream_polls[-1]["mono_ns"]
    world.stream_polls[-1] = poll(late_ns, used, delivered=used - 3)
    world.stream_polls.append(poll(late_ns + 100 * MS, used, delivered=used - 3, first=used))
    world.stream_polls.append(poll(late_ns + 200 * MS, used, first=used))


def lose_entry(world: World) -> None:
    """Redis acknowledged more than it has."""
    stream(world)["entries_added"] -= 1


def lose(world: World) -> None:
    """A signal that was the last of its address, so that only its own loss shows."""
    drop(world, len(world.attempts[0]) - 1)
    agent = int(world.attempts[0]["agent"][-1])
    assert world.final is not None
    world.final["postgres"]["nonces"][agent]["nonce"] -= 1


def stick(world: World) -> None:
    """The last signal stays in INIT."""
    last = len(world.attempts[0]) - 1
    final = world.of(world.sightings, last) & (world.sightings["state"] == State.SIMULATED)
    world.sightings = without(world.sightings, final)
    field(world.tasks, world, last, "state", State.INIT)
    field(world.tasks, world, last, "nonce", -1)
    assert world.ledger is not None
    world.ledger = without(world.ledger, world.of(world.ledger, last))
    agent = int(world.attempts[0]["agent"][-1])
    assert world.final is not None
    world.final["postgres"]["nonces"][agent]["nonce"] -= 1


def simulate_twice(world: World) -> None:
    """A signal goes from SIMULATED to a rejection, and back."""
    again = world.sightings[
        world.of(world.sightings, N) & (world.sightings["state"] == State.SIMULATED)
    ]
    other = again.copy()
    other["state"] = State.INVARIANT_BROKEN
    again["xid"] += 1_000_000
    again["seen_ns"] += 5 * MS
    other["xid"] += 500_000
    other["seen_ns"] += 3 * MS
    world.sightings = in_order(np.concatenate((world.sightings, other, again)), "seen_ns")


def touch_again(world: World) -> None:
    """Rows are updated again after they were SIMULATED, in that state."""
    again = world.sightings[world.sightings["state"] == State.SIMULATED]
    again["xid"] += 1_000_000
    again["seen_ns"] += 5 * MS
    again["commit_us"] += 5_000
    world.sightings = in_order(np.concatenate((world.sightings, again)), "seen_ns")


def second_row(world: World) -> None:
    """A signal has two FSM rows."""
    assert world.tasks is not None
    again = world.tasks[world.of(world.tasks, N)]
    again["nonce"] = -1
    again["state"] = State.MALFORMED
    world.tasks = np.concatenate((world.tasks, again))


def same_row_twice(world: World) -> None:
    """A signal has two FSM rows that say the same."""
    assert world.tasks is not None
    world.tasks = np.concatenate((world.tasks, world.tasks[world.of(world.tasks, N)]))


def invent(world: World) -> None:
    """A signal that nobody attempted becomes SIMULATED."""
    ghost = world.sightings[-1:].copy()
    ghost["trace_lo"] += np.uint64(1_000)
    world.sightings = np.concatenate((world.sightings, ghost))


def refuse_and_process(world: World) -> None:
    """Redis refused a signal that has effects all the same."""
    field(world.acks[0], world, N, "outcome", PushStatus.REFUSED)
    stream(world)["entries_added"] -= 1


def change_state(world: World) -> None:
    """A signal is seen rejected and left SIMULATED."""
    final = world.of(world.sightings, N) & (world.sightings["state"] == State.SIMULATED)
    world.sightings["state"][final] = State.INVARIANT_BROKEN


def lose_row(world: World) -> None:
    """An address's last FSM row is gone in the end."""
    assert world.tasks is not None
    mine = world.attempts[0]["agent"] == 0
    last = int(np.flatnonzero(mine)[-1])
    world.tasks = without(world.tasks, world.of(world.tasks, last))
    assert world.final is not None
    world.final["postgres"]["nonces"][0]["nonce"] -= 1


def back_to_init(world: World) -> None:
    """A simulated signal goes back to INIT."""
    again = world.sightings[
        world.of(world.sightings, N) & (world.sightings["state"] == State.SIMULATED)
    ]
    again["state"] = State.INIT
    again["seen_ns"] += 5 * MS
    again["xid"] += 1_000_000
    world.sightings = in_order(np.concatenate((world.sightings, again)), "seen_ns")


def skip_init(world: World) -> None:
    """A signal becomes SIMULATED without INIT."""
    init = world.of(world.sightings, N) & (world.sightings["state"] == State.INIT)
    world.sightings = without(world.sightings, init)


def skip_nonce(world: World) -> None:
    """One address leaves a nonce out."""
    assert world.tasks is not None
    own = np.isin(world.tasks["trace_hi"], world.attempts[0]["trace_hi"][N])
    later = own & (world.tasks["nonce"] > 20)
    world.tasks["nonce"][later] += 1
    assert world.final is not None
    world.final["postgres"]["nonces"][int(world.attempts[0]["agent"][N])]["nonce"] += 1


def repeat_nonce(world: World) -> None:
    """A signal has the nonce of the one before."""
    assert world.tasks is not None
    nonce = int(world.tasks["nonce"][world.of(world.tasks, N)][0])
    assert nonce > 0
    field(world.tasks, world, N, "nonce", nonce - 1)


def overtake(world: World) -> None:
    """A signal gets its nonce before the one that its agent had sent before."""
    assert world.tasks is not None
    agents = world.attempts[0]["agent"]
    before = int(np.flatnonzero(agents[:N] == agents[N])[-1])
    one, two = (np.flatnonzero(world.of(world.tasks, number)) for number in (before, N))
    nonces = world.tasks["nonce"]
    nonces[one], nonces[two] = nonces[two], nonces[one].copy()


def burn_nonce(world: World) -> None:
    """A nonce was assigned and not used."""
    assert world.final is not None
    world.final["postgres"]["nonces"][2]["nonce"] += 1


def leave_pending(world: World) -> None:
    """Entries were delivered and never acknowledged."""
    acks = world.acks[0]
    group = stream(world)["engine_group"]
    group["pending"] = 3
    group["pending_ids"] = [f"1-{seq}" for seq in acks["redis_seq"][[N, N, N]]]


def leave_lag(world: World) -> None:
    """Entries were never delivered."""
    group = stream(world)["engine_group"]
    group["lag"] = 2
    group["last_delivered_id"] = entry_text(len(world.attempts[0]) - 2)


def ledger_column(name: str, value: int) -> Callable[[World], None]:
    """One figure of a signal's ledger rows is another."""
    return lambda world: field(world.ledger, world, N, name, value)


def unbook(world: World) -> None:
    """A simulated signal is not in the ledger."""
    assert world.ledger is not None
    world.ledger = without(world.ledger, world.of(world.ledger, N))


def book_a_rejection(world: World) -> None:
    """A rejected signal is in the ledger."""
    booked = world.ledger
    reject(world, np.arange(len(world.attempts[0])) == N, State.STALE_DATA_ERROR)
    world.ledger = booked


def sent_stale(state: State) -> Callable[[World], None]:
    """A signal that was sent stale on purpose ends otherwise than in STALE_DATA_ERROR."""

    def change(world: World) -> None:
        if state is not State.SIMULATED:
            reject(world, np.arange(len(world.attempts[0])) == N, state)
        world.attempts[0]["stale"][N] = 1
        # The seed chooses nearly all; for the others the chain was too young, by their block 0.
        world.plan = world.plan.model_copy(update={"signals": Signals(stale_share=0.999)})

    return change


def book(name: str, value: int) -> Callable[[World], None]:
    """One figure of a signal's bookings is wrong."""
    return lambda world: field(world.bookings, world, N, name, value)


def stamp_off(seconds: float) -> Callable[[World], None]:
    """The clock that stamps a row is off."""

    def change(world: World) -> None:
        assert world.stamps is not None
        world.stamps["updated_us"][world.of(world.stamps, N)] += round(seconds * 1_000_000)

    return change
