"""What a defect can do: hooks around a worker's parts, each of which does nothing by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from zone_b.decision_service import Decision
from zone_b.defects.database import Database
from zone_b.defects.ground_truth import GroundTruth
from zone_b.defects.spec import Spec
from zone_b.defects.triggers import TimeOrigin, Trigger
from zone_b.lite import LiteSimulator
from zone_b.message import Order
from zone_b.settings import Settings
from zone_b.source import Entry, Source
from zone_b.trade import Committed, Read, Trade

Task = tuple[str, str]
# Commits one trade in another way than the store does.
Committer = Callable[[Trade], Committed | None]


@dataclass(slots=True)
class DefectContext:
    """What the defects of one worker share.

    Attributes:
        origin: where their times begin.
        wait_s: holds this worker up.
        source: the worker's own, without any defect in it.
        worker: its name.
        reads: the batch in hand, by entry.
        orders: its orders, by trace id.
    """

    settings: Settings
    truth: GroundTruth
    database: Database
    origin: TimeOrigin
    wait_s: Callable[[float], None] = time.sleep
    source: Source | None = None
    worker: str = ""
    reads: dict[bytes, Read] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)

    def begin(self, reads: Iterable[Read]) -> None:
        """A batch begins."""
        self.origin.begin()
        self.reads = {read.entry_id: read for read in reads}
        self.orders = {read.trace_id: read for read in reads if isinstance(read, Order)}

    def acknowledge(self, reads: Iterable[Read]) -> None:
        """Acknowledge these, whether they are done or not."""
        if self.source is not None:
            self.source.acknowledge([read.entry_id for read in reads])


class Defect:
    """A defect that does nothing yet.

    Args:
        spec: what was asked for.
        moments: when it strikes.
        scene: where.
    """

    def __init__(self, spec: Spec, moments: Trigger, scene: DefectContext) -> None:
        self.spec = spec
        self.trigger = moments
        self.context = scene
        self.set_up()

    def set_up(self) -> None:
        """Make what it keeps for itself."""

    def setting(self, name: str) -> float:
        """A setting of its own."""
        return self.spec.settings[name]

    def note(self, trace_id: str | None = None) -> None:
        """Write the ground truth of one act."""
        self.context.truth.note(self.spec.name, trace_id)

    def strikes(self, trace_id: str) -> bool:
        """Whether it acts on this signal; if so, that is noted."""
        if not self.trigger.strikes(trace_id):
            return False
        self.note(trace_id)
        return True

    # Around the source

    def before_reading(self) -> None:
        """The worker holds the reading turn and is about to read."""

    def may_read(self) -> bool:
        """Whether it reads at all."""
        return True

    def block_ms(self, block_ms: int) -> int:
        """How long a read may wait for entries."""
        return block_ms

    def arrived(self, entries: list[Entry]) -> list[Entry]:
        """What the worker gets of what was read."""
        return entries

    def may_take_over(self) -> bool:
        """Whether a living engine takes over entries that were left alone."""
        return True

    def may_acknowledge(self, read: Read) -> bool:
        """Whether an entry is acknowledged."""
        del read
        return True

    # Around a batch

    def select_batch(self, reads: Sequence[Read]) -> Sequence[Read]:
        """What is processed, and in which order."""
        return reads

    # Around the decision service

    def head_for(self, order: Order, head: int) -> int:
        """The height that an order is judged by."""
        del order
        return head

    def before_simulation(self, order: Order, lite: LiteSimulator) -> None:
        """An order is about to be judged."""

    def decided(self, order: Order, decision: Decision | None) -> Decision | None:
        """The decision as it is carried out."""
        del order
        return decision

    # Around the store

    def begun(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Tasks that get their row in INIT."""
        return tasks

    def before_commit(self, trades: Sequence[Trade]) -> None:
        """These are about to be committed."""

    def commits(self, trades: Sequence[Trade]) -> Sequence[Trade]:
        """Those that are committed, as they are committed."""
        return trades

    def committer(self, trade: Trade) -> Committer | None:
        """Another way to commit a trade."""
        del trade
        return None

    def after_commit(self, done: Committed) -> None:
        """A trade is committed."""

    def after_rejection(self, trace_id: str) -> None:
        """A signal is rejected."""

    def reported(self, done: Committed) -> Committed:
        """What the metrics count of a trade."""
        return done
