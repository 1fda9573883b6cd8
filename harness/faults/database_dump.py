"""A full backup of the database, taken in the middle of the load."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import Any

import psycopg

from harness.errors import StackError
from harness.faults.health_checks import check_postgres, postgres_session
from harness.stack.postgres_client import start_client, wait_for_client

_DUMP_MAX_S = 25
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'"


@dataclass
class DumpInjector:
    """`pg_dump` of everything, into a file that nobody keeps."""

    conninfo: str
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def inject(self) -> None:
        with tempfile.TemporaryFile() as file:
            self._process = start_client("pg_dump", ("--format=custom",), self.conninfo, file)

    def heal(self) -> None:
        """Wait for its end; one that takes too long is ended."""
        process, self._process = self._process, None
        if process is not None:
            wait_for_client(process, "pg_dump", _DUMP_MAX_S)


@dataclass
class DumpProbe:
    """Sees by the server's own list of sessions that one is being taken."""

    conninfo: str

    def before(self) -> None:
        if self._sessions() != 0:
            raise StackError("is being dumped already, or does not tell", where="postgres")

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
        except psycopg.Error:
            return None
        return int(row[0])
