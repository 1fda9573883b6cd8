"""A full backup of the database, taken in the middle of the load."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from harness.errors import StackError
from harness.faults.answers import ask_postgres, postgres_session
from harness.process.launch import command
from harness.stack.postgres_install import find_installation

_DUMP_MAX_S = 25
_END_MAX_S = 5
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'"
# libpq's variables by the keyword of a conninfo; no password stands on a command line.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
}


@dataclass
class SnapshotInjector:
    """`pg_dump` of everything, into a file that nobody keeps."""

    conninfo: str
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def inject(self) -> None:
        given = conninfo_to_dict(self.conninfo)
        variables = {_VARIABLES[key]: str(given[key]) for key in _VARIABLES if key in given}
        program = find_installation() / "bin" / "pg_dump"
        argv = command(
            (str(program), "--format=custom"), parent=os.getpid(), death_signal=signal.SIGKILL
        )
        with tempfile.TemporaryFile() as file:
            try:
                self._process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.DEVNULL,
                    env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", **variables},
                )
            except OSError as error:
                raise StackError(f"cannot be started: {error}", where="pg_dump") from error

    def heal(self) -> None:
        """Wait for its end; one that takes too long is ended."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            code = process.wait(_DUMP_MAX_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait(_END_MAX_S)
        if code != 0:
            raise StackError(f"ended with {code}", where="pg_dump")


@dataclass
class SnapshotProbe:
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
        answer = ask_postgres(self.conninfo)
        return f"no session of pg_dump; {answer}" if answer else ""

    def _sessions(self) -> int | None:
        try:
            with postgres_session(self.conninfo) as session:
                row: Any = session.execute(_SESSIONS).fetchone()
        except psycopg.Error:
            return None
        return int(row[0])
