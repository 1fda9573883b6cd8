"""The observer process: `python -m harness.observe.worker`, an `ObserverPlan` as JSON on stdin.

Writes one JSON document per line on stdout: `ready` once everything committed from then on will be
seen, `status` every second, `done` at the end. SIGTERM ends it: it reads what the server has
committed by then (within `DRAIN_LIMIT_NS`), probes the clocks once more, writes `observer.json`
(counts, gaps, whether it was drained) and `done`. When it is killed, the observations of the last
`FLUSH_EVERY_NS` are lost; the run is then not a PASS.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from types import FrameType
from typing import Any

import psycopg
from pydantic import ValidationError

from harness.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from harness.contract.names import State
from harness.errors import EvidenceError, Exit, HarnessError, StackError, error_text
from harness.evidence.atomic_files import write_text
from harness.observe.catch_up import missed_versions
from harness.observe.clock_probes import ClockProber, PostgresClock
from harness.observe.method_registry import find_method, load_definition
from harness.observe.observations import ObservationsFile
from harness.observe.plan import (
    CLOCK_FILE,
    OBSERVER_FILE,
    SIGHTINGS_FILE,
    STREAM_FILE,
    ObserverPlan,
)
from harness.observe.polling import PollingWatcher
from harness.observe.reconnecting_watcher import ReconnectingWatcher
from harness.observe.report_check import ReportCheck
from harness.observe.source_watcher import SourceWatcher
from harness.observe.stream_samplers import ProposalsSampler
from harness.observe.watcher import Versions, Watcher
from harness.process.parent_death import die_with_parent

OPEN_LIMIT_NS = 15 * NS_PER_S
DRAIN_LIMIT_NS = 2 * NS_PER_S
STATUS_EVERY_NS = NS_PER_S
_POLL_NS = 20 * NS_PER_MS
_PROBER_END_S = 3.0
_NOT_DRAINED = f"gave up draining after {DRAIN_LIMIT_NS / NS_PER_S:.1f} s"


class ObserverWorker:
    """One observer from its start to its last line.

    Args:
        plan: what to observe and where to write.
        clock: monotonic time and sleep.
    """

    def __init__(self, plan: ObserverPlan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._end_requested = False
        self._drained = False
        self._cause = ""
        self._sightings_path = plan.folder / SIGHTINGS_FILE
        self._file = ObservationsFile(self._sightings_path, plan.contract, plan.run_tag)
        dsn = plan.observer_dsn.get_secret_value()
        self._method = find_method(plan.method.value)
        self._watcher = make_watcher(plan, clock)
        self._session = ReconnectingWatcher(
            self._watcher,
            self._missed,
            clock,
            log,
            ended=lambda: self._end_requested,
            is_first=lambda status: plan.contract.state(status) is State.INIT,
        )
        self._report_check = (
            ReportCheck(dsn, plan.contract, clock) if plan.method.is_self_reported else None
        )
        redis_url = plan.redis_url.get_secret_value() if plan.redis_url else None
        key = plan.contract.key(plan.contract.streams.proposals)
        self._prober = ClockProber(dsn, redis_url, key, plan.folder / CLOCK_FILE, clock)
        self._stream = (
            ProposalsSampler(redis_url, plan.contract, plan.folder / STREAM_FILE, clock)
            if redis_url
            else None
        )

    def request_stop(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: end at the next iteration of the loop."""
        del number, frame
        self._end_requested = True

    def run(self) -> None:
        """Observe until the end is requested.

        Raises:
            HarnessError: the server cannot be observed, or a file not written.
        """
        try:
            self._session.open(OPEN_LIMIT_NS)
            self._prober.start()
            if self._stream is not None:
                self._stream.poll()  # before the first signal, to count from there
                self._stream.start()
            gc.freeze()
            emit_status({"kind": "ready"})
            failure = self._watch_to_the_end()
            self._prober.end(_PROBER_END_S)
            self._end_stream()
            self._file.flush()
            self._conclude(failure)
            if failure is not None:
                raise failure
        finally:
            self._session.close()
            self._file.close()
            if self._report_check is not None:
                self._report_check.close()

    def _end_stream(self) -> None:
        if self._stream is None:
            return
        self._stream.end(_PROBER_END_S)
        if self._stream.failure:
            raise EvidenceError(f"cannot write {self._stream.failure}", where=STREAM_FILE)

    def _watch_to_the_end(self) -> StackError | None:
        """Observe and drain; the error that ended either before its time."""
        try:
            self._watch()
            self._drained = self._drain()
        except StackError as error:
            return error
        return None

    def _conclude(self, failure: StackError | None) -> None:
        cause = str(failure) if failure else self._cause or self._session.cause
        blind_ns = self._session.blind_since_ns or (self._session.seen_ns if failure else 0)
        status = self._status("done") | {"drained": self._drained}
        facts = {
            "schema_version": 1,
            "way": self._plan.method.value,
            "method_package": self._method.package,
            "misses_nothing": getattr(self._watcher, "misses_nothing", None),
            **status,
            "cause": " ".join(cause.split()),
            "blind_since_ns": blind_ns,
            "filtered": isinstance(self._watcher, PollingWatcher) and self._watcher.filtered,
            "unnamed": dict(self._file.unmapped_statuses),
            **(self._report_check.facts() if self._report_check else {}),
        }
        # Atomically: a partial document cannot be distinguished from a forged one.
        write_text(self._plan.folder / OBSERVER_FILE, json.dumps(facts, indent=1) + "\n")
        emit_status(status)

    def _watch(self) -> None:
        status_due_ns = self._clock.now_ns() + STATUS_EVERY_NS
        while not self._end_requested:
            self._turn()
            now_ns = self._clock.now_ns()
            if now_ns >= status_due_ns:
                emit_status(self._status("status"))
                status_due_ns = now_ns + STATUS_EVERY_NS

    def _turn(self) -> None:
        versions = self._session.poll(_POLL_NS)
        if versions:
            self._file.add(versions, self._session.seen_ns, self._session.since_ns)
        if self._report_check is not None:
            self._report_check.check(versions, self._session.seen_ns)
        self._file.flush_when_due(self._clock.now_ns())

    def _drain(self) -> bool:
        deadline_ns = self._clock.now_ns() + DRAIN_LIMIT_NS
        side = PostgresClock(self._plan.observer_dsn.get_secret_value())
        try:
            lsn = side.flushed_lsn()
        except psycopg.Error as error:
            self._cause = f"cannot ask how far the server is: {error_text(error, with_type=False)}"
            log(self._cause)
            return False
        finally:
            side.close()
        while self._clock.now_ns() < deadline_ns:
            if self._session.drained(lsn):
                return True
            self._turn()
        self._cause = self._session.cause if self._session.in_gap else _NOT_DRAINED
        log(self._cause)
        return False

    def _missed(self) -> Versions:
        self._file.flush()
        return missed_versions(
            self._plan.observer_dsn.get_secret_value(),
            self._plan.contract,
            self._plan.run_tag,
            self._sightings_path,
            self_reported=self._plan.method.is_self_reported,
        )

    def _status(self, kind: str) -> dict[str, Any]:
        lag_bytes = self._prober.flushed_lsn - self._watcher.received_lsn
        return {
            "kind": kind,
            "mono_ns": self._clock.now_ns(),
            "seen": self._file.seen,
            "final": self._file.final,
            "behind_bytes": max(0, lag_bytes) if self._watcher.received_lsn else 0,
            "foreign": self._file.foreign,
            "other": self._file.other,
            "unreadable": self._watcher.unreadable,
            "gaps": self._session.gaps,
            "in_gap": self._session.in_gap,
            "recovered": self._session.recovered,
            "stream_looks": self._stream.samples if self._stream else 0,
        }


def make_watcher(plan: ObserverPlan, clock: Clock) -> Watcher:
    """The watcher of the plan's observation method."""
    method = find_method(plan.method.value)
    if not method.is_built_in:
        return SourceWatcher(method, load_definition(method), plan, clock)
    made: Watcher = method.entry.load()(plan, clock)
    return made


def emit_status(line: dict[str, Any]) -> None:
    """One line for the parent process."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def log(message: str) -> None:
    """One line for the log."""
    sys.stderr.write(f"observer: {message}\n")
    sys.stderr.flush()


def main() -> int:
    """Read the plan and observe; the exit code."""
    parent = os.environ.get("HARNESS_PARENT")
    die_with_parent(parent=int(parent) if parent else None)
    try:
        plan = ObserverPlan.model_validate_json(sys.stdin.read())
    except ValidationError as error:
        log(f"the plan cannot be read: {error.error_count()} problems")
        return Exit.USAGE
    try:
        worker = ObserverWorker(plan, SystemClock())
        signal.signal(signal.SIGTERM, worker.request_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        worker.run()
    except HarnessError as error:
        log(str(error))
        return error.exit_code
    return Exit.PASS


if __name__ == "__main__":
    sys.exit(main())
