"""`final.json`: the nonce rows, and the state of Redis after the drain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.analysis.entry_ids import pack_id
from harness.errors import EvidenceError
from harness.evidence import atomic_files
from harness.evidence.run_documents import RunPlan
from harness.evidence.run_folder import RunFolder
from harness.evidence.strict_json import MALFORMED


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """The engine's consumer group.

    Attributes:
        pending: entries delivered and not acknowledged.
        lag: entries not delivered yet; None where Redis does not report it.
        reports_lag: whether this version of Redis reports a lag (7.0 and later).
        undelivered: whether the newest entry that is left was not delivered; None if unknown.
        listed_count: how many of the pending entries are known by id; None if none were asked for.
    """

    pending: int
    lag: int | None
    reports_lag: bool
    undelivered: bool | None = None
    listed_count: int | None = None


@dataclass(frozen=True, slots=True)
class UnattributedRows:
    """Rows with no trace id of the run, in a database that was made for the run.

    Attributes:
        tasks: FSM rows.
        ledger: rows of the ledger.
        traces: some of their trace ids.
    """

    tasks: int
    ledger: int
    traces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FinalState:
    """The final state, as far as it was read.

    Attributes:
        next_nonces: the next nonce to be given, by index of the run's address; None if unread.
        group: None if unread.
        entries_added: entries that the proposals' stream ever had; None where Redis does not say.
        unattributed: None where they were not counted.
        statuses: FSM rows of the run by status, as the system spells it.
    """

    next_nonces: Mapping[int, int] | None = None
    group: ConsumerGroup | None = None
    entries_added: int | None = None
    unattributed: UnattributedRows | None = None
    statuses: Mapping[str, int] = field(default_factory=dict)


def read_final_state(folder: RunFolder, plan: RunPlan) -> FinalState:
    """Read `final.json`; a missing one leaves everything unread.

    Raises:
        EvidenceError: it is there and cannot be understood.
    """
    if not folder.final.exists():
        return FinalState()
    try:
        document = atomic_files.read_document(folder.final)
        postgres, redis = document.get("postgres"), document.get("redis")
        return FinalState(
            next_nonces=_nonces(postgres, plan) if postgres else None,
            group=_group(redis) if redis else None,
            entries_added=_entries_added(redis) if redis else None,
            unattributed=_unattributed((postgres or {}).get("strangers")),
            statuses={
                str(status): int(count)
                for status, count in ((postgres or {}).get("statuses") or {}).items()
            },
        )
    except MALFORMED as error:
        raise EvidenceError(f"cannot be understood: {error!r}", where=str(folder.final)) from error


def _nonces(postgres: Mapping[str, Any], plan: RunPlan) -> dict[int, int] | None:
    if postgres["nonces"] is None:
        return None
    addresses, chain_id = plan.addresses(), plan.signals.chain_id
    found = {}
    for row in postgres["nonces"]:
        index = addresses.index(row["address"])
        if index is not None and row["chain_id"] in (chain_id, None):
            found[index] = int(row["nonce"])
    return found


def _unattributed(rows: Mapping[str, Any] | None) -> UnattributedRows | None:
    if rows is None:
        return None
    traces = tuple(str(trace) for trace in rows["traces"])
    return UnattributedRows(int(rows["tasks"]), int(rows.get("ledger", 0)), traces)


def _entries_added(redis: Mapping[str, Any]) -> int | None:
    added = (redis.get("proposals") or {}).get("entries_added")
    return None if added is None else int(added)


def _group(redis: Mapping[str, Any]) -> ConsumerGroup | None:
    stream = redis.get("proposals") or {}
    group = stream.get("engine_group")
    if group is None:
        return None
    major = int(str(redis.get("version", "0")).partition(".")[0])
    undelivered = None
    if "newest_id" in stream:
        newest, delivered = stream["newest_id"], group["last_delivered_id"]
        undelivered = newest is not None and pack_id(newest) > pack_id(delivered)
    ids = group.get("pending_ids")
    listed = None if ids is None else len(ids)
    lag = None if group["lag"] is None else int(group["lag"])
    return ConsumerGroup(int(group["pending"]), lag, major >= 7, undelivered, listed)
