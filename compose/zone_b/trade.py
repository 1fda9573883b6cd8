"""What the engine has decided about an order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zone_b.fsm import REJECTIONS, Status
from zone_b.invariants import Fees
from zone_b.message import Malformed, Order


class Mode(StrEnum):
    """How an order was simulated; the label of the metrics."""

    LITE = "lite"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Trade:
    """An order that may go through; it still needs a nonce."""

    order: Order
    fees: Fees
    mode: Mode


@dataclass(frozen=True, slots=True)
class Rejection:
    """An order, or what should have been one, that may not go through.

    Attributes:
        trace_id: never empty.
        status: the reason.
        mode: how it was simulated, as far as it got.
        detail: the reason's own reason, for the metrics: a few fixed values.
    """

    trace_id: str
    status: Status
    mode: Mode
    detail: str = ""

    def __post_init__(self) -> None:
        if self.status not in REJECTIONS:
            raise ValueError(f"{self.status} is no rejection")


@dataclass(frozen=True, slots=True)
class Committed:
    """A trade that is SIMULATED in the database.

    Attributes:
        nonce: the nonce it was given.
        lock_wait_ns: from asking for its nonce lock to holding it, on the server's clock.
        done_ns: monotonic time at which its commit was known here.
    """

    trade: Trade
    nonce: int
    lock_wait_ns: int
    done_ns: int


Read = Order | Malformed
