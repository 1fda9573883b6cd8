"""`aof_rewrite`, `checkpoint`, `snapshot`: maintenance of the servers in the middle of the load."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from harness.errors import StackError
from harness.faults.factory import StackFaultFactory
from harness.faults.health_checks import check_postgres, postgres_session, redis_session
from harness.faults.instance import FaultInstance, injection
from harness.scenario.fault_base import FaultBase, Name, TargetRule
from harness.scenario.fault_registry import fault
from harness.scenario.fault_targets import OnlyTarget

_STATEMENT_MAX_S = 60
_DUMP_MAX_S = 25
_LSN = "SELECT (checkpoint_lsn - '0/0'::pg_lsn)::bigint FROM pg_control_checkpoint()"
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'"


@fault("aof_rewrite")
class AofRewrite(FaultBase):
    """Redis rewrites its append-only file."""

    targets: ClassVar[TargetRule] = OnlyTarget(names=("redis",))
    drawn: ClassVar = "always"

    kind: Literal["aof_rewrite"]
    target: Name = "redis"


@fault("checkpoint")
class Checkpoint(FaultBase):
    """PostgreSQL writes every changed page to disk."""

    targets: ClassVar[TargetRule] = OnlyTarget(names=("postgres",))
    drawn: ClassVar = "always"

    kind: Literal["checkpoint"]
    target: Name = "postgres"


@fault("snapshot")
class Snapshot(FaultBase):
    """A full backup of the database by `pg_dump`."""

    targets: ClassVar[TargetRule] = OnlyTarget(names=("postgres",))
    drawn: ClassVar = "always"

    kind: Literal["snapshot"]
    target: Name = "postgres"


@injection(AofRewrite, "process", "docker")
def _rewrite(fault: AofRewrite, on: StackFaultFactory) -> FaultInstance:
    del fault
    return FaultInstance(RewriteInjector(on.redis_url), RewriteProbe(on.redis_url))


@injection(Checkpoint, "process", "docker")
def _checkpoint(fault: Checkpoint, on: StackFaultFactory) -> FaultInstance:
    del fault
    return FaultInstance(CheckpointInjector(on.admin_conninfo), CheckpointProbe(on.admin_conninfo))


@injection(Snapshot, "process", "docker")
def _dump(fault: Snapshot, on: StackFaultFactory) -> FaultInstance:
    del fault
    return FaultInstance(DumpInjector(on.admin_conninfo), DumpProbe(on.admin_conninfo))


@dataclass
class RewriteInjector:
    """BGREWRITEAOF."""

    url: str

    def inject(self) -> None:
        with redis_session(self.url, "BGREWRITEAOF") as client:
            client.bgrewriteaof()

    def heal(self) -> None:
        """It ends by itself."""


@dataclass
class RewriteProbe:
    """Sees by INFO that Redis forked for a rewrite, and that the rewrite succeeded."""

    url: str
    _forks: int = field(default=0, init=False)

    def before(self) -> None:
        info = self._info()
        if info is None:
            raise StackError("does not report its append-only file", where="redis")
        self._forks = _number(info, "total_forks")

    def holds(self) -> str:
        info = self._info()
        if info is None:
            return ""
        if _number(info, "aof_rewrite_in_progress"):
            return "aof_rewrite_in_progress was seen"
        forks = _number(info, "total_forks") - self._forks
        # A small file is rewritten within milliseconds, between two polls.
        return f"total_forks grew by {forks}" if forks > 0 else ""

    def ended(self) -> str:
        info = self._info()
        if info is None or _number(info, "aof_rewrite_in_progress"):
            return ""
        if _number(info, "aof_rewrite_scheduled") or info.get("aof_last_bgrewrite_status") != "ok":
            return ""
        return (
            f"the rewrite ended ok, the file begins with {_number(info, 'aof_base_size'):,} bytes"
        )

    def _info(self) -> dict[str, Any] | None:
        try:
            with redis_session(self.url) as client:
                found: dict[str, Any] = {
                    **client.info("persistence"),
                    **client.info("stats"),
                }
                return found
        except StackError:
            return None


def _number(info: dict[str, Any], name: str) -> int:
    return int(info.get(name) or 0)


@dataclass
class CheckpointInjector:
    """CHECKPOINT, which returns when everything is on disk."""

    conninfo: str

    def inject(self) -> None:
        with postgres_session(self.conninfo, "CHECKPOINT") as session:
            session.execute(f"SET statement_timeout = '{_STATEMENT_MAX_S}s'".encode())
            session.execute("CHECKPOINT")

    def heal(self) -> None:
        """It ended before `inject` returned."""


@dataclass
class CheckpointProbe:
    """Sees by the control file that PostgreSQL's last checkpoint is another one."""

    conninfo: str
    _lsn: int = field(default=0, init=False)

    def before(self) -> None:
        found = self._last()
        if found is None:
            raise StackError("does not report its last checkpoint", where="postgres")
        self._lsn = found

    def holds(self) -> str:
        found = self._last()
        if found is None or found <= self._lsn:
            return ""
        return f"the last checkpoint lies {found - self._lsn:,} bytes of WAL further on"

    def ended(self) -> str:
        # The control file names a checkpoint when it is complete.
        return "the control file names it as complete" if self.holds() else ""

    def _last(self) -> int | None:
        try:
            with postgres_session(self.conninfo) as session:
                row = session.execute(_LSN).fetchone()
        except StackError:
            return None
        return int(str(row[0])) if row else None


@dataclass
class DumpInjector:
    """`pg_dump` of everything, into a file that is not kept."""

    conninfo: str
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def inject(self) -> None:
        from harness.stack.postgres_client import start_client

        with tempfile.TemporaryFile() as file:
            self._process = start_client("pg_dump", ("--format=custom",), self.conninfo, file)

    def heal(self) -> None:
        """Wait for its end; one that lasts too long is ended."""
        from harness.stack.postgres_client import wait_for_client

        process, self._process = self._process, None
        if process is not None:
            wait_for_client(process, "pg_dump", _DUMP_MAX_S)


@dataclass
class DumpProbe:
    """Sees by the server's own list of sessions that a backup is under way."""

    conninfo: str

    def before(self) -> None:
        if self._sessions() != 0:
            raise StackError("is being dumped already, or does not answer", where="postgres")

    def holds(self) -> str:
        sessions = self._sessions()
        return "pg_stat_activity shows a session of pg_dump" if sessions else ""

    def ended(self) -> str:
        if self._sessions() != 0:
            return ""
        answer = check_postgres(self.conninfo)
        return f"no session of pg_dump; {answer}" if answer else ""

    def _sessions(self) -> int | None:
        try:
            with postgres_session(self.conninfo) as session:
                row: Any = session.execute(_SESSIONS).fetchone()
        except StackError:
            return None
        return int(row[0])
