"""Signals as messages of the team's own, by its descriptor set."""

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


class _Form:
    """A message that is filled in but for what changes."""

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
        """Put in what changes."""
        for holder, name, make in self._changing:
            setattr(holder, name, make(texts))


class ProtobufEncoder:
    """A message of the team's own in one field."""

    def __init__(self, author: AgentIdentity, codec: ProtobufCodec) -> None:
        self._head = resp.proposal_head(author.contract)
        self._moment = ChangingValues(author, iso="{timestamp_iso" in codec.model_dump_json())
        self._forms = {
            address: self._form(codec, codec.message, codec.values, signal)
            for address, signal in author.samples().items()
        }
        self._payloads: dict[int, tuple[_Form, Any, str]] = {}
        payload = codec.payload
        if payload is None:
            return
        for address, signal in author.samples().items():
            outer = self._forms[address].message
            into = fields_on(outer, payload.into)
            inner = self._form(codec, payload.message, payload.values, signal)
            self._payloads[address] = (inner, holder_of(outer, into), into[-1].name)

    def command(
        self, index: int, address: int, amount_wei: int, sync_block: int, timestamp: bytes
    ) -> bytes:
        texts = self._moment.texts(index, amount_wei, sync_block, timestamp)
        form = self._forms[address]
        form.fill(texts)
        if self._payloads:
            inner, holder, name = self._payloads[address]
            inner.fill(texts)
            setattr(holder, name, inner.message.SerializeToString())
        return resp.proposal(self._head, form.message.SerializeToString())

    @staticmethod
    def _form(
        codec: ProtobufCodec, name: str, values: Mapping[str, Scalar], signal: Signal
    ) -> _Form:
        return _Form(message_class(codec.descriptors, name)(), values, signal)


def _maker(field: FieldDescriptor, parts: tuple[TemplatePart, ...], signal: Signal) -> _Make:
    """What makes the field's value of the texts that change."""
    if len(parts) > 1:
        return _joined(field, parts, signal)
    hole = parts[0]
    assert isinstance(hole, Placeholder)  # noqa: S101 - something in it changes
    at = PLACEHOLDER_ORDER.index(hole.name)
    if field.type == FieldDescriptor.TYPE_BYTES:
        if hole.form == "bytes" and hole.name == "trace_id":
            return lambda texts: bytes.fromhex(texts[at].decode().replace("-", ""))
        return lambda texts: texts[at]
    if field.type == FieldDescriptor.TYPE_STRING:
        return lambda texts: texts[at].decode()
    return lambda texts: as_field(field, int(texts[at]))


def _joined(field: FieldDescriptor, parts: tuple[TemplatePart, ...], signal: Signal) -> _Make:
    places: list[int | str] = []
    for part in parts:
        if isinstance(part, str):
            places.append(part)
        elif part.is_per_signal:
            places.append(PLACEHOLDER_ORDER.index(part.name))
        else:
            places.append(as_text(placeholder_value(part, signal)))

    def make(texts: Texts) -> Any:
        text = "".join(
            texts[place].decode() if isinstance(place, int) else place for place in places
        )
        return as_field(field, text)

    return make
