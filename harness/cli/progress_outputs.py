"""Outputs of a run under way: its terminal, and a metrics page when it is requested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rich.console import Console

from harness.clock import SystemClock
from harness.errors import UsageError
from harness.evidence.run_folder import RunFolder
from harness.run.live.exporter import Exporter
from harness.run.live.metrics_server import serving
from harness.run.live.service_usage import UsageTail
from harness.run.live.terminal_progress import ProgressView
from harness.run.parts import Progress
from harness.stack.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class MetricsChoice:
    """Where the metrics page is served; `port` None for nowhere, 0 for any free one."""

    port: int | None = None
    address: str | None = None


@contextmanager
def exporting(choice: MetricsChoice, console: Console) -> Iterator[Exporter | None]:
    """The metrics page while the block lasts; None when none is requested.

    Raises:
        UsageError: it cannot be served there.
    """
    if choice.port is None:
        if choice.address is not None:
            raise UsageError(
                "there is no page to serve on this address",
                where="--metrics-address",
                hint="add --metrics-port",
            )
        yield None
        return
    exporter = Exporter(SystemClock())
    with serving(exporter.app, choice.port, choice.address or LOOPBACK) as url:
        console.print(f"metrics of the run on {url}", markup=False, highlight=False)
        yield exporter


class ProgressOutputs:
    """Passes the snapshots of one run to its outputs.

    Args:
        view: the terminal.
        exporter: the metrics page, if there is one.
        folder: of the run; its telemetry is added to the snapshots.
    """

    def __init__(self, view: ProgressView, exporter: Exporter | None, folder: RunFolder) -> None:
        self._view = view
        self._exporter = exporter
        self._usage = UsageTail(folder.telemetry)

    def show(self, progress: Progress) -> None:
        """Show a snapshot."""
        whole = replace(progress, usage=self._usage.read())
        if self._exporter is not None:
            self._exporter.show(whole)
        self._view.show(whole)
