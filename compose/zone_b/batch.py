"""The way of a batch of signals: INIT, decision, nonce lock, SIMULATED, acknowledgement."""

from __future__ import annotations

import time
from collections.abc import Sequence

from zone_b import metrics
from zone_b.decision_service import Decision, DecisionService
from zone_b.fsm import Status
from zone_b.message import Malformed, Order
from zone_b.source import Source
from zone_b.store import Store
from zone_b.trade import Committed, Mode, Read, Rejection, Trade
from zone_b.turns import Turn


class Batches:
    """Takes one batch after the other through all its states.

    The steps are in the order in which a crash does no harm: rows first, acknowledgement last,
    and every write idempotent, so that a batch cut anywhere is simply delivered again.
    """

    def __init__(
        self, source: Source, store: Store, decision_service: DecisionService, turn: Turn
    ) -> None:
        self._source = source
        self._store = store
        self._decision_service = decision_service
        self._turn = turn

    def process(self, reads: Sequence[Read], head: int, read_ns: int) -> None:
        """Bring every signal to its end and acknowledge it.

        Args:
            reads: what was read, in the order of the stream.
            head: height of the chain's head.
            read_ns: monotonic time at which the entries arrived.
        """
        orders = [read for read in reads if isinstance(read, Order)]
        broken = [read for read in reads if isinstance(read, Malformed)]
        metrics.BATCH.observe(len(reads))
        metrics.POOL.set(1)
        named = self._begin(orders, broken)
        # The database writes the INIT rows while we simulate.
        decisions = [(order, self._decision_service.decide(order, head)) for order in orders]
        decided_ns = time.monotonic_ns()
        init_ns = self._store.begun() if named else decided_ns
        times = _Times(read_ns, init_ns, max(init_ns, decided_ns))
        self._turn.wait()
        now, later = waves(decisions)
        self._commit(now, _malformed(broken), times)
        if later:
            self._commit_in_full(later, head, times)
        self._turn.finish()
        metrics.POOL.set(0)
        self._source.acknowledge([read.entry_id for read in reads])

    def _begin(self, orders: Sequence[Order], broken: Sequence[Malformed]) -> bool:
        tasks = [(order.trace_id, order.strategy_id) for order in orders]
        tasks += [(read.trace_id, "") for read in broken if read.trace_id]
        if len(tasks) < len(orders) + len(broken):
            metrics.UNREADABLE.inc(len(orders) + len(broken) - len(tasks))
        if tasks:
            self._store.begin(tasks, {(order.address, order.chain_id) for order in orders})
        return bool(tasks)

    def _commit_in_full(
        self, later: list[tuple[Order, Decision | None]], head: int, times: _Times
    ) -> None:
        waiting = [order for order, decision in later if decision is None]
        answers = iter(self._decision_service.decide_in_full(waiting, head))
        done = [next(answers) if decision is None else decision for _, decision in later]
        self._commit(done, [], times.decided_at(time.monotonic_ns()))

    def _commit(
        self, decisions: Sequence[Decision], malformed: list[Rejection], times: _Times
    ) -> None:
        trades = [decision for decision in decisions if isinstance(decision, Trade)]
        rejections = [d for d in decisions if isinstance(d, Rejection)] + malformed
        if not trades and not rejections:
            return
        asked_ns = time.monotonic_ns()
        committed, refused = self._store.commit(trades, rejections)
        _count(committed, rejections, set(refused), len(trades), times, asked_ns)


class _Times:
    """When the steps that a whole batch shares were done; monotonic."""

    __slots__ = ("decided_ns", "init_ns", "read_ns")

    def __init__(self, read_ns: int, init_ns: int, decided_ns: int) -> None:
        self.read_ns = read_ns
        self.init_ns = init_ns
        self.decided_ns = decided_ns

    def decided_at(self, decided_ns: int) -> _Times:
        return _Times(self.read_ns, self.init_ns, decided_ns)


def waves(
    decisions: Sequence[tuple[Order, Decision | None]],
) -> tuple[list[Decision], list[tuple[Order, Decision | None]]]:
    """What can be committed at once, and what has to wait for the node.

    An order that comes after one in full on the same address waits with it, so that nonces keep
    to the order of the stream.
    """
    now: list[Decision] = []
    later: list[tuple[Order, Decision | None]] = []
    waiting: set[tuple[str, int]] = set()
    for order, decision in decisions:
        wallet = (order.address, order.chain_id)
        if decision is None or (wallet in waiting and isinstance(decision, Trade)):
            waiting.add(wallet)
            later.append((order, decision))
        else:
            now.append(decision)
    return now, later


def _malformed(broken: Sequence[Malformed]) -> list[Rejection]:
    return [
        Rejection(read.trace_id, Status.MALFORMED, Mode.LITE, "malformed")
        for read in broken
        if read.trace_id
    ]


def _count(
    committed: Sequence[Committed],
    rejections: Sequence[Rejection],
    refused: set[str],
    trades: int,
    times: _Times,
    asked_ns: int,
) -> None:
    observe = metrics.observe_transition
    done_before_ns = asked_ns
    for done in committed:
        mode = done.trade.mode
        # Trades of a batch are committed one after the other: a trade asks for its lock when the
        # one before it is done.
        locked_ns = min(done.done_ns, done_before_ns + done.lock_wait_ns)
        observe("RECEIVED->INIT", mode, times.init_ns - times.read_ns)
        observe("INIT->EVALUATED", mode, times.decided_ns - times.init_ns)
        observe("EVALUATED->LOCKED", mode, locked_ns - times.decided_ns)
        observe("INIT->LOCKED", mode, locked_ns - times.init_ns)
        observe("LOCKED->SIMULATED", mode, done.done_ns - locked_ns)
        observe("INIT->SIMULATED", mode, done.done_ns - times.init_ns)
        metrics.SIGNALS.labels(Status.SIMULATED, mode).inc()
        done_before_ns = done.done_ns
    now_ns = time.monotonic_ns()
    for rejection in rejections:
        if rejection.trace_id in refused:
            observe(f"INIT->{rejection.status}", rejection.mode, now_ns - times.init_ns)
            metrics.SIGNALS.labels(rejection.status, rejection.mode).inc()
            metrics.REJECTIONS.labels(rejection.status, rejection.detail).inc()
    again = trades - len(committed) + len(rejections) - len(refused)
    if again:
        metrics.DUPLICATES.inc(again)
