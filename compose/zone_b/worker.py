"""A worker process of the engine: reads, and takes what it read through its states."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import FrameType

import psycopg
import redis

from zone_b import metrics
from zone_b.chain_state import ChainState
from zone_b.full import FullSimulator
from zone_b.head import HeadWatcher
from zone_b.lite import LiteSimulator
from zone_b.message import Order, read_entry
from zone_b.parent_death import die_with_parent
from zone_b.pipeline_connection import PipelineError
from zone_b.redis_commands import connect
from zone_b.settings import Settings
from zone_b.simulation_policy import FirstRuns
from zone_b.source import Entry
from zone_b.store import StoreError
from zone_b.trade import Read
from zone_b.turns import Turn, TurnLostError, Turns
from zone_b.worker_parts import WorkerParts

_READ_BLOCK_MS = 500
_TURN_WAIT_S = 0.5
# A lock does not queue: who takes it again at once keeps others out.
_LET_GO_S = 0.001
# Entries of a worker that lives but is stuck: longer than a full simulation and its commit take.
_IDLE_MIN_MS = 10_000
_CLAIM_PERIOD_S = 5.0

_LOG = logging.getLogger("zone_b.worker")


def name_of(settings: Settings, index: int) -> str:
    """The worker's name in the consumer group and in the nonce locks."""
    return f"{settings.engine_id}-{index}"


def run_worker(
    settings: Settings, kit: WorkerParts, turns: Turns, index: int, parent: int, ready: Connection
) -> None:
    """Entry point of the process. The first worker takes over what dead workers left."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process says when
    try:
        _run(Worker(settings, kit, turns, index), turns, index, ready)
    except (PipelineError, StoreError, TurnLostError, psycopg.Error, redis.RedisError) as error:
        _LOG.error("cannot go on: %s", error)
        sys.exit(1)


def _run(worker: Worker, turns: Turns, index: int, ready: Connection) -> None:
    signal.signal(signal.SIGTERM, worker.ask_to_stop)
    if index == 0:
        worker.recover(idle_min_ms=0)
        turns.recovered.set()
    turns.recovered.wait()
    ready.send_bytes(b"ready")
    worker.run()


class Worker:
    """Everything one worker holds, and its loop."""

    def __init__(self, settings: Settings, kit: WorkerParts, turns: Turns, index: int) -> None:
        self._settings = settings
        self._index = index
        self._stopping = False
        name = name_of(settings, index)
        url = settings.redis_url
        self._head = HeadWatcher(connect(url), settings.chain_events_key)
        self._source = kit.source(connect(url), settings.proposals_key, name)
        self._turn = Turn(turns, index)
        decision_service = kit.decision_service(
            LiteSimulator(fetch=_state_source(settings.chain_adapter_url)),
            FullSimulator(settings.anvil_url),
            settings.watermark_max_lag,
            FirstRuns(connect(url), settings.prefix).is_first
            if settings.full_first_in_block
            else _never_first,
        )
        store = kit.store(settings.pg_dsn, name)
        self._batches = kit.batches(self._source, store, decision_service, self._turn)
        self._head.start()
        self._claim_at = time.monotonic() + _CLAIM_PERIOD_S

    def ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: finish what is in hand, read no more."""
        del number, frame
        self._stopping = True

    def run(self) -> None:
        """Read and process until asked to stop."""
        while not self._stopping:
            reads: list[Read] = []
            with self._turn.reading(_TURN_WAIT_S) as held:
                if held and not self._stopping:
                    entries = self._source.read(self._settings.batch_max, _READ_BLOCK_MS)
                    read_ns = time.monotonic_ns()
                    reads = self._take(entries)
            if reads:
                self._batches.process(reads, self._head.block(), read_ns)
            else:
                time.sleep(_LET_GO_S)
            if self._index == 0 and time.monotonic() >= self._claim_at:
                self.recover(_IDLE_MIN_MS)
                self._claim_at = time.monotonic() + _CLAIM_PERIOD_S
        self._head.stop()
        _LOG.info("stopped")

    def recover(self, idle_min_ms: int) -> None:
        """Take over unacknowledged entries, and process them as if new."""
        metrics.TRIMMED.inc(self._source.take_over(idle_min_ms))
        after = b"0-0"
        while not self._stopping:
            with self._turn.reading(_TURN_WAIT_S) as held:
                if not held:
                    continue
                entries = self._source.read_own(after, self._settings.batch_max)
                read_ns = time.monotonic_ns()
                reads = self._take(entries)
            if not entries:
                return
            after = entries[-1].entry_id
            if reads:
                metrics.RECOVERED.inc(len(reads))
                self._batches.process(reads, self._head.block(), read_ns)

    def _take(self, entries: list[Entry]) -> list[Read]:
        """Read the entries and draw a ticket for them; drop those that were trimmed."""
        trimmed = [entry.entry_id for entry in entries if entry.fields is None]
        if trimmed:
            metrics.TRIMMED.inc(len(trimmed))
            _LOG.warning("%d pending entries had been trimmed from the stream", len(trimmed))
            self._source.acknowledge(trimmed)
        reads = [read_entry(e.entry_id, e.fields) for e in entries if e.fields is not None]
        if reads:
            self._turn.draw(read.address for read in reads if isinstance(read, Order))
        return reads


def _state_source(url: str) -> Callable[[], int] | None:
    return ChainState(url).reserves_word if url else None


def _never_first(order: Order, block: int) -> bool:
    del order, block
    return False
