from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.contract.address import HOT_ADDRESS
from harness.evidence.records import Mode
from harness.scenario.models import Signals
from harness.schedule.content import CAPITAL_WEI, Contents, contents, stale_block

MIXED = Signals(full_share=0.3, addresses="hot", hot_share=0.6, stale_share=0.2)


def rows(found: Contents) -> list[tuple[int, int, int, bool]]:
    """One tuple for each signal."""
    return list(zip(found.modes, found.addresses, found.amounts_wei, found.stale, strict=True))


@given(st.integers(0, 2**63 - 1), st.integers(0, 4095), st.integers(0, 2000), st.integers(1, 50))
def test_any_range_alone_is_the_same(seed: int, agent: int, first: int, count: int) -> None:
    """A signal has the same content whether or not those before it were drawn."""
    whole = rows(contents(MIXED, seed, agent, 0, first + count))
    assert rows(contents(MIXED, seed, agent, first, count)) == whole[first:]


@given(st.integers(0, 2**32))
def test_mode_follows_from_the_amount(seed: int) -> None:
    """Exactly the full signals trade more than 15 % of the capital."""
    for mode, _, amount, _ in rows(contents(MIXED, seed, 3, 0, 100)):
        assert (amount * 100 > 15 * CAPITAL_WEI) == (mode == Mode.FULL)
        assert 0 < amount <= CAPITAL_WEI // 4


def test_shares_are_kept() -> None:
    """Over many signals the shares are those of the scenario."""
    found = contents(MIXED, 5, 1, 0, 20_000)
    assert abs(sum(mode == Mode.FULL for mode in found.modes) / 20_000 - 0.3) < 0.02
    assert abs(sum(a == HOT_ADDRESS for a in found.addresses) / 20_000 - 0.6) < 0.02
    assert abs(sum(found.stale) / 20_000 - 0.2) < 0.02


def test_distinct_addresses_are_the_agents_own() -> None:
    """Without a hot address no signal uses it, whatever its share is."""
    found = contents(Signals(hot_share=1.0), 5, 17, 0, 100)
    assert set(found.addresses) == {17}
    assert set(found.modes) == {Mode.LITE}
    assert set(found.stale) == {False}


@given(st.integers(0, 10**6), st.integers(0, 100))
def test_stale_block_is_stale_and_a_block(head: int, lag_max: int) -> None:
    """Beyond the lag by a margin, on a block that has been; none while the chain is too young."""
    block = stale_block(head, lag_max)
    if block is None:
        assert head <= lag_max + 3
    else:
        assert block >= 1
        assert head - block == lag_max + 3


def test_agents_and_seeds_differ() -> None:
    """Two agents have different amounts."""
    drawn = {
        tuple(contents(MIXED, seed, agent, 0, 5).amounts_wei) for seed in (1, 2) for agent in (0, 1)
    }
    assert len(drawn) == 4
