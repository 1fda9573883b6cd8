"""A contract is proposed from tables and streams; whatever they are called, it can be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.init import CiSystem
from harness.cli.project import (
    CONTRACT,
    POSTGRES_URL,
    REDIS_URL,
    project_files,
    servers_of,
)
from harness.stack.attach.contract_file import AttachFile, load_attach_file
from harness.stack.attach.discovery import FoundStream, FoundTable
from harness.stack.attach.message_guess import guess_block, guess_message
from harness.stack.attach.name_hints import states_of
from harness.stack.attach.proposal import propose
from harness.stack.attach.relations import Column
from harness.stack.attach.table_proposal import ADDRESSES_MAX

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
# Types of the columns of the examples, with their category in the catalog.
TEXT, WHOLE, EXACT, UUID = ("text", "S"), ("bigint", "N"), ("numeric", "N"), ("uuid", "U")
MOMENT, ENUM = ("timestamp with time zone", "D"), ("orders_state", "E")
FOREIGN = (
    ("desk.jobs", {"ref": TEXT, "wallet": TEXT, "phase": TEXT, "seq": WHOLE, "touched": MOMENT}),
    (
        "desk.postings",
        {"id": WHOLE, "batch": UUID, "ref": TEXT, "account": TEXT, "dc": ("character", "S"),
         "amount": EXACT, "what": TEXT},
    ),
    ("desk.wallets", {"wallet": TEXT, "last_seq": WHOLE}),
)  # fmt: skip
FOREIGN_VALUES = {
    "phase": ("FILLED", "OUTDATED", "QUEUED"),
    "dc": ("CR", "DR"),
    "what": ("FILL", "VENUE"),
    "wallet": tuple(f"W-{number:04d}" for number in range(1, 13)),
}
ORDER = {
    "v": 3,
    "seen": 7,
    "sent": "2026-11-30T18:00:00.000Z",
    "order": {"ref": "r-1", "wallet": "W-0001", "size": "10", "book": "b"},
}
BROKER_ORDERS = {
    "row": WHOLE, "orderId": TEXT, "account": TEXT, "State": ENUM, "nonce": WHOLE,
    "touches": WHOLE, "touchedAt": MOMENT,
}  # fmt: skip
BROKER = (
    ("Trading.Accounts", {"account": TEXT, "Next nonce": WHOLE}),
    (
        "Trading.Fills",
        {"fillId": WHOLE, "booking": UUID, "orderId": TEXT, "book": TEXT, "Kind": TEXT,
         "minorUnits": WHOLE},
    ),
    ("Trading.Order Archive", BROKER_ORDERS),
    ("Trading.Orders", BROKER_ORDERS),
    ("Trading.Orders 0", BROKER_ORDERS),
)  # fmt: skip
BROKER_VALUES = {
    "State": ("Accepted", "Simulated", "Routed", "Settled", "Refused stale", "Refused limit"),
    "Kind": ("Fee", "Fill"),
}


def table(
    name: str,
    columns: dict[str, tuple[str, str]],
    values: dict[str, tuple[str, ...]] | None = None,
    *,
    has_children: bool = False,
) -> FoundTable:
    """As it is read from the catalog."""
    made = {
        column: Column(column, number, base, base, category, False, True, False)
        for number, (column, (base, category)) in enumerate(columns.items(), 1)
    }
    known = {column: own for column, own in (values or {}).items() if column in columns}
    return FoundTable(name, made, known, has_children)


def contract_of(
    folder: Path, tables: Sequence[FoundTable] | None, streams: Sequence[FoundStream] | None
) -> AttachFile:
    """The proposal, written and read as a contract file."""
    servers = servers_of("x", REDIS_URL, POSTGRES_URL, {})
    text = project_files("x", servers, propose(tables, streams), CiSystem.NONE)[CONTRACT]
    path = folder / "contract.toml"
    path.write_text(text, encoding="utf-8")
    return load_attach_file(path)


def test_the_first_example_is_proposed_as_its_contract_describes_it(tmp_path: Path) -> None:
    """Everything but the names of servers, which are given."""
    streams = (
        FoundStream("desk.heights", (), {"h": b"7"}),
        FoundStream("desk.orders", ("desk-crew",), {"msg": json.dumps(ORDER).encode()}),
        FoundStream("desk.results", (), {"ref": b"r-1", "phase": b"FILLED"}),
    )
    found = contract_of(tmp_path, [table(*one, FOREIGN_VALUES) for one in FOREIGN], streams)
    wanted = load_attach_file(EXAMPLES / "foreign" / "desk.toml")
    for key in ("tasks", "nonces", "ledger", "states", "chain", "codec", "addresses", "prefix"):
        assert getattr(found, key) == getattr(wanted, key), key
    unset = {"proposals_maxlen": None}  # how long agents keep it cannot be seen
    assert found.streams == wanted.streams.model_copy(update=unset)


def test_the_second_example_has_names_in_capitals_and_an_archive(tmp_path: Path) -> None:
    """How it writes trace ids, and when it gives nonces, a person knows."""
    streams = (
        FoundStream(
            "broker/intake",
            ("Trading Floor",),
            {"client_ref": b"x", "acct": b"ACC/001", "units": b"5", "tide": b"3"},
        ),
        FoundStream("broker/tide", (), {"level": b"3", "note": b"x"}),
    )
    tables = [table(*one, BROKER_VALUES, has_children=one[0] == "Trading.Orders") for one in BROKER]
    found = contract_of(tmp_path, tables, streams)
    wanted = load_attach_file(EXAMPLES / "broker" / "broker.toml")
    of_a_person = {"trace_prefix": "", "trace_hyphens": True}
    assert found.tasks == wanted.tasks.model_copy(update=of_a_person)
    assert found.states == wanted.states
    assert found.nonces is not None
    assert wanted.nonces is not None
    assert found.nonces == wanted.nonces.model_copy(update={"taken_at": "simulated"})
    assert wanted.ledger is not None
    assert found.ledger == wanted.ledger.model_copy(update={**of_a_person, "entries": "one"})
    assert (found.streams.proposals, found.chain.block) == ("broker/intake", "level")
    assert found.codec.model_dump()["fields"] == {
        "client_ref": "{trace_id}",
        "acct": "{address}",
        "units": "{amount_in}",
        "tide": "{last_sync_block:text}",
    }


def test_nothing_was_read(tmp_path: Path) -> None:
    """The reference names, each to be confirmed."""
    found = contract_of(tmp_path, None, None)
    assert found.tasks.table == "trade_tasks"
    assert found.prefix == "dev:"
    assert propose(None, None).guesses > 0


def test_many_addresses_are_no_list_of_a_system() -> None:
    """They are what runs with addresses of their own have left."""
    for count in (1, ADDRESSES_MAX, ADDRESSES_MAX + 1):
        known = tuple(f"0x{number:040x}" for number in range(count))
        nonces = table("nonce_locks", {"address": TEXT, "nonce": WHOLE}, {"address": known})
        assert propose([nonces], None).addresses == (known if count <= ADDRESSES_MAX else ())


@pytest.mark.parametrize("key", ["api_token", "password", "signature", "note"])
def test_a_text_that_may_be_a_secret_is_not_repeated(key: str) -> None:
    """By its key, or because it is no short word."""
    secret = "s3cret" if key != "note" else "a person's remark"
    guess = guess_message({"msg": json.dumps({"trace_id": "1", key: secret}).encode()})
    assert guess.codec == {"kind": "json", "document": {"trace_id": "{trace_id}", key: ""}}
    assert guess.unknown == (key,)


def test_a_message_in_binary_is_not_guessed() -> None:
    """Its field is known, and no more."""
    guess = guess_message({"data": b"\x0a\x10\xff\xfe"})
    assert (guess.codec, guess.field) == (None, "data")
    assert guess_block({"data": b"\x0a\x10\xff\xfe"}) is None


def test_a_block_is_found_within_a_document() -> None:
    """By its path."""
    entry = {"e": json.dumps({"kind": "head", "head": {"number": 9}}).encode()}
    assert guess_block(entry) == {"kind": "json", "field": "e", "block": "head.number"}


def test_reference_statuses_have_their_own_states() -> None:
    """By their names, before any word in them counts."""
    found = states_of(["INIT", "SIMULATED", "STALE_DATA_ERROR", "INVARIANT_BROKEN", "SIGNED", "?"])
    assert {name: state.name for name, state in found.items()} == {
        "INIT": "INIT",
        "SIMULATED": "SIMULATED",
        "STALE_DATA_ERROR": "STALE_DATA_ERROR",
        "INVARIANT_BROKEN": "INVARIANT_BROKEN",
        "SIGNED": "BEYOND",
    }


NAMES = st.one_of(
    st.sampled_from(
        ["id", "ref", "status", "nonce", "address", "amount", "side", "what", "debit", "credit"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1,
            max_size=63),
)  # fmt: skip
TYPES = st.sampled_from([TEXT, WHOLE, EXACT, UUID, MOMENT, ENUM])
VALUES = st.lists(NAMES, max_size=4, unique=True).map(tuple)


def with_values(
    name: str, columns: dict[str, tuple[str, str]], values: tuple[str, ...]
) -> FoundTable:
    """The same values in every column."""
    return table(f"s.{name}", columns, dict.fromkeys(columns, values))


TABLES = st.builds(
    with_values,
    st.sampled_from(["jobs", "ledger", "wallets", 'a"b', "new\nline", "# x"]),
    st.dictionaries(NAMES, TYPES, min_size=1, max_size=6),
    VALUES,
)
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
ENTRIES = st.one_of(
    st.dictionaries(NAMES, st.binary(max_size=12), max_size=3),
    st.builds(
        lambda name, own: {name: json.dumps({"id": "1", "x": own}).encode()}, NAMES, DOCUMENTS
    ),
)
STREAMS = st.builds(FoundStream, NAMES, VALUES, ENTRIES)


@given(st.none() | st.lists(TABLES, max_size=4), st.none() | st.lists(STREAMS, max_size=4))
def test_every_proposal_is_a_contract(
    tmp_path_factory: pytest.TempPathFactory,
    tables: list[FoundTable] | None,
    streams: list[FoundStream] | None,
) -> None:
    """Whatever a foreign system calls its tables, columns, streams and values."""
    folder = tmp_path_factory.getbasetemp()
    contract_of(folder, tables, streams)
