"""The telemetry process: `python -m harness.telemetry.worker`, a `TelemetryPlan` on stdin.

Each source is looked at by a thread of its own, so that a server that hangs delays no other one.
Further lines on stdin (`{"services": {name: pid}}`) tell of processes that were started since; the
end of stdin, or SIGTERM, ends it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
from types import FrameType
from typing import IO

from pydantic import ValidationError

from harness.clock import NS_PER_MS, Clock, SystemClock
from harness.errors import Exit
from harness.process.parent_death import die_with_parent
from harness.telemetry.disks import sample_disks
from harness.telemetry.host import sample_host
from harness.telemetry.host_processes import HostProcesses
from harness.telemetry.page_sampler import PageSampler
from harness.telemetry.plan import TelemetryPlan
from harness.telemetry.postgres_sampler import PostgresSampler
from harness.telemetry.redis_sampler import RedisSampler
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.sampler import LockedWriter, Source, SourceSampler
from harness.telemetry.services import Services

# Waiters for a lock are looked for so often at least.
POLL_EVERY_NS = 200 * NS_PER_MS
COST_LIMIT_CORES = 0.02
# It gives way to what it looks at, and still gets its small part of a busy core.
_NICE = 5
_FILES_WANTED = 16_384
_END_S = 2.0


class EndAskedError(Exception):
    """SIGTERM came."""


class KernelSource:
    """Host, its programs and services, as the kernel counts them, and what all this costs."""

    def __init__(self, services: Services, clock: Clock) -> None:
        self._services = services
        self._programs = HostProcesses(os.getppid())
        self._clock = clock

    def sample(self, sheet: SampleBatch) -> None:
        """Everything that needs no answer of a server."""
        sample_host(sheet)
        sample_disks(sheet)
        self._programs.sample(sheet, self._services.pids, self._clock.now_ns())
        self._services.sample(sheet, self._clock.now_ns())
        sheet.time("sampler.cost_cores", time.process_time_ns())
        sheet.limit("sampler.cost_cores", COST_LIMIT_CORES, "specified")

    def poll(self, sheet: SampleBatch) -> None:
        """Totals lose nothing between two looks."""

    def close(self) -> None:
        self._programs.close()
        self._services.close()


class TelemetryWorker:
    """All lookers of one plan.

    Args:
        plan: what to look at.
        file: what they write to.
        clock: the host's clocks.
    """

    def __init__(self, plan: TelemetryPlan, file: IO[str], clock: Clock) -> None:
        self._lines = LockedWriter(file)
        self._plan = plan
        self._clock = clock
        self._ended = threading.Event()
        self._services = Services()
        self._services.follow(plan.services)
        glances = max(1, -(-plan.every_ns // POLL_EVERY_NS))
        redis_looks = RedisSampler(
            plan.redis_url.get_secret_value(),
            plan.contract,
            lambda: self._services.memory_limit_bytes("redis"),
        )
        postgres = PostgresSampler(plan.conninfo.get_secret_value(), plan.contract, clock)
        sources: dict[str, tuple[Source, int]] = {
            "kernel": (KernelSource(self._services, clock), 1),
            "redis": (redis_looks, 1),
            "postgres": (postgres, glances),
            "pages": (PageSampler(plan.metrics_urls, clock), 1),
        }
        self._lookers = [
            SourceSampler(
                name,
                source,
                SampleBatch(name, self._lines.write),
                every_ns=plan.every_ns,
                glances=parts,
                offset_ns=number * plan.every_ns // len(sources),
                ended=self._ended,
                clock=clock,
            )
            for number, (name, (source, parts)) in enumerate(sources.items())
        ]

    def run(self, words: IO[str]) -> None:
        """Look until the words end.

        Raises:
            OSError: the lines cannot be written.
        """
        self._tell({"kind": "start", "every_ns": self._plan.every_ns})
        for looker in self._lookers:
            looker.start()
        try:
            for word in words:
                self._services.follow(json.loads(word)["services"])
        except EndAskedError:
            pass
        finally:
            self._ended.set()
            for looker in self._lookers:
                looker.join(_END_S)
        if failure := next((one.failure for one in self._lookers if one.failure), None):
            raise OSError(failure)
        self._tell({"kind": "end"})

    def _tell(self, document: dict[str, object]) -> None:
        self._lines.write(json.dumps({**document, "mono_ns": self._clock.now_ns()}) + "\n")


def _ask_to_end(number: int, frame: FrameType | None) -> None:
    del frame
    signal.signal(number, signal.SIG_IGN)  # once is enough, and the end is not to be interrupted
    raise EndAskedError


def _prepare() -> None:
    parent = os.environ.get("HARNESS_PARENT")
    die_with_parent(parent=int(parent) if parent else None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if most == resource.RLIM_INFINITY else min(_FILES_WANTED, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def main() -> int:
    """Read the plan and look; the exit code."""
    _prepare()
    try:
        plan = TelemetryPlan.model_validate_json(sys.stdin.readline())
    except ValidationError as error:
        sys.stderr.write(f"telemetry: the plan cannot be read: {error.error_count()} problems\n")
        return Exit.USAGE
    try:
        with plan.path.open("a", encoding="utf-8") as file:
            worker = TelemetryWorker(plan, file, SystemClock())
            signal.signal(signal.SIGTERM, _ask_to_end)
            worker.run(sys.stdin)
    except OSError as error:
        sys.stderr.write(f"telemetry: {error}\n")
        return Exit.INVALID
    return Exit.PASS


if __name__ == "__main__":
    sys.exit(main())
