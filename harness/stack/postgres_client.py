"""PostgreSQL's own client programs, with no password on a command line."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import IO

from psycopg.conninfo import conninfo_to_dict

from harness.errors import StackError
from harness.process.launch import command
from harness.stack.process.postgres_install import find_installation

# libpq's variables by the keyword of a conninfo.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
}


def start_client(
    name: str, arguments: tuple[str, ...], conninfo: str, stdout: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a client program such as `pg_dump`; it ends with the thread that calls this.

    What it complains of goes to its `stderr`, a pipe.

    Raises:
        UsageError: PostgreSQL's programs are not installed.
        StackError: it cannot be started.
    """
    given = conninfo_to_dict(conninfo)
    variables = {_VARIABLES[key]: str(given[key]) for key in _VARIABLES if key in given}
    program = find_installation() / "bin" / name
    argv = command((str(program), *arguments), parent=os.getpid(), death_signal=signal.SIGKILL)
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", **variables},
        )
    except OSError as error:
        raise StackError(f"cannot be started: {error}", where=name) from error


def wait_for_client(process: subprocess.Popen[bytes], name: str, timeout_s: float) -> None:
    """Wait for a client program; one that takes too long is ended.

    Raises:
        StackError: it did not end with 0; its last output is in the message.
    """
    try:
        _, output = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise StackError(f"has not ended after {timeout_s:.0f} s", where=name) from None
    if process.returncode != 0:
        text = output.decode(errors="replace").strip()[-300:]
        raise StackError(f"ended with {process.returncode}: {text}", where=name)
