"""The engine's main process (`python -m zone_b.engine`): starts the workers and ends with them.

Crash-only: a worker that ends unasked, or a lost connection, ends the whole engine with exit
code 1, and whoever supervises it starts it again. Nothing is kept in memory that matters.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import FrameType

import psycopg
import redis

from zone_b.logs import log_to_stderr
from zone_b.settings import Settings, SettingsError, read_settings

_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_STOP_S = 10.0
_KILL_S = 2.0

_LOG = logging.getLogger("zone_b.engine")


class Engine:
    """The workers, from the first to the last."""

    def __init__(self, settings: Settings) -> None:
        from zone_b.turns import Turns
        from zone_b.worker_parts import parts_of

        self._settings = settings
        self._kit = parts_of(settings)
        self._context = multiprocessing.get_context("fork")
        self._turns = Turns(self._context, settings.workers)
        self._workers: list[ForkProcess] = []
        self._waiting: list[Connection] = []
        self._stopping = False

    @property
    def is_ready(self) -> bool:
        """Whether every worker reads the stream."""
        return bool(self._workers) and not self._waiting

    def ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        """Signal handler."""
        del number, frame
        self._stopping = True

    def start(self) -> None:
        """Prepare stream and tables, and start the workers. Before any thread is started."""
        self._prepare()
        for index in range(self._settings.workers):
            self._start_worker(index)

    def watch(self) -> int:
        """Until it is asked to stop or a worker ends; the exit code."""
        while not self._stopping:
            sentinels = [worker.sentinel for worker in self._workers]
            for event in wait([*sentinels, *self._waiting], timeout=0.5):
                if isinstance(event, Connection):
                    self._receive_ready(event)
                elif not self._stopping:
                    self._kill()
                    return 1
        return self._finish()

    def _prepare(self) -> None:
        from zone_b.redis_commands import connect
        from zone_b.source import Source
        from zone_b.store import Store

        settings = self._settings
        client = connect(settings.redis_url)
        Source(client, settings.proposals_key, settings.engine_id).ensure_group()
        client.close()
        store = Store(settings.pg_dsn, settings.engine_id)
        store.release_locks(f"{settings.engine_id}-%")
        store.close()

    def _start_worker(self, index: int) -> None:
        from zone_b.worker import name_of, run_worker

        ours, theirs = self._context.Pipe(duplex=False)
        worker = self._context.Process(
            target=run_worker,
            args=(self._settings, self._kit, self._turns, index, os.getpid(), theirs),
            name=name_of(self._settings, index),
        )
        worker.start()
        theirs.close()
        self._workers.append(worker)
        self._waiting.append(ours)

    def _receive_ready(self, ready: Connection) -> None:
        try:
            ready.recv_bytes()
        except EOFError:
            return  # it died; its sentinel says so too
        finally:
            self._waiting.remove(ready)
            ready.close()
        if not self._waiting:
            _LOG.info("%d workers are ready", len(self._workers))

    def _finish(self) -> int:
        _LOG.info("stopping: %d workers finish what they hold", len(self._workers))
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + _STOP_S
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        codes = [worker.exitcode for worker in self._workers]
        self._kill()
        return 0 if all(code == 0 for code in codes) else 1

    def _kill(self) -> None:
        for worker in self._workers:
            if worker.exitcode is not None and worker.exitcode != 0:
                _LOG.error("worker %s ended with %s", worker.name, worker.exitcode)
            elif worker.exitcode is None:
                worker.kill()
        for worker in self._workers:
            worker.join(_KILL_S)


def run(settings: Settings) -> int:
    """Run the engine to its end; the exit code."""
    from zone_b.exporter import Exporter
    from zone_b.metrics import shared_registry

    engine = Engine(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, engine.ask_to_stop)
    exporter = Exporter(
        settings.http_host,
        settings.http_port,
        shared_registry(os.environ[_METRICS_FOLDER]),
        lambda: engine.is_ready,
    )
    engine.start()
    exporter.start()
    return engine.watch()


def main() -> int:
    """Run the engine with a private folder for its metrics; the exit code."""
    log_to_stderr()
    folder = tempfile.mkdtemp(prefix="zone-b-metrics-")
    # prometheus_client decides at its first import where values live, hence the late imports.
    os.environ[_METRICS_FOLDER] = folder
    try:
        from zone_b.pipeline_connection import PipelineError

        try:
            return run(read_settings())
        except (SettingsError, PipelineError, psycopg.Error, redis.RedisError, OSError) as error:
            _LOG.error("cannot go on: %s", error)
            return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
