"""The encoder for each codec."""

from __future__ import annotations

from harness.contract.codecs import FieldsCodec, JsonCodec, ProtobufCodec
from harness.schedule import resp
from harness.schedule.encoder import AgentIdentity, Encoder
from harness.schedule.json_encoders import FieldsEncoder, JsonEncoder
from harness.schedule.protobuf_encoder import ProtobufEncoder


class TradeRequestEncoder:
    """A `TradeRequest` in one field."""

    def __init__(self, identity: AgentIdentity) -> None:
        self._encode = identity.template().encode
        self._head = resp.proposal_head(identity.contract)

    def command(
        self, index: int, address: int, amount_wei: int, sync_block: int, timestamp: bytes
    ) -> bytes:
        message = self._encode(index, address, amount_wei, sync_block, timestamp)
        return resp.proposal(self._head, message)


def make_encoder(identity: AgentIdentity) -> Encoder:
    """The encoder of an agent for the contract's codec."""
    codec = identity.contract.codec
    if isinstance(codec, JsonCodec):
        return JsonEncoder(identity, codec)
    if isinstance(codec, FieldsCodec):
        return FieldsEncoder(identity, codec)
    if isinstance(codec, ProtobufCodec):
        return ProtobufEncoder(identity, codec)
    return TradeRequestEncoder(identity)
