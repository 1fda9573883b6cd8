"""The harness with a restore that loses one row of every backup."""

from __future__ import annotations

from pathlib import Path

import psycopg

from harness.cli import main
from harness.faults.backup import restore

WHOLE = restore.fill
_LOSE = "DELETE FROM nonce_locks WHERE ctid = (SELECT min(ctid) FROM nonce_locks)"


def fill(file: Path, database: str, conninfo: str) -> None:
    """As it should be, and a row less."""
    WHOLE(file, database, conninfo)
    with psycopg.connect(conninfo) as session:
        session.execute(_LOSE)


restore.fill = fill  # broken on purpose

if __name__ == "__main__":
    main()
