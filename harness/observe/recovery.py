"""What was committed while the observer had no connection, read once by query."""

from __future__ import annotations

from pathlib import Path

import psycopg

from harness.clock import NS_PER_S
from harness.contract.names import Contract
from harness.evidence.records import SIGHTING, iter_records
from harness.observe.decoder import RowVersion
from harness.observe.rows import RunRows, keeps_commit_times, limit_query_time
from harness.observe.snapshot import Key
from harness.observe.watcher import WatcherLost

_READ_LIMIT_NS = 30 * NS_PER_S


def seen_keys(path: Path) -> set[Key]:
    """Trace id and transaction of every sighting written so far."""
    keys: set[Key] = set()
    for records in iter_records(path, SIGHTING):
        columns = (records[name].tolist() for name in ("trace_hi", "trace_lo", "xid"))
        keys.update(zip(*columns, strict=True))
    return keys


def missed_versions(
    conninfo: str, contract: Contract, run_tag: int, sightings: Path
) -> list[RowVersion]:
    """Row versions of the run that are in the table and not among the sightings.

    Versions that were replaced in the meantime are gone. Commit times are known only where
    `track_commit_timestamp` is on.

    Raises:
        WatcherLost: the server does not answer (any more).
    """
    known = seen_keys(sightings)
    try:
        with psycopg.connect(conninfo, application_name="harness_observer_gap") as connection:
            connection.read_only = True
            limit_query_time(connection, _READ_LIMIT_NS)
            rows = RunRows(contract, run_tag, commit_times=keeps_commit_times(connection))
            with connection.cursor(name="harness_gap") as cursor:
                _, versions = rows.read(cursor, None)
                return [v for v in versions if (v.trace_hi, v.trace_lo, v.xid) not in known]
    except psycopg.Error as error:
        raise WatcherLost(str(error).strip()) from error
