"""Makes the tables of Zone B (`python -m zone_b.migrate`); running it again changes nothing."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import psycopg

from zone_b.logs import log_to_stderr
from zone_b.settings import SettingsError, read_settings

SCHEMA = Path(__file__).parent / "schema.sql"
# Two migrations at once would trip over each other's CREATE TYPE.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('zone_b.migrate'))"

_LOG = logging.getLogger("zone_b.migrate")


def migrate(dsn: str) -> None:
    """Run `schema.sql` in one transaction.

    Args:
        dsn: libpq conninfo of the role that is to own the tables.

    Raises:
        psycopg.Error: the server cannot be reached or refuses.
    """
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        connection.execute(_LOCK)
        connection.execute(SCHEMA.read_bytes())


def main() -> int:
    """Migrate; the exit code."""
    log_to_stderr()
    try:
        migrate(read_settings().pg_dsn)
    except (SettingsError, psycopg.Error) as error:
        _LOG.error("cannot migrate: %s", error)
        return 1
    _LOG.info("the schema is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
