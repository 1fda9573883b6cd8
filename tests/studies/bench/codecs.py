"""How many signals a second one process composes in each codec; nothing is sent."""

from __future__ import annotations

import time
from typing import Any

from harness.contract.names import Contract
from harness.scenario.models import Signals
from harness.schedule.encoders import AgentIdentity, make_encoder
from harness.schedule.trade_request_template import varint
from tests.unit.load.test_encoders import FIELDS, JSON, PROTOBUF, STREAMS

# Of one process, so that composing leaves most of its time to sending.
SIGNALS_PER_S_MIN = 20_000
_SIGNALS = 50_000
_TAKES = 3
_STAMP = 1_763_930_000_000


def main() -> int:
    """Print one line a codec, the best of some takes; 1 when one is too slow to send with."""
    print(f"{'codec':<14} signals/s  us each")
    slow = 0
    own: dict[str, Any] = {"kind": "trade_request"}
    for codec in (own, JSON, FIELDS, PROTOBUF):
        best_ns = min(_take(codec) for _ in range(_TAKES)) / _SIGNALS
        print(f"{codec['kind']:<14} {1e9 / best_ns:>9,.0f} {best_ns / 1000:>8.2f}")
        slow |= 1e9 / best_ns < SIGNALS_PER_S_MIN
    return slow


def _take(codec: dict[str, Any]) -> int:
    contract = Contract.model_validate({"streams": STREAMS, "codec": codec})
    author = AgentIdentity(contract, Signals(), 0xAB, 7)
    compose = make_encoder(author).command
    # At a thousand signals a second and more, one stamp serves a few of them.
    stamps = [varint(_STAMP + millisecond) for millisecond in range(_SIGNALS // 5)]
    begin_ns = time.perf_counter_ns()
    for index in range(_SIGNALS):
        compose(index, 7, 10**17 + index, 100 + index // 2000, stamps[index // 5])
    return time.perf_counter_ns() - begin_ns
