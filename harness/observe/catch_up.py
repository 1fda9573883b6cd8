"""What was committed while the observer had no connection, read once by query."""

from __future__ import annotations

from pathlib import Path

import psycopg

from harness.clock import NS_PER_S
from harness.contract.names import Contract, State
from harness.errors import error_text
from harness.evidence.records import SIGHTING, iter_records
from harness.observe.connection import connect
from harness.observe.decoder import RowVersion
from harness.observe.rows import RunRows, keeps_commit_times, limit_query_time
from harness.observe.status_normalizer import read_status_normalizer
from harness.observe.watcher import WatcherLost

_READ_LIMIT_NS = 30 * NS_PER_S


class ObservedVersions:
    """The row versions among the sightings.

    A transaction id cannot identify them: rows written under a savepoint carry the id of the
    savepoint, while the stream names the transaction around it. Both have the same commit time.

    Args:
        path: file of sightings.
        contract: state of each status.
        commit_times: whether the row versions to be compared carry commit times.
    """

    def __init__(self, path: Path, contract: Contract, *, commit_times: bool) -> None:
        self._contract = contract
        self._commit_times = commit_times
        mark = "commit_us" if commit_times else "state"
        self._keys: set[tuple[int, int, int]] = set()
        self._simulated: set[tuple[int, int]] = set()
        for records in iter_records(path, SIGHTING):
            columns = (records[name].tolist() for name in ("trace_hi", "trace_lo", mark))
            self._keys.update(zip(*columns, strict=True))
            if State.BEYOND in contract.states.values():
                reached = records[records["state"] == State.SIMULATED]
                pairs = (reached[name].tolist() for name in ("trace_hi", "trace_lo"))
                self._simulated.update(zip(*pairs, strict=True))

    def has(self, version: RowVersion) -> bool:
        """Whether it was seen; without commit times, whether the signal was seen in its state."""
        by_state = int(self._contract.state(version.status))
        if by_state == State.BEYOND:  # which only shows that it was SIMULATED
            return (version.trace_hi, version.trace_lo) in self._simulated
        mark = version.commit_us if self._commit_times else by_state
        return (version.trace_hi, version.trace_lo, mark) in self._keys


def missed_versions(
    conninfo: str, contract: Contract, run_tag: int, sightings: Path, *, self_reported: bool = False
) -> list[RowVersion]:
    """Row versions of the run that are in the table and not among the sightings.

    Versions that were replaced in the meantime are lost. Commit times are known only where
    `track_commit_timestamp` is on.

    Args:
        conninfo: of a role that may read the FSM table.
        contract: names of table and columns.
        run_tag: run whose rows are read.
        sightings: file of the observations.
        self_reported: whether the system reports the status, without commit times.

    Raises:
        WatcherLost: the server does not answer.
    """
    try:
        with connect(conninfo, application_name="harness_observer_gap") as connection:
            connection.read_only = True
            limit_query_time(connection, _READ_LIMIT_NS)
            commit_times = not self_reported and keeps_commit_times(connection)
            known = ObservedVersions(sightings, contract, commit_times=commit_times)
            rows = RunRows(
                contract,
                run_tag,
                read_status_normalizer(connection, contract),
                commit_times=commit_times,
            )
            with connection.cursor(name="harness_gap") as cursor:
                _, versions = rows.read(cursor, None)
                found = [version for version in versions if not known.has(version)]
            if self_reported:  # with the status of a report that may still come
                return [_as_reported(version, contract) for version in found]
            return found
    except (psycopg.Error, UnicodeError) as error:
        raise WatcherLost(error_text(error, with_type=False)) from error


def _as_reported(version: RowVersion, contract: Contract) -> RowVersion:
    status = contract.status_for(contract.state(version.status))
    return version._replace(status=status or version.status)
