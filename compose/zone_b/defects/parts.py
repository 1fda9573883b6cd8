"""The parts of a worker with defects in them: each does what it should, but for the hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce

import redis

from zone_b.batch import Batches
from zone_b.decision_service import Decision, DecisionService
from zone_b.defects.defect import Committer, Defect, DefectContext, Task
from zone_b.full import FullSimulator
from zone_b.lite import LiteSimulator
from zone_b.message import Order
from zone_b.source import Entry, Source
from zone_b.store import Store
from zone_b.trade import Committed, Read, Rejection, Trade
from zone_b.turns import Turn

Defects = tuple[Defect, ...]


class DefectiveSource(Source):
    """A source that may read late, not at all, or forget to acknowledge."""

    def __init__(
        self, defects: Defects, scene: DefectContext, client: redis.Redis, key: str, consumer: str
    ) -> None:
        super().__init__(client, key, consumer)
        self._defects = defects
        self._scene = scene
        scene.source = Source(client, key, consumer)
        scene.worker = consumer

    def read(self, count: int, block_ms: int) -> list[Entry]:
        for defect in self._defects:
            defect.before_reading()
        if not all(defect.may_read() for defect in self._defects):
            return []
        block_ms = min((defect.block_ms(block_ms) for defect in self._defects), default=block_ms)
        entries = super().read(count, block_ms)
        if entries:
            self._scene.origin.begin()
        return reduce(lambda left, defect: defect.arrived(left), self._defects, entries)

    def take_over(self, idle_min_ms: int) -> int:
        # At the start (0 ms) the entries of dead workers are claimed, whatever the defects.
        if idle_min_ms and not all(defect.may_take_over() for defect in self._defects):
            return 0
        return super().take_over(idle_min_ms)

    def acknowledge(self, entry_ids: list[bytes]) -> None:
        super().acknowledge([one for one in entry_ids if self._may(one)])

    def _may(self, entry_id: bytes) -> bool:
        read = self._scene.reads.get(entry_id)
        return read is None or all(defect.may_acknowledge(read) for defect in self._defects)


class DefectiveBatches(Batches):
    """Batches of which something may be missing, late, or in another order."""

    def __init__(
        self,
        defects: Defects,
        scene: DefectContext,
        source: Source,
        store: Store,
        decision_service: DecisionService,
        turn: Turn,
    ) -> None:
        super().__init__(source, store, decision_service, turn)
        self._defects = defects
        self._scene = scene

    def process(self, reads: Sequence[Read], head: int, read_ns: int) -> None:
        self._scene.begin(reads)
        left = reduce(lambda left, defect: defect.select_batch(left), self._defects, reads)
        # Even an empty batch is processed: its turn must be finished.
        super().process(left, head, read_ns)


class DefectiveDecisionService(DecisionService):
    """A decision service that may use the wrong head, or decide wrongly."""

    def __init__(
        self,
        defects: Defects,
        lite: LiteSimulator,
        full: FullSimulator,
        lag_max: int,
        first_in_block: Callable[[Order, int], bool],
    ) -> None:
        super().__init__(lite, full, lag_max, first_in_block)
        self._defects = defects

    def decide(self, order: Order, head: int) -> Decision | None:
        head = reduce(lambda head, defect: defect.head_for(order, head), self._defects, head)
        for defect in self._defects:
            defect.before_simulation(order, self._lite)
        return self._spoil(order, super().decide(order, head))

    def _spoil(self, order: Order, decision: Decision | None) -> Decision | None:
        return reduce(lambda left, defect: defect.decided(order, left), self._defects, decision)


class DefectiveStore(Store):
    """A store that may write less, more, or other things than it should."""

    def __init__(self, defects: Defects, dsn: str, worker: str) -> None:
        super().__init__(dsn, worker)
        self._defects = defects

    def begin(self, tasks: Iterable[Task], wallets: Iterable[tuple[str, int]]) -> None:
        rows: Sequence[Task] = list(tasks)
        for defect in self._defects:
            rows = defect.begun(rows)
        super().begin(rows, wallets)

    def commit(
        self, trades: Sequence[Trade], rejections: Sequence[Rejection]
    ) -> tuple[list[Committed], list[str]]:
        for defect in self._defects:
            defect.before_commit(trades)
        trades = reduce(lambda left, defect: defect.commits(left), self._defects, trades)
        committed, refused = self._commit(trades, rejections)
        for defect in self._defects:
            for done in committed:
                defect.after_commit(done)
            for trace_id in refused:
                defect.after_rejection(trace_id)
        return [reduce(_reported, self._defects, done) for done in committed], refused

    def _commit(
        self, trades: Sequence[Trade], rejections: Sequence[Rejection]
    ) -> tuple[list[Committed], list[str]]:
        """In the order of the trades, whoever commits them."""
        done: list[Committed] = []
        refused: list[str] = []
        waiting: list[Trade] = []
        for trade in trades:
            committer = self._committer(trade)
            if committer is None:
                waiting.append(trade)
                continue
            more, now_refused = super().commit(waiting, rejections)
            other = committer(trade)
            done += [*more, *([] if other is None else [other])]
            refused += now_refused
            waiting, rejections = [], []
        more, now_refused = super().commit(waiting, rejections)
        return [*done, *more], [*refused, *now_refused]

    def _committer(self, trade: Trade) -> Committer | None:
        found = (defect.committer(trade) for defect in self._defects)
        return next((committer for committer in found if committer is not None), None)


def _reported(done: Committed, defect: Defect) -> Committed:
    return defect.reported(done)
