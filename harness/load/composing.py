"""The composer for each codec."""

from __future__ import annotations

from harness.contract.codecs import FieldsCodec, JsonCodec, ProtobufCodec
from harness.load import wire
from harness.load.composer import Author, Composer
from harness.load.documents import FieldsComposer, JsonComposer
from harness.load.messages import ProtobufComposer


class OwnComposer:
    """A `TradeRequest` in one field."""

    def __init__(self, author: Author) -> None:
        self._encode = author.template().encode
        self._head = wire.proposal_head(author.contract)

    def command(
        self, index: int, address: int, amount_wei: int, sync_block: int, timestamp: bytes
    ) -> bytes:
        message = self._encode(index, address, amount_wei, sync_block, timestamp)
        return wire.proposal(self._head, message)


def make_composer(author: Author) -> Composer:
    """The composer of an agent, for the contract's codec."""
    codec = author.contract.codec
    if isinstance(codec, JsonCodec):
        return JsonComposer(author, codec)
    if isinstance(codec, FieldsCodec):
        return FieldsComposer(author, codec)
    if isinstance(codec, ProtobufCodec):
        return ProtobufComposer(author, codec)
    return OwnComposer(author)
