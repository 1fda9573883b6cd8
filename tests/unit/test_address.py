"""Signing addresses, made for a run or listed in a contract."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.contract.address import HOT_ADDRESS, AddressBook, address_text
from harness.contract.names import Contract, State

indexes = st.integers(0, HOT_ADDRESS)
tags = st.integers(0, 2**48 - 1)


@given(tags, indexes)
def test_made_addresses_read_back(tag: int, index: int) -> None:
    """Whatever the case of their digits; those of another run are nobody's."""
    text = AddressBook(tag).text(index)
    assert AddressBook(tag).index(text.replace("a", "A")) == index
    assert AddressBook(tag ^ 1).index(text) is None


@given(st.lists(st.from_regex(r"0x[0-9a-f]{40}", fullmatch=True), min_size=2, unique=True))
def test_listed_addresses_read_back(listed: list[str]) -> None:
    """Agents own them in order; with a hot address the last one is everybody's."""
    book = AddressBook(1, listed)
    assert [book.index(book.text(agent)) for agent in range(len(listed))] == list(
        range(len(listed))
    )
    hot = AddressBook(1, listed, hot=True)
    assert hot.index(hot.text(HOT_ADDRESS).upper()) == HOT_ADDRESS
    assert hot.index(hot.text(0)) == 0


def test_unknown_addresses_have_no_index() -> None:
    """Neither text that is no address nor one that is not listed."""
    assert AddressBook(1).index("nobody") is None
    assert AddressBook(1, ["w-1"]).index(address_text(1, 0)) is None


def test_contracts_survive_their_own_json() -> None:
    """The plan keeps the contract: states by number, what there is not as null."""
    document = Contract.model_validate(
        {
            "streams": {"engine_group": False, "proposals_maxlen": False},
            "nonces": False,
            "ledger": {
                "form": "sides",
                "table": "t",
                "internal_tx_id": False,
                "trace_id": "ref",
                "amount": "qty",
                "side": False,
                "entry_type": "what",
                "entry_types": {"TRADE": "FILL"},
            },
            "states": {"DONE": "SIMULATED"},
        }
    )
    assert Contract.model_validate_json(document.model_dump_json()) == document
    assert document.state("DONE") is State.SIMULATED
    assert document.streams.engine_group is None
