from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.zone_b.zone_b_values import ETHER, order
from zone_b.fsm import REJECTIONS, Status, may_become
from zone_b.head import is_stale
from zone_b.invariants import Fees
from zone_b.ledger import Book, EntryType, entries_of
from zone_b.settings import Settings, SettingsError, read_settings
from zone_b.simulation_policy import mode_of
from zone_b.store import new_id
from zone_b.trade import Mode, Rejection

URL = {"DEFI_REDIS_URL": "redis://:secret@127.0.0.1:1/0"}


@given(st.integers(0, 2**64), st.integers(0, 2**64), st.integers(0, 100))
def test_sentinel_stops_beyond_the_watermark(head: int, seen: int, lag_max: int) -> None:
    """Stale is exactly what lies more than the permitted lag; a head in advance is never stale."""
    assert is_stale(head, seen, lag_max) == (head > seen + lag_max)


def test_sentinel_at_the_edge() -> None:
    """A lag of two blocks may pass, three may not."""
    assert not is_stale(12, 10, 2)
    assert is_stale(13, 10, 2)


@given(st.sampled_from(Status), st.sampled_from(Status))
def test_zone_b_moves_trades_out_of_init_only(before: Status, after: Status) -> None:
    """Every end is final, and only INIT can be left."""
    assert may_become(before, after) == (
        before is Status.INIT and (after is Status.SIMULATED or after in REJECTIONS)
    )


@pytest.mark.parametrize("status", sorted(set(Status) - REJECTIONS))
def test_a_rejection_needs_a_reason(status: Status) -> None:
    """No signal can be refused with a state that is no refusal."""
    with pytest.raises(ValueError, match="no rejection"):
        Rejection("trace", status, Mode.LITE)


@pytest.mark.parametrize(
    ("amount", "staged", "mode"),
    [
        (ETHER * 15 // 100, False, Mode.LITE),
        (ETHER * 15 // 100 + 1, False, Mode.FULL),
        (1, True, Mode.FULL),
    ],
)
def test_large_or_staged_is_simulated_in_full(amount: int, staged: bool, mode: Mode) -> None:
    """15 % of the capital is still lite, one wei more is full, a staged strategy always."""
    assert mode_of(order(amount_in_wei=amount, capital_wei=ETHER, staged=staged)) is mode


@given(st.integers(1, 10**40), st.integers(1, 10**40), st.integers(1, 10**40))
def test_ledger_balances(amount: int, gas: int, protocol: int) -> None:
    """What leaves the wallet is what the three others receive, and no row pays itself."""
    entries = entries_of(9, Book(pool=1, gas=2, protocol=3), amount, Fees(gas, protocol))
    balance: dict[int, int] = {}
    for entry in entries:
        assert entry.debit_account_id != entry.credit_account_id
        balance[entry.debit_account_id] = balance.get(entry.debit_account_id, 0) + entry.amount_wei
        balance[entry.credit_account_id] = (
            balance.get(entry.credit_account_id, 0) - entry.amount_wei
        )
    assert sum(balance.values()) == 0
    assert balance[9] == -(amount + gas + protocol)
    assert [entry.entry_type for entry in entries] == list(EntryType)


def test_row_ids_sort_by_time() -> None:
    """The index of the primary key grows at one end."""
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(text[14] == "7" and text[19] in "89ab" for text in ids)
    assert [text[:13] for text in ids] == sorted(text[:13] for text in ids)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({}, "DEFI_REDIS_URL is missing"),
        ({**URL, "DEFI_WORKERS": "0"}, "DEFI_WORKERS must lie between 1 and 64"),
        ({**URL, "DEFI_WORKERS": "two"}, "DEFI_WORKERS must be a whole number"),
        ({**URL, "DEFI_BLOCK_TIME_S": "0"}, "DEFI_BLOCK_TIME_S must lie above 0"),
        ({**URL, "DEFI_BLOCK_TIME_S": "soon"}, "DEFI_BLOCK_TIME_S must be a number"),
    ],
)
def test_bad_settings_are_named(env: dict[str, str], message: str) -> None:
    """The message names the variable."""
    with pytest.raises(SettingsError, match=message):
        read_settings(env)


def test_settings_keep_secrets_out_of_their_text() -> None:
    """Printed settings show neither URL nor conninfo."""
    settings = read_settings({**URL, "DEFI_PG_DSN": "password=secret", "DEFI_WORKERS": "3"})
    assert settings == Settings(
        redis_url=URL["DEFI_REDIS_URL"], pg_dsn="password=secret", workers=3
    )
    assert "secret" not in repr(settings)
