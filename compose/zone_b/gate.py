"""The decision service at a gate: decides on a node whose pool is fuzzed; writes nothing.

    DEFI_ANVIL_URL=http://127.0.0.1:8545 python -m zone_b.gate

One JSON object a line, on stdin and stdout:

    {"amount_in": "10", "capital": "100", "gas_price": "1", "max_slippage_bps": 50, "head": 7}
    {"status": "SIMULATED", "detail": "", "gas_fee": "27010", "protocol_fee": "1", "took_ns": 900}

Decisions are the engine's own, by the code that decides about signals in full. It ends with its
input.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from zone_b.decision_service import DecisionService
from zone_b.fsm import Status
from zone_b.full import LIMIT_NS, FullSimulator
from zone_b.lite import LiteSimulator
from zone_b.message import Order
from zone_b.trade import Trade


def order_of(document: dict[str, Any]) -> Order:
    """The order of a line; what a decision in full does not use is left empty."""
    return Order(
        entry_id=b"",
        trace_id="gate",
        agent_id="gate",
        strategy_id="gate",
        last_sync_block=int(document["head"]),
        address="",
        chain_id=1,
        amount_in_wei=int(document["amount_in"]),
        capital_wei=int(document["capital"]),
        staged=True,
        slippage_max_bps=int(document["max_slippage_bps"]),
        gas_price_wei=int(document["gas_price"]),
    )


def answer_of(decision_service: DecisionService, document: dict[str, Any]) -> dict[str, Any]:
    """The decision on a line's order, as a line."""
    started_ns = time.monotonic_ns()
    decision = decision_service.decide_in_full([order_of(document)], int(document["head"]))[0]
    took_ns = time.monotonic_ns() - started_ns
    if isinstance(decision, Trade):
        return {
            "status": str(Status.SIMULATED),
            "gas_fee": str(decision.fees.gas_wei),
            "protocol_fee": str(decision.fees.protocol_wei),
            "took_ns": took_ns,
        }
    return {"status": str(decision.status), "detail": decision.detail, "took_ns": took_ns}


def main() -> None:
    """Report what the decision service works with, then answer line by line."""
    full = FullSimulator(os.environ["DEFI_ANVIL_URL"], deployed=True)
    decision_service = DecisionService(
        LiteSimulator(), full, lag_max=0, first_in_block=lambda *_: True
    )
    print(json.dumps({"limit_ns": LIMIT_NS}), flush=True)  # noqa: T201 - its way to answer
    for line in sys.stdin:
        print(json.dumps(answer_of(decision_service, json.loads(line))), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
