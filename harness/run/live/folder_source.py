"""Reads a run under way from its folder, which grows; writes nothing there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from harness.clock import NS_PER_S, Clock
from harness.errors import EvidenceError
from harness.evidence.event_log import read_events
from harness.evidence.run_documents import RunPlan
from harness.evidence.run_folder import RunFolder
from harness.load.status import STATUS_FIELDS, Status, SwarmTotals, sum_statuses
from harness.run.live.figures import LiveFigures
from harness.run.live.json_lines_tail import JsonLinesTail
from harness.run.live.latency_histogram import measured_ranges
from harness.run.live.service_usage import UsageTail
from harness.run.live.snapshot import SnapshotBuilder
from harness.run.parts import Progress
from harness.safe_open import RefusedError

# Processes of a run write at least once a second, but not while the run is judged.
_SILENT_NS = 20 * NS_PER_S
# While the stack starts, and while the final state is read and the run judged.
_SILENT_STARTING_NS = 600 * NS_PER_S
_SILENT_JUDGING_NS = 600 * NS_PER_S
# For a run that has been under way for long: some 10 million signals.
_CATCH_UP_MAX = 200


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment.

    Attributes:
        progress: None before its first signal is planned.
        ended: whether nothing will change any more.
        message: what the run waits for, or how it ended; may be empty.
    """

    run_id: str
    progress: Progress | None = None
    ended: bool = False
    message: str = ""


class FolderSource:
    """Reads a run from its folder.

    Args:
        folder: of the run.
        clock: of this host, on which the run is under way.
    """

    def __init__(self, folder: RunFolder, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._statuses = JsonLinesTail(folder.swarm_status)
        self._usage = UsageTail(folder.telemetry)
        self._newest: dict[object, Status] = {}
        self._under_way: tuple[SnapshotBuilder, LiveFigures] | None = None
        self._shown_ns = 0

    def poll(self) -> RunView:
        """The run now."""
        run_id, path = self._folder.run_id, self._folder.path
        if self._folder.result.exists():
            return RunView(run_id, self._progress(), ended=True)
        silent_ns = self._clock.wall_ns() - _last_written_ns(path)
        if not self._folder.plan.exists():
            ended = silent_ns > _SILENT_STARTING_NS
            message = "the run ended before its first signal" if ended else "the stack is starting"
            return RunView(run_id, None, ended, message)
        judging = self._folder.run.exists()
        if silent_ns > (_SILENT_JUDGING_NS if judging else _SILENT_NS):
            message = f"nothing has been written for {silent_ns / NS_PER_S:,.0f} s, and no verdict"
            return RunView(run_id, self._progress(), ended=True, message=message)
        return RunView(run_id, self._progress())

    def _progress(self) -> Progress | None:
        made = self._under_way or self._begin()
        if made is None:
            return None
        snapshots, live = self._under_way = made
        for _ in range(_CATCH_UP_MAX):
            live.update()
            if not live.has_unread_records:
                break
        totals = self._totals()
        events = read_events(self._folder.path)
        phase, now_ns = self._now(snapshots, totals)
        progress = snapshots.snapshot(phase, now_ns, totals, live, {}, events)
        return replace(progress, usage=self._usage.read())

    def _begin(self) -> tuple[SnapshotBuilder, LiveFigures] | None:
        try:
            plan: RunPlan = self._folder.read_plan()
        except RefusedError:
            raise
        except EvidenceError:
            return None
        measured = measured_ranges(plan.load, plan.t0_ns)
        live = LiveFigures(self._folder.path, plan.run_tag, measured=measured)
        return SnapshotBuilder(plan.load, plan.t0_ns), live

    def _totals(self) -> SwarmTotals:
        for status in self._statuses.read_new():
            if all(isinstance(status.get(name, 0), int) for name in ("process", *STATUS_FIELDS)):
                self._newest[status.get("process")] = status
        return sum_statuses(self._newest.values())

    def _now(self, snapshots: SnapshotBuilder, totals: SwarmTotals) -> tuple[str, int]:
        """Phase and time; of a run that has ended, those of its end."""
        with suppress(EvidenceError):
            if self._folder.run.exists():
                # The newest snapshot may have been a little later.
                return "finish", max(self._shown_ns, self._folder.read_run().observation_end_ns)
        now_ns = self._clock.now_ns()
        if totals.reported_ns and now_ns - totals.reported_ns > _SILENT_NS:
            now_ns = totals.reported_ns
        self._shown_ns = now_ns
        return snapshots.phase_at(now_ns), now_ns


def _last_written_ns(folder: Path) -> int:
    """When something in the folder was last written, in Unix nanoseconds."""
    newest_ns = 0
    for path in (folder, *folder.iterdir(), *folder.glob("logs/*"), *folder.glob("journal/*")):
        with suppress(OSError):
            newest_ns = max(newest_ns, path.stat().st_mtime_ns)
    return newest_ns
