"""Values that tests of Zone B begin with."""

from __future__ import annotations

from zone_b.message import Order

ETHER = 10**18
TRACE = "00000000-0001-8000-8000-000000000000"


def order(
    *,
    address: int = 0,
    amount_in_wei: int = ETHER // 2,
    capital_wei: int = 10 * ETHER,
    last_sync_block: int = 0,
    slippage_max_bps: int = 100,
    staged: bool = False,
    trace_id: str = TRACE,
    gas_price_wei: int = 100 * 10**9,
) -> Order:
    """An ordinary order that passes every check; change what the test is about."""
    return Order(
        entry_id=b"1-0",
        trace_id=trace_id,
        agent_id="agent",
        strategy_id="strategy",
        last_sync_block=last_sync_block,
        address=f"0x{address:040x}",
        chain_id=1,
        amount_in_wei=amount_in_wei,
        capital_wei=capital_wei,
        staged=staged,
        slippage_max_bps=slippage_max_bps,
        gas_price_wei=gas_price_wei,
    )
