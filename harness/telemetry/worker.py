"""The telemetry process: `python -m harness.telemetry.worker`, a `TelemetryPlan` on stdin.

Each source of `harness.telemetry.sources` is sampled in a thread of its own, so that a server that
hangs delays no other source. Further lines on stdin (`{"services": {name: pid}}`) name the
processes that were started since; the end of stdin, or SIGTERM, ends the process.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
from types import FrameType
from typing import IO

from pydantic import ValidationError

from harness.clock import Clock, SystemClock
from harness.errors import Exit
from harness.process.parent_death import die_with_parent
from harness.telemetry.plan import TelemetryPlan
from harness.telemetry.sample_batch import SampleBatch
from harness.telemetry.sampler import LockedWriter, SourceSampler
from harness.telemetry.services import Services
from harness.telemetry.source import SourceContext, all_sources

# It gives way to what it samples, and still gets its small part of a busy core.
_NICE = 5
_FILES_WANTED = 16_384
_END_S = 2.0


class EndRequestedError(Exception):
    """SIGTERM came."""


class TelemetryWorker:
    """The samplers of one plan.

    Args:
        plan: what to sample.
        file: where the lines go.
        clock: the host's clocks.
    """

    def __init__(self, plan: TelemetryPlan, file: IO[str], clock: Clock) -> None:
        self._lines = LockedWriter(file)
        self._plan = plan
        self._clock = clock
        self._ended = threading.Event()
        self._services = Services()
        self._services.follow(plan.services)
        context = SourceContext(plan, clock, self._services)
        sources = all_sources().values()
        self._samplers = [
            SourceSampler(
                source.name,
                source.make(context),
                SampleBatch(source.name, self._lines.write),
                every_ns=plan.every_ns,
                steps=source.steps(plan.every_ns),
                offset_ns=number * plan.every_ns // len(sources),
                ended=self._ended,
                clock=clock,
            )
            for number, source in enumerate(sources)
        ]

    def run(self, updates: IO[str]) -> None:
        """Sample until there are no more updates.

        Args:
            updates: lines that name the processes of the services.

        Raises:
            OSError: the lines cannot be written.
        """
        self._write({"kind": "start", "every_ns": self._plan.every_ns})
        for sampler in self._samplers:
            sampler.start()
        try:
            for line in updates:
                self._services.follow(json.loads(line)["services"])
        except EndRequestedError:
            pass
        finally:
            self._ended.set()
            for sampler in self._samplers:
                sampler.join(_END_S)
        if failure := next((one.failure for one in self._samplers if one.failure), None):
            raise OSError(failure)
        self._write({"kind": "end"})

    def _write(self, document: dict[str, object]) -> None:
        self._lines.write(json.dumps({**document, "mono_ns": self._clock.now_ns()}) + "\n")


def _request_end(number: int, frame: FrameType | None) -> None:
    del frame
    signal.signal(number, signal.SIG_IGN)  # once is enough, and nothing may interrupt the end
    raise EndRequestedError


def _prepare() -> None:
    parent = os.environ.get("HARNESS_PARENT")
    die_with_parent(parent=int(parent) if parent else None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if most == resource.RLIM_INFINITY else min(_FILES_WANTED, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def main() -> int:
    """Read the plan and sample; the exit code."""
    _prepare()
    try:
        plan = TelemetryPlan.model_validate_json(sys.stdin.readline())
    except ValidationError as error:
        sys.stderr.write(f"telemetry: the plan cannot be read: {error.error_count()} problems\n")
        return Exit.USAGE
    try:
        with plan.path.open("a", encoding="utf-8") as file:
            worker = TelemetryWorker(plan, file, SystemClock())
            signal.signal(signal.SIGTERM, _request_end)
            worker.run(sys.stdin)
    except OSError as error:
        sys.stderr.write(f"telemetry: {error}\n")
        return Exit.INVALID
    return Exit.PASS


if __name__ == "__main__":
    sys.exit(main())
