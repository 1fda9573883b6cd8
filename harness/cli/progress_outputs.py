"""Outputs of a run under way: its terminal, and Prometheus when it is asked for."""

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
    """Where the metrics page is served; `port` None for nowhere, 0 for any that is free."""

    port: int | None = None
    address: str | None = None


@contextmanager
def exporting(choice: MetricsChoice, console: Console) -> Iterator[Exporter | None]:
    """The metrics page for as long as the block lasts; None when none is wanted.

    Raises:
        UsageError: it cannot be served there.
    """
    if choice.port is None:
        if choice.address is not None:
            raise UsageError(
                "says where to serve nothing", where="--metrics-address", hint="add --metrics-port"
            )
        yield None
        return
    exporter = Exporter(SystemClock())
    with serving(exporter.app, choice.port, choice.address or LOOPBACK) as url:
        console.print(f"metrics of the run on {url}", markup=False, highlight=False)
        yield exporter


class ProgressOutputs:
    """Takes the pictures of one run, and shows them to everybody.

    Args:
        view: the terminal.
        exporter: the metrics page, if there is one.
        folder: the run's; its telemetry is added to the pictures.
    """

    def __init__(self, view: ProgressView, exporter: Exporter | None, folder: RunFolder) -> None:
        self._view = view
        self._exporter = exporter
        self._usage = UsageTail(folder.telemetry)

    def show(self, progress: Progress) -> None:
        """Show a snapshot."""
        whole = replace(progress, usage=self._usage.read())
        if self._exporter is not None:
            self._exporter.take(whole)
        self._view.show(whole)
