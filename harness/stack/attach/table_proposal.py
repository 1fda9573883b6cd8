"""Tables, columns and states of a proposed contract, from what was found in a database; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.contract.ledger import ENTRY_ROLES
from harness.contract.names import State
from harness.stack.attach.contract_sections import NAME_MAX, Entry, Section
from harness.stack.attach.discovery import FoundTable
from harness.stack.attach.name_hints import (
    ADDRESS,
    AMOUNT,
    ARCHIVE_TABLE,
    BOOKING,
    CHAIN_ID,
    CREATED,
    CREDIT,
    DEBIT,
    ENTRY_TYPE,
    LEDGER_TABLE,
    NONCE,
    NONCE_TABLE,
    SIDE,
    STATUS,
    TASK_TABLE,
    TRACE,
    UPDATED,
    entry_types_of,
    first_match,
    parts_of,
    score,
    sides_of,
    states_of,
)
from harness.stack.attach.relations import Column

# More addresses than this are no list that a system knows beforehand, but what runs have left.
ADDRESSES_MAX = 100
_MOMENT = "timestamp with time zone"


def table_sections(
    tables: Sequence[FoundTable] | None,
) -> tuple[tuple[Section, ...], tuple[str, ...]]:
    """The tables of a contract that are about the database, and the addresses that it lists.

    Args:
        tables: of the database; None where it was not read.
    """
    if tables is None:
        return _reference_tables(), ()
    tasks = _best(tables, _task_score)
    others = [table for table in tables if table is not tasks]
    nonces = _best(others, _nonce_score)
    ledger = _best([table for table in others if table is not nonces], _ledger_score)
    sections = [
        *_task_sections(tasks, others),
        _nonce_section(nonces),
        _ledger_section(ledger, tasks),
    ]
    known = _addresses(nonces)
    if nonces is not None and known:
        note = f"all of {nonces.name}; leave it out if the system accepts any address"
        sections.append(Section("", (Entry("addresses", list(known), note, is_guess=True),)))
    return tuple(sections), known


def _best(tables: Sequence[FoundTable], score_of: Callable[[FoundTable], int]) -> FoundTable | None:
    scored = [(score_of(table), table) for table in tables]
    best = max((points for points, _ in scored), default=0)
    return next((table for points, table in scored if points == best), None) if best else None


def _column(table: FoundTable, words: Sequence[str], fits: Callable[[Column], bool]) -> str | None:
    return first_match((name for name, own in table.columns.items() if fits(own)), words)


def _is_text(column: Column) -> bool:
    return column.readable and column.category in ("S", "E")


def _is_trace(column: Column) -> bool:
    return column.readable and (column.base == "uuid" or column.category == "S")


def _is_whole(column: Column) -> bool:
    return column.readable and column.base in ("smallint", "integer", "bigint", "numeric")


def _is_moment(column: Column) -> bool:
    return column.readable and column.base == _MOMENT


def _task_score(table: FoundTable) -> int:
    status = _column(table, STATUS, _is_text)
    if status is None or _column(table, TRACE, _is_trace) is None:
        return 0
    named = State.SIMULATED in states_of(table.values.get(status, ())).values()
    points = 20 + score(table.name, TASK_TABLE) + 10 * named + 4 * table.has_children
    return max(1, points - 20 * bool(score(table.name, ARCHIVE_TABLE)))


def _nonce_score(table: FoundTable) -> int:
    if not (_column(table, ADDRESS, _is_text) and _column(table, NONCE, _is_whole)):
        return 0
    return 20 + score(table.name, NONCE_TABLE) - 15 * bool(_column(table, STATUS, _is_text))


def _ledger_score(table: FoundTable) -> int:
    if not (_column(table, AMOUNT, _is_whole) and _column(table, TRACE, _is_trace)):
        return 0
    has_sides = bool(_column(table, DEBIT, _any) and _column(table, CREDIT, _any))
    has_side = bool(_column(table, SIDE, _is_text))
    points = 10 * (has_sides or has_side) + score(table.name, LEDGER_TABLE)
    return points + 5 * bool(_column(table, ENTRY_TYPE, _is_text)) if points else 0


def _any(column: Column) -> bool:
    return column.readable


def _task_sections(tasks: FoundTable | None, others: Sequence[FoundTable]) -> Iterator[Section]:
    if tasks is None:
        yield from _reference_tables()[:2]
        return
    trace = _column(tasks, TRACE, _is_trace) or ""
    status = _column(tasks, STATUS, _is_text) or ""
    entries = [
        Entry("table", tasks.name, "one row a signal", is_guess=True),
        *_trace_entries(tasks, trace),
        Entry("status", status, tasks.columns[status].type),
        _optional("nonce", _column(tasks, NONCE, _is_whole), tasks),
        _optional("updated_at", _column(tasks, UPDATED, _is_moment), tasks),
        _optional("created_at", _column(tasks, CREATED, _any), tasks),
        _optional("internal_tx_id", _column(tasks, BOOKING, _any), tasks),
    ]
    archive = next((one for one in others if _is_archive_of(one, tasks)), None)
    if archive is not None:
        entries.append(Entry("archive", archive.name, "the same columns", is_guess=True))
    yield Section("tasks", tuple(entries))
    yield Section("states", tuple(_states(tasks.values.get(status, ()))))


def _is_archive_of(table: FoundTable, tasks: FoundTable) -> bool:
    return bool(score(table.name, ARCHIVE_TABLE)) and table.columns.keys() == tasks.columns.keys()


def _trace_entries(table: FoundTable, column: str) -> Iterator[Entry]:
    own = table.columns[column]
    yield Entry("trace_id", column, own.type, is_guess=True)
    if own.base != "uuid":
        yield Entry("trace_type", "text", "trace_prefix, trace_case, trace_hyphens if it is marked")


def _optional(key: str, column: str | None, table: FoundTable) -> Entry:
    if column is None:
        return Entry(key, False, "no such column was found")
    return Entry(key, column, table.columns[column].type)


def _states(values: Sequence[str]) -> Iterator[Entry]:
    known = states_of(values)
    for value in values:
        if (state := known.get(value)) is not None:
            yield Entry(value, state.name, is_guess=True)
        else:
            yield Entry(value, None, "which state does it stand for?", is_guess=True)
    if State.SIMULATED not in known.values():
        yield Entry("SIMULATED", "SIMULATED", "write your status for it", is_guess=True)


def _nonce_section(table: FoundTable | None) -> Section:
    if table is None:
        note = "no table with an address and a number was found"
        return Section("", (Entry("nonces", False, note, is_guess=True),))
    nonce = _column(table, NONCE, _is_whole) or ""
    holds = "last" if "last" in parts_of(nonce) else "next"
    return Section(
        "nonces",
        (
            Entry("table", table.name, "one row an address", is_guess=True),
            Entry("address", _column(table, ADDRESS, _is_text) or ""),
            _optional("chain_id", _column(table, CHAIN_ID, _is_whole), table),
            Entry("nonce", nonce, table.columns[nonce].type),
            Entry("holds", holds, "the next nonce, or the last that was given", is_guess=True),
        ),
    )


def _ledger_section(table: FoundTable | None, tasks: FoundTable | None) -> Section:
    if table is None:
        note = "no table with amounts and a trace id was found"
        return Section("", (Entry("ledger", False, note, is_guess=True),))
    same = {_column(tasks, TRACE, _is_trace) if tasks else None} & table.columns.keys()
    trace = next(iter(same), None) or _column(table, TRACE, _is_trace) or ""
    kind = _column(table, ENTRY_TYPE, _is_text)
    debit, credit = _column(table, DEBIT, _any), _column(table, CREDIT, _any)
    moves = debit is not None and credit is not None
    entries = [
        Entry("form", "movements" if moves else "sides", "a row a movement, or a row a side"),
        Entry("table", table.name, is_guess=True),
        _optional("internal_tx_id", _column(table, BOOKING, _any), table),
        *_trace_entries(table, trace),
        Entry("amount", _column(table, AMOUNT, _is_whole) or ""),
        Entry("entry_type", kind or "entry_type", "kind of the entry", is_guess=kind is None),
        _entry_types(table.values.get(kind or "", ())),
        *(_movement_entries(debit, credit) if moves else _side_entries(table)),
    ]
    return Section("ledger", tuple(entries))


def _movement_entries(debit: str | None, credit: str | None) -> Iterator[Entry]:
    yield Entry("debit_account_id", debit)
    yield Entry("credit_account_id", credit)
    yield Entry("accounts", False, "table of accounts, if there is one")


def _side_entries(table: FoundTable) -> Iterator[Entry]:
    side = _column(table, SIDE, _is_text)
    if side is None:
        yield Entry("side", False, "a debit has a positive amount", is_guess=True)
        return
    yield Entry("side", side, table.columns[side].type)
    words = sides_of(table.values.get(side, ()))
    for key, reference in (("debit", "DEBIT"), ("credit", "CREDIT")):
        yield Entry(key, words.get(key, reference), is_guess=not words)


def _entry_types(values: Sequence[str]) -> Entry:
    found = entry_types_of(values)
    shown = f"values: {', '.join(values)}" if values else "no row shows its values"
    types = found or {role: role for role in ENTRY_ROLES}
    return Entry("entry_types", dict(types), shown, is_guess=True)


def _addresses(nonces: FoundTable | None) -> tuple[str, ...]:
    if nonces is None:
        return ()
    found = nonces.values.get(_column(nonces, ADDRESS, _is_text) or "", ())
    usable = [address for address in found if 0 < len(address) <= NAME_MAX]
    distinct = {address.lower() for address in usable}
    return tuple(usable) if len(usable) == len(distinct) <= ADDRESSES_MAX else ()


def _reference_tables() -> tuple[Section, ...]:
    note = "reference name"
    return (
        Section("tasks", (Entry("table", "trade_tasks", note, is_guess=True),)),
        Section("states", (Entry("SIMULATED", "SIMULATED", note, is_guess=True),)),
        Section("nonces", (Entry("table", "nonce_locks", note, is_guess=True),)),
        Section("ledger", (Entry("table", "ledger_entries", note, is_guess=True),)),
    )
