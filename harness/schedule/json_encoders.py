"""Encoders for JSON documents and flat fields, from templates that are split beforehand."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable

from pydantic import JsonValue

from harness.contract.codec import Signal
from harness.contract.codecs import FieldsCodec, JsonCodec, Scalar
from harness.contract.placeholders import (
    Native,
    Placeholder,
    as_text,
    parse_template,
    placeholder_value,
)
from harness.schedule import resp
from harness.schedule.encoder import PLACEHOLDER_ORDER, AgentIdentity, ChangingValues, Texts

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
