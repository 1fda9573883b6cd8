"""Encoder for the system's own Protobuf messages, by their descriptor set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from harness.contract.codec import Signal
from harness.contract.codecs import ProtobufCodec, Scalar, put, render_value
from harness.contract.descriptors import as_field, fields_on, holder_of, message_class
from harness.contract.placeholders import (
    Placeholder,
    TemplatePart,
    as_text,
    parse_template,
    placeholder_value,
)
from harness.schedule import resp
from harness.schedule.encoder import PLACEHOLDER_ORDER, AgentIdentity, ChangingValues, Texts

_Make = Callable[[Texts], Any]


class _MessageTemplate:
    """A message whose constant fields are set."""

    def __init__(self, message: Message, values: Mapping[str, Scalar], signal: Signal) -> None:
        self.message = message
        self._changing: list[tuple[Any, str, _Make]] = []
        for path, scalar in values.items():
            fields = fields_on(message, path)
            parts = parse_template(scalar) if isinstance(scalar, str) else ()
            put(message, fields, render_value(scalar, signal))
            if any(isinstance(part, Placeholder) and part.is_per_signal for part in parts):
                make = _maker(fields[-1], parts, signal)
                self._changing.append((holder_of(message, fields), fields[-1].name, make))

    def fill(self, texts: Texts) -> None:
        """Set the changing fields."""
        for holder, name, make in self._changing:
            setattr(holder, name, make(texts))


class ProtobufEncoder:
    """The system's own Protobuf message in one field."""

    def __init__(self, identity: AgentIdentity, codec: ProtobufCodec) -> None:
        self._head = resp.proposal_head(identity.contract)
        self._values = ChangingValues(identity, iso="{timestamp_iso" in codec.model_dump_json())
        self._templates = {
            address: self._template(codec, codec.message, codec.values, signal)
            for address, signal in identity.samples().items()
        }
        self._payloads: dict[int, tuple[_MessageTemplate, Any, str]] = {}
        payload = codec.payload
        if payload is None:
            return
        for address, signal in identity.samples().items():
            outer = self._templates[address].message
            into = fields_on(outer, payload.into)
            inner = self._template(codec, payload.message, payload.values, signal)
            self._payloads[address] = (inner, holder_of(outer, into), into[-1].name)

    def command(
        self, index: int, address: int, amount_wei: int, sync_block: int, timestamp: bytes
    ) -> bytes:
        texts = self._values.texts(index, amount_wei, sync_block, timestamp)
        template = self._templates[address]
        template.fill(texts)
        if self._payloads:
            inner, holder, name = self._payloads[address]
            inner.fill(texts)
            setattr(holder, name, inner.message.SerializeToString())
        return resp.proposal(self._head, template.message.SerializeToString())

    @staticmethod
    def _template(
        codec: ProtobufCodec, name: str, values: Mapping[str, Scalar], signal: Signal
    ) -> _MessageTemplate:
        return _MessageTemplate(message_class(codec.descriptors, name)(), values, signal)


def _maker(field: FieldDescriptor, parts: tuple[TemplatePart, ...], signal: Signal) -> _Make:
    """A function from the changing texts to the field's value."""
    if len(parts) > 1:
        return _joined(field, parts, signal)
    placeholder = parts[0]
    assert isinstance(placeholder, Placeholder)  # noqa: S101 - the caller found a placeholder
    at = PLACEHOLDER_ORDER.index(placeholder.name)
    if field.type == FieldDescriptor.TYPE_BYTES:
        if placeholder.form == "bytes" and placeholder.name == "trace_id":
            return lambda texts: bytes.fromhex(texts[at].decode().replace("-", ""))
        return lambda texts: texts[at]
    if field.type == FieldDescriptor.TYPE_STRING:
        return lambda texts: texts[at].decode()
    return lambda texts: as_field(field, int(texts[at]))


def _joined(field: FieldDescriptor, parts: tuple[TemplatePart, ...], signal: Signal) -> _Make:
    sources: list[int | str] = []
    for part in parts:
        if isinstance(part, str):
            sources.append(part)
        elif part.is_per_signal:
            sources.append(PLACEHOLDER_ORDER.index(part.name))
        else:
            sources.append(as_text(placeholder_value(part, signal)))

    def make(texts: Texts) -> Any:
        text = "".join(
            texts[source].decode() if isinstance(source, int) else source for source in sources
        )
        return as_field(field, text)

    return make
