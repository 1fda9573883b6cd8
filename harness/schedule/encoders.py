"""Encoders: signals of one agent as packed Redis commands, one encoder for each codec.

Constant bytes are encoded once, because slow encoding delays the sender. JSON and fields come from
templates that are split beforehand; Protobuf messages keep their constant fields between signals.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from pydantic import JsonValue

from harness.contract import trace_id
from harness.contract.address import HOT_ADDRESS
from harness.contract.codec import Signal
from harness.contract.codecs import FieldsCodec, JsonCodec, ProtobufCodec, Scalar, put, render_value
from harness.contract.descriptors import as_field, fields_on, holder_of, message_class
from harness.contract.names import Contract
from harness.contract.placeholders import (
    Native,
    Placeholder,
    TemplatePart,
    as_text,
    iso_time,
    parse_template,
    placeholder_value,
)
from harness.scenario.models import Signals
from harness.schedule import resp
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


_Make = Callable[[Texts], Any]
# Literal bytes, or the index in `PLACEHOLDER_ORDER` of a changing value.
Part = bytes | int


class TextTemplate:
    """A text with the positions of its changing values."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts: list[bytes] = []
        self._positions: list[tuple[int, int]] = []
        for part in parts:
            if isinstance(part, int):
                self._positions.append((len(self._parts), part))
                self._parts.append(b"")
            else:
                self._parts.append(part)

    @property
    def is_per_signal(self) -> bool:
        """Whether it differs between signals."""
        return bool(self._positions)

    def fill(self, values: Texts) -> bytes:
        """The text with these values in it."""
        parts = self._parts.copy()
        for at, which in self._positions:
            parts[at] = values[which]
        return b"".join(parts)


class JsonEncoder:
    """A JSON document in one field."""

    def __init__(self, identity: AgentIdentity, codec: JsonCodec) -> None:
        self._head = resp.proposal_head(identity.contract)
        self._texts = {
            address: TextTemplate(_json_parts(codec.document, signal))
            for address, signal in identity.samples().items()
        }
        self._values = ChangingValues(identity, iso="{timestamp_iso" in json.dumps(codec.document))

    def command(
        self, index: int, address: int, amount_wei: int, sync_block: int, timestamp: bytes
    ) -> bytes:
        values = self._values.texts(index, amount_wei, sync_block, timestamp)
        return resp.proposal(self._head, self._texts[address].fill(values))


class FieldsEncoder:
    """One field for each value."""

    def __init__(self, identity: AgentIdentity, codec: FieldsCodec) -> None:
        self._head = resp.entry_head(identity.contract, len(codec.fields))
        self._values = ChangingValues(identity, iso="{timestamp_iso" in str(codec.fields))
        self._fields = {
            address: _fields(codec.fields, signal) for address, signal in identity.samples().items()
        }

    def command(
        self, index: int, address: int, amount_wei: int, sync_block: int, timestamp: bytes
    ) -> bytes:
        values = self._values.texts(index, amount_wei, sync_block, timestamp)
        parts = [self._head]
        for field in self._fields[address]:
            if isinstance(field, bytes):
                parts.append(field)
            else:
                parts.append(resp.argument(field.fill(values)))
        return b"".join(parts)


def _fields(fields: dict[str, Scalar], signal: Signal) -> tuple[bytes | TextTemplate, ...]:
    """Constant fields as packed bytes, adjacent ones joined; changing fields as templates."""
    found: list[bytes | TextTemplate] = []
    for name, value in fields.items():
        text = TextTemplate(_parts(value, signal))
        packed = resp.argument(name.encode())
        if not text.is_per_signal:
            packed += resp.argument(text.fill((b"", b"", b"", b"", b"")))
        if found and isinstance(found[-1], bytes):
            found[-1] += packed
        else:
            found.append(packed)
        if text.is_per_signal:
            found.append(text)
    return tuple(found)


def _parts(scalar: Scalar, signal: Signal) -> Iterable[Part]:
    for part in parse_template(scalar) if isinstance(scalar, str) else (as_text(scalar),):
        if isinstance(part, str):
            yield part.encode()
        elif part.form == "bytes":  # a trace id or raw bytes, which Redis accepts unchanged
            yield _raw(placeholder_value(part, signal))
        elif part.is_per_signal:
            yield PLACEHOLDER_ORDER.index(part.name)
        else:
            yield as_text(placeholder_value(part, signal)).encode()


def _raw(value: Native) -> bytes:
    return value if isinstance(value, bytes) else as_text(value).encode()


def _json_parts(document: JsonValue, signal: Signal) -> Iterable[Part]:
    # A random marker replaces each changing value while the JSON is written; where the value is a
    # number, the marker includes the quotes around it.
    marker = secrets.token_hex(8)

    def put(placeholder: Placeholder, *, is_whole: bool) -> JsonValue:
        if placeholder.is_per_signal:
            number = is_whole and isinstance(placeholder_value(placeholder, signal), int)
            return f"{marker}{'n' if number else 't'}{PLACEHOLDER_ORDER.index(placeholder.name)}."
        value = placeholder_value(placeholder, signal)
        if is_whole and isinstance(value, bool | int):
            return value
        return as_text(value)

    text = json.dumps(_map_texts(document, put), separators=(",", ":"))
    pattern = re.compile(rf'"{marker}n(\d)\."|{marker}t(\d)\.')
    at = 0
    for match in pattern.finditer(text):
        yield text[at : match.start()].encode()
        yield int(match[1] or match[2])
        at = match.end()
    yield text[at:].encode()


def _map_texts(document: JsonValue, put: Callable[..., JsonValue]) -> JsonValue:
    if isinstance(document, dict):
        return {key: _map_texts(value, put) for key, value in document.items()}
    if isinstance(document, list):
        return [_map_texts(value, put) for value in document]
    if not isinstance(document, str):
        return document
    parts = parse_template(document)
    if len(parts) == 1 and isinstance(parts[0], Placeholder):
        return put(parts[0], is_whole=True)
    return "".join(
        str(put(part, is_whole=False)) if isinstance(part, Placeholder) else part for part in parts
    )


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
