"""Chores of the servers, done in the middle of the load: AOF rewrite, checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis

from harness.errors import StackError
from harness.faults.health_checks import postgres_session, redis_client

_STATEMENT_MAX_S = 60
_LSN = "SELECT (checkpoint_lsn - '0/0'::pg_lsn)::bigint FROM pg_control_checkpoint()"


@dataclass
class RewriteInjector:
    """BGREWRITEAOF."""

    url: str

    def inject(self) -> None:
        try:
            with redis_client(self.url) as client:
                client.execute_command("BGREWRITEAOF")
        except (redis.RedisError, OSError) as error:
            raise StackError(f"BGREWRITEAOF: {error}", where="redis") from error

    def heal(self) -> None:
        """It comes to its end by itself."""


@dataclass
class RewriteProbe:
    """Sees by INFO that Redis forked for a rewrite, and that this came to a good end."""

    url: str
    _forks: int = field(default=0, init=False)

    def before(self) -> None:
        info = self._info()
        if info is None:
            raise StackError("does not tell of its append-only file", where="redis")
        self._forks = _number(info, "total_forks")

    def holds(self) -> str:
        info = self._info()
        if info is None:
            return ""
        if _number(info, "aof_rewrite_in_progress"):
            return "aof_rewrite_in_progress was seen"
        forks = _number(info, "total_forks") - self._forks
        # A small file is rewritten within milliseconds, between two looks.
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
            with redis_client(self.url) as client:
                found: dict[str, Any] = {
                    **client.info("persistence"),
                    **client.info("stats"),
                }
                return found
        except (redis.RedisError, OSError):
            return None


def _number(info: dict[str, Any], name: str) -> int:
    return int(info.get(name) or 0)


@dataclass
class CheckpointInjector:
    """CHECKPOINT, which returns when everything is on disk."""

    conninfo: str

    def inject(self) -> None:
        try:
            with postgres_session(self.conninfo) as session:
                session.execute(f"SET statement_timeout = '{_STATEMENT_MAX_S}s'".encode())
                session.execute("CHECKPOINT")
        except psycopg.Error as error:
            raise StackError(f"CHECKPOINT: {error}", where="postgres") from error

    def heal(self) -> None:
        """It came to its end before `inject` returned."""


@dataclass
class CheckpointProbe:
    """Sees by the control file that PostgreSQL's last checkpoint is another one."""

    conninfo: str
    _lsn: int = field(default=0, init=False)

    def before(self) -> None:
        found = self._last()
        if found is None:
            raise StackError("does not tell of its last checkpoint", where="postgres")
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
        except psycopg.Error:
            return None
        return int(str(row[0])) if row else None
