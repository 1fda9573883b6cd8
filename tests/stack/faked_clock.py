"""`python -m tests.stack.faked_clock`: the harness, with a PostgreSQL whose clock a file moves.

The file that FAKED_CLOCK names holds how many seconds the server's wall clock is ahead ("+2.5"),
and is read by libfaketime at each look at the clock. Its monotonic clock stays as it is.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from harness.cli import main
from harness.process.faketime import find_library, variables
from harness.process.program import Program
from harness.stack.process.postgres import PostgresServer

VARIABLE = "FAKED_CLOCK"


def with_faked_clock(program: Program, library: str, file: str) -> Program:
    """The same program under libfaketime.

    By way of env(1), so that the library comes in after the change of user: what it shares between
    processes belongs to whoever comes first.
    """
    moved = variables(library, Path(file))
    words = (f"{name}={value}" for name, value in moved)
    return dataclasses.replace(program, argv=("/usr/bin/env", *words, *program.argv))


def run() -> None:
    """Replace the server's program, then go on as `harness`."""
    library, file = find_library(threaded=False), os.environ[VARIABLE]
    ordinary = PostgresServer.program

    def program(self: PostgresServer, port: int) -> Program:
        return with_faked_clock(ordinary(self, port), library, file)

    PostgresServer.program = program  # type: ignore[method-assign] # the point of this module
    main()


if __name__ == "__main__":
    run()
