"""Chain events: how agents follow them, and where an event has the newest block."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from google.protobuf.message import DecodeError
from pydantic import Base64Bytes, Field, model_validator

from harness.contract.codec import decode_chain_head
from harness.contract.codecs import DESCRIPTORS_MAX
from harness.contract.descriptors import fields_on, holder_of, message_class
from harness.contract.frozen import Frozen, Name, NameIfAny

BlockReader = Callable[[Mapping[bytes, bytes]], int]


class ChainFeed(Frozen):
    """The stream of chain events of a contract.

    Attributes:
        follow: `group`: each agent creates, reads with and removes its own consumer group; `read`
            only reads and changes nothing.
        kind: encoding of an event.
        field: the stream entry's field with the message; None: the same as for signals.
        block: field, or path through the message (`head.number`), of the newest block.
        descriptors: of `protobuf`: a descriptor set with all imports.
        message: of `protobuf`: full name of the message.
        fixed_block: block of all signals where there is no such stream.
    """

    follow: Literal["group", "read"] = "group"
    kind: Literal["chain_event", "json", "fields", "protobuf"] = "chain_event"
    field: NameIfAny = None
    block: Name = "sync_block"
    descriptors: Annotated[Base64Bytes, Field(max_length=DESCRIPTORS_MAX, strict=False)] = b""
    message: str = ""
    fixed_block: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _readable(self) -> ChainFeed:
        if self.kind == "protobuf":
            fields_on(message_class(self.descriptors, self.message), self.block)
        return self

    def reader(self, field: str) -> BlockReader:
        """Reads the newest block from an entry's fields; ValueError without one.

        Args:
            field: of the message, unless the feed has a field of its own.
        """
        name = (self.field or field).encode()
        if self.kind == "fields":
            block = self.block.encode()
            return lambda fields: int(fields.get(block, b""))
        read = self._message_reader()
        return lambda fields: read(fields.get(name, b""))

    def _message_reader(self) -> Callable[[bytes], int]:
        if self.kind == "chain_event":
            return lambda data: decode_chain_head(data).sync_block
        if self.kind == "json":
            return lambda data: int(at_path(json.loads(data), self.block))
        message = message_class(self.descriptors, self.message)
        path = fields_on(message, self.block)

        def read(data: bytes) -> int:
            try:
                event = message.FromString(data)
            except DecodeError as error:
                raise ValueError(f"not a {self.message}: {error}") from error
            return int(getattr(holder_of(event, path), path[-1].name))

        return read


def at_path(document: Any, path: str) -> Any:
    """The value at a path (`order.ref`) through nested objects.

    Raises:
        ValueError: there is no value.
    """
    for part in path.split("."):
        if not isinstance(document, dict) or part not in document:
            raise ValueError(f"nothing at {path}")
        document = document[part]
    return document
