from __future__ import annotations

from typing import Any

import hiredis
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.names import Contract
from harness.schedule import resp


def packed(*arguments: Any) -> bytes:
    """The command as hiredis packs it."""
    data: bytes = hiredis.pack_command(arguments)
    return data


@given(st.lists(st.one_of(st.binary(), st.integers(0, 2**60)), min_size=1, max_size=8))
def test_command_is_what_hiredis_packs(arguments: list[bytes | int]) -> None:
    """Our packing and hiredis's agree."""
    assert resp.command(*arguments) == packed(*arguments)


@given(st.binary(max_size=2000))
def test_proposal_is_a_trimming_xadd(message: bytes) -> None:
    """The prepared head and a message make the whole command."""
    head = resp.proposal_head(Contract(prefix="staging:"))
    assert resp.proposal(head, message) == packed(
        *("XADD", "staging:stream:agent:proposals", "MAXLEN", "~", "10000", "*", "data"), message
    )


def test_entry_id() -> None:
    """An id is two numbers."""
    assert resp.entry_id(b"1763930000123-42") == (1_763_930_000_123, 42)
