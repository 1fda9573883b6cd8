"""Common parts of all encoders.

Constant bytes are encoded once, because slow encoding delays the sender.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from harness.contract import trace_id
from harness.contract.address import HOT_ADDRESS
from harness.contract.codec import Signal
from harness.contract.names import Contract
from harness.contract.placeholders import iso_time
from harness.scenario.models import Signals
from harness.schedule.trade_request_template import SignalTemplate, read_varint

# Values that differ between signals of one agent and address; order of `ChangingValues.texts`.
PLACEHOLDER_ORDER = ("trace_id", "amount_in", "last_sync_block", "timestamp_ms", "timestamp_iso")

Texts = tuple[bytes, bytes, bytes, bytes, bytes]


class Encoder(Protocol):
    """Encodes signals of one agent as Redis commands."""

    def command(
        self, index: int, address: int, amount_wei: int, sync_block: int, timestamp: bytes
    ) -> bytes:
        """The XADD of one signal, packed.

        Args:
            index: number of the signal within the agent.
            address: index of the signing address: the agent's own, or HOT_ADDRESS.
            amount_wei: amount to trade, below 2^63.
            sync_block: newest block that the agent knows.
            timestamp: Unix time in ms as `trade_request_template.varint`, shared by many signals.
        """
        ...


class AgentIdentity(NamedTuple):
    """One agent, and the constant properties of its signals.

    Attributes:
        contract: names, codec and addresses.
        signals: their properties in the scenario.
        run_tag: tag of the run, in every trace id.
        agent: number of the agent.
    """

    contract: Contract
    signals: Signals
    run_tag: int
    agent: int

    def template(self) -> SignalTemplate:
        """Its signals as `TradeRequest`."""
        return SignalTemplate(self.signals, self.run_tag, self.agent, self.contract.addresses)

    def samples(self) -> dict[int, Signal]:
        """A sample signal of each of its addresses, by index; its changing values are arbitrary."""
        block = self.contract.chain.fixed_block
        return {
            address: self.template().signal(0, address, 1, block, 0)
            for address in (self.agent, HOT_ADDRESS)
        }


class ChangingValues:
    """The changing values of signals as text; times are formatted once a millisecond.

    Args:
        identity: of the agent.
        iso: whether ISO times are needed.
    """

    def __init__(self, identity: AgentIdentity, *, iso: bool) -> None:
        high, low = trace_id.pack(identity.run_tag, identity.agent, 0)
        self._trace_head = trace_id.text(high, low)[:-8].encode()
        self._wants_iso = iso
        self._timestamp = b""
        self._ms = b""
        self._iso = b""

    def texts(self, index: int, amount_wei: int, sync_block: int, timestamp: bytes) -> Texts:
        """The values in the order of `PLACEHOLDER_ORDER`."""
        if timestamp is not self._timestamp:
            self._timestamp = timestamp
            number = read_varint(timestamp)
            self._ms = b"%d" % number
            self._iso = iso_time(number).encode() if self._wants_iso else b""
        return (
            self._trace_head + b"%08x" % index,
            b"%d" % amount_wei,
            b"%d" % sync_block,
            self._ms,
            self._iso,
        )
