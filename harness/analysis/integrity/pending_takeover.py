"""Who took over what an agent had not acknowledged when it left, from looks at their group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.evidence.jsonl import parse_jsonl
from harness.evidence.strict_json import loads


@dataclass(frozen=True, slots=True)
class PendingSnapshot:
    """What was pending at one moment.

    Attributes:
        pending: ids of events by consumer; None without a group.
        whole: whether every pending event is listed.
    """

    mono_ns: int
    pending: Mapping[str, Sequence[str]] | None
    is_complete: bool = True

    def holders(self) -> dict[str, str]:
        """Who has an event, by its id."""
        owned = self.pending or {}
        return {event: consumer for consumer, events in owned.items() for event in events}


@dataclass(frozen=True, slots=True)
class Takeover:
    """What became of the events that an agent left pending.

    Attributes:
        consumer: its name in the group; empty if it has none there.
        held: how many there were when it was gone.
        first_id, last_id: the oldest and the newest of them.
        taken: how many of them each other consumer was seen to have.
        unseen: how many were acknowledged between two looks, by whomever.
        left: how many it still had at the last look.
        emptied_ns: when a look first showed none of it; None if that never came.
        watched_ns: when the last look was; 0 where none saw the group once the agent was gone.
        whole: whether every look showed everything.
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
    """Every look, in order.

    Raises:
        EvidenceError: a line is none.
    """
    return tuple(parse_jsonl(lines, _look, where))


def _look(line: str) -> PendingSnapshot:
    document = loads(line)
    pending = document["pending"]
    return PendingSnapshot(
        int(document["mono_ns"]),
        None if pending is None else {str(k): list(v) for k, v in pending.items()},
        bool(document.get("whole", True)),
    )


def analyze_takeover(looks: Sequence[PendingSnapshot], host: str, left_ns: int) -> Takeover:
    """What became of the events of an agent that left.

    Args:
        looks: at the group, in order.
        host: of the agent, which its consumer is named after.
        left_ns: when it ended.
    """
    names = {name for look in looks for name in look.pending or () if host and host in name}
    consumer = min(names, default="")
    after = [look for look in looks if look.mono_ns >= left_ns and look.pending is not None]
    if not after:
        return Takeover(consumer)
    if not consumer:
        return Takeover(consumer, watched_ns=after[-1].mono_ns)
    held = list((after[0].pending or {}).get(consumer, ()))
    open_, taken, unseen, emptied_ns = set(held), Counter[str](), 0, None
    for look in after:
        holders = look.holders()
        for event in sorted(open_):
            owner = holders.get(event)
            if owner == consumer:
                continue
            open_.discard(event)
            if owner is None:
                unseen += 1
            else:
                taken[owner] += 1
        if not open_ and emptied_ns is None:
            emptied_ns = look.mono_ns
    return Takeover(
        consumer,
        held=len(held),
        first_id=held[0] if held else "",
        last_id=held[-1] if held else "",
        claimed=dict(sorted(taken.items())),
        unseen=unseen,
        left=len(open_),
        emptied_ns=emptied_ns,
        watched_ns=after[-1].mono_ns,
        is_complete=all(look.is_complete for look in after),
    )
