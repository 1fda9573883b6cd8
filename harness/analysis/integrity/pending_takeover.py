"""Which consumers took over the pending events of an agent that left its group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.evidence.jsonl import parse_jsonl
from harness.evidence.strict_json import loads


@dataclass(frozen=True, slots=True)
class PendingSnapshot:
    """The pending events of a consumer group at one moment.

    Attributes:
        pending: ids of events by consumer; None without a group.
        is_complete: whether every pending event is listed.
    """

    mono_ns: int
    pending: Mapping[str, Sequence[str]] | None
    is_complete: bool = True

    def holders(self) -> dict[str, str]:
        """The consumer of each pending event, by event id."""
        by_consumer = self.pending or {}
        return {event: consumer for consumer, events in by_consumer.items() for event in events}


@dataclass(frozen=True, slots=True)
class Takeover:
    """Who took over the events that an agent left pending.

    Attributes:
        consumer: the agent's name in the group; empty if it has none.
        held: pending events at the first snapshot after the agent ended.
        first_id, last_id: the oldest and the newest of them.
        claimed: how many of them each other consumer claimed.
        unseen: how many were acknowledged between two snapshots, by an unknown consumer.
        left: how many were still the agent's at the last snapshot.
        emptied_ns: first snapshot without any of them; None if every one has some.
        watched_ns: last snapshot; 0 where none shows the group after the agent's end.
        is_complete: whether every snapshot lists all pending events.
    """

    consumer: str
    held: int = 0
    first_id: str = ""
    last_id: str = ""
    claimed: Mapping[str, int] = field(default_factory=dict)
    unseen: int = 0
    left: int = 0
    emptied_ns: int | None = None
    watched_ns: int = 0
    is_complete: bool = True


def read_pending_snapshots(
    lines: Iterable[str], where: str = "pool.jsonl"
) -> tuple[PendingSnapshot, ...]:
    """Every snapshot of a file, in order.

    Raises:
        EvidenceError: a line cannot be read.
    """
    return tuple(parse_jsonl(lines, _snapshot, where))


def _snapshot(line: str) -> PendingSnapshot:
    document = loads(line)
    pending = document["pending"]
    return PendingSnapshot(
        int(document["mono_ns"]),
        None if pending is None else {str(k): list(v) for k, v in pending.items()},
        bool(document.get("whole", True)),
    )


def analyze_takeover(snapshots: Sequence[PendingSnapshot], host: str, left_ns: int) -> Takeover:
    """Who took over the pending events of an agent that left.

    Args:
        snapshots: of the group, in order.
        host: of the agent; its consumer is named after it.
        left_ns: when the agent ended.
    """
    names = {
        name for snapshot in snapshots for name in snapshot.pending or () if host and host in name
    }
    consumer = min(names, default="")
    after = [
        snapshot
        for snapshot in snapshots
        if snapshot.mono_ns >= left_ns and snapshot.pending is not None
    ]
    if not after:
        return Takeover(consumer)
    if not consumer:
        return Takeover(consumer, watched_ns=after[-1].mono_ns)
    held = list((after[0].pending or {}).get(consumer, ()))
    open_, claimed, unseen, emptied_ns = set(held), Counter[str](), 0, None
    for snapshot in after:
        holders = snapshot.holders()
        for event in sorted(open_):
            owner = holders.get(event)
            if owner == consumer:
                continue
            open_.discard(event)
            if owner is None:
                unseen += 1
            else:
                claimed[owner] += 1
        if not open_ and emptied_ns is None:
            emptied_ns = snapshot.mono_ns
    return Takeover(
        consumer,
        held=len(held),
        first_id=held[0] if held else "",
        last_id=held[-1] if held else "",
        claimed=dict(sorted(claimed.items())),
        unseen=unseen,
        left=len(open_),
        emptied_ns=emptied_ns,
        watched_ns=after[-1].mono_ns,
        is_complete=all(snapshot.is_complete for snapshot in after),
    )
