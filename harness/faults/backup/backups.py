"""The backups of a run: their folder, its removal, and the restores after the load."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from harness.clock import NS_PER_S, Clock
from harness.errors import EvidenceError, HarnessError
from harness.evidence.backup_log import BackupRecord, RestoreRecord, format_backup_record
from harness.faults.backup.injector import BackupInjector
from harness.faults.backup.restore import fresh_server, restore
from harness.faults.backup.retention import day_of
from harness.faults.instance import FaultInstance
from harness.faults.kinds.backup import Backup
from harness.faults.kinds.server_maintenance import DumpProbe
from harness.process.reaper_client import ReaperClient
from harness.process.termination import remove
from harness.stack.private_dir import create_private_dir, release_dir


class Backups:
    """Makes backups as a fault of the run, and restores the newest and the oldest afterwards.

    Args:
        path: file for the records.
        log: file for the output of the new server.
        observer: name of the read-only role, which the backups refer to.
        clock: the host's clocks.
    """

    def __init__(self, path: Path, log: Path, observer: str, clock: Clock) -> None:
        self._path = path
        self._log = log
        self._observer = observer
        self._clock = clock
        self._reaper = ReaperClient()
        self._cleanup = ExitStack()
        self._place: Path | None = None

    def create(self, fault: Backup, conninfo: str) -> FaultInstance:
        """What makes the backups, and what proves that they are made.

        Raises:
            StackError: no private folder can be made, or no reaper started.
            EvidenceError: the file cannot be written.
        """
        try:
            injector = BackupInjector(
                conninfo,
                self._folder(),
                fault.keep,
                round(fault.day_s * NS_PER_S),
                self._clock,
                self._write,
            )
            self._append("")
        except HarnessError:
            self.close()
            raise
        return FaultInstance(
            injector, DumpProbe(conninfo), verify=self.verify_restores, close=self.close
        )

    def verify_restores(self) -> None:
        """Restore the newest backup and the oldest that was kept, and record what they hold.

        Raises:
            EvidenceError: the file cannot be written.
        """
        if self._place is None:
            return
        folder = self._folder()
        files = sorted(folder.iterdir(), key=lambda file: day_of(file.name) or 0)
        files = list(dict.fromkeys((*files[:1], *files[-1:])))
        server = self._place / "postgres"
        try:
            with fresh_server(
                server, self._log, self._reaper, self._observer, self._clock
            ) as fresh:
                for file in files:
                    self._write(restore(file, fresh, self._clock))
        except EvidenceError:
            raise
        except HarnessError as error:
            for file in files:
                self._write(RestoreRecord(name=file.name, trouble=f"the new server: {error}"))

    def close(self) -> None:
        """Remove every backup and the folder. May be called twice."""
        self._cleanup.close()
        self._place = None

    def _folder(self) -> Path:
        """The folder of the backups; from the start a reaper removes it if the harness dies."""
        if self._place is None:
            self._reaper.start()
            self._cleanup.callback(self._reaper.stop)
            self._place = create_private_dir()
            self._cleanup.callback(release_dir, self._place)
            self._cleanup.callback(remove, (str(self._place),))
            self._reaper.clean(self._place)
            (self._place / "backups").mkdir(mode=0o700)
        return self._place / "backups"

    def _write(self, record: BackupRecord | RestoreRecord) -> None:
        self._append(format_backup_record(record))

    def _append(self, text: str) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise EvidenceError(f"cannot write: {error.strerror}", where=str(self._path)) from error
