"""Codecs of a signal: `TradeRequest`, the system's own Protobuf message, JSON, or flat fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from google.protobuf.descriptor import FieldDescriptor
from pydantic import (
    Base64Bytes,
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    model_validator,
)

from harness.contract.codec import Signal
from harness.contract.descriptors import as_field, fields_on, holder_of, message_class
from harness.contract.frozen import Frozen, Name
from harness.contract.placeholders import (
    Native,
    Placeholder,
    as_text,
    parse_template,
    placeholder_value,
)

Scalar = bool | int | float | str


def _flatten(values: object) -> object:
    """Flatten nested tables to paths, so that a contract may use either form."""
    if not isinstance(values, dict):
        return values
    found: dict[str, object] = {}
    for key, value in values.items():
        payload_values = _flatten(value) if isinstance(value, dict) else None
        if isinstance(payload_values, dict):
            found |= {f"{key}.{path}": one for path, one in payload_values.items()}
        else:
            found[key] = value
    return found


Values = Annotated[dict[Name, Scalar], BeforeValidator(_flatten)]

# The longest and largest values of a signal.
LARGEST_SIGNAL = Signal(
    trace_id="ffffffff-ffff-8fff-bfff-ffffffffffff",
    agent_id="agent-4095",
    strategy_id="strategy-4095",
    last_sync_block=2**31 - 1,
    timestamp_ms=2**42 - 1,
    address="0x" + "f" * 40,
    chain_id=1,
    amount_in=2**62,
    capital=2**63 - 1,
    staged=True,
    max_slippage_bps=10_000,
    memo=b"\xff",
)
DESCRIPTORS_MAX = 4_000_000


class TradeRequestCodec(Frozen):
    """A serialized `TradeRequest` in one field of the stream entry."""

    kind: Literal["trade_request"] = "trade_request"


class JsonCodec(Frozen):
    """A JSON document in one field.

    Attributes:
        document: template of the document; its texts may have placeholders. A text that is one
            placeholder becomes a value of its type: number, boolean or text.
    """

    kind: Literal["json"]
    document: dict[str, JsonValue]

    @model_validator(mode="after")
    def _readable(self) -> JsonCodec:
        _check(dict(iter_texts(self.document)), within_text=True)
        return self


class FieldsCodec(Frozen):
    """One field of the stream entry for each value.

    Attributes:
        fields: name and text, which may have placeholders.
    """

    kind: Literal["fields"]
    fields: Annotated[dict[Name, Scalar], Field(min_length=1)]

    @model_validator(mode="after")
    def _readable(self) -> FieldsCodec:
        _check(self.fields, within_text=False)
        return self


class Payload(Frozen):
    """A message that is serialized into a bytes field of the outer message."""

    into: Name
    message: Name
    values: Values


class ProtobufCodec(Frozen):
    """The system's own Protobuf message in one field.

    Attributes:
        descriptors: a descriptor set with all imports.
        message: full name, with the package.
        values: path of a field and its value, which may have placeholders.
    """

    kind: Literal["protobuf"]
    descriptors: Annotated[Base64Bytes, Field(max_length=DESCRIPTORS_MAX, strict=False)]
    message: Name
    values: Values
    payload: Payload | None = None

    @model_validator(mode="after")
    def _readable(self) -> ProtobufCodec:
        payload_values = self.payload.values if self.payload else {}
        _check({**payload_values, **self.values}, within_text=False)
        problems = list(_field_problems(self.descriptors, self.message, self.values))
        if self.payload:
            problems += _field_problems(self.descriptors, self.payload.message, payload_values)
            problems += _field_problems(self.descriptors, self.message, {self.payload.into: ""})
        if problems:
            raise ValueError("; ".join(dict.fromkeys(problems)))
        return self


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("kind", "trade_request"))
    return str(getattr(value, "kind", ""))


Codec = Annotated[
    Annotated[TradeRequestCodec, Tag("trade_request")]
    | Annotated[JsonCodec, Tag("json")]
    | Annotated[FieldsCodec, Tag("fields")]
    | Annotated[ProtobufCodec, Tag("protobuf")],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message="kind is trade_request, json, fields or protobuf",
    ),
]


def iter_texts(document: JsonValue, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a document with its path."""
    if isinstance(document, str):
        yield path, document
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from iter_texts(value, f"{path}.{key}" if path else key)
    elif isinstance(document, list):
        for at, value in enumerate(document):
            yield from iter_texts(value, f"{path}.{at}")


def _check(texts: Mapping[str, Scalar], *, within_text: bool) -> None:
    """Check that every text can be parsed, and that one has the trace id."""
    problems = []
    placeholders: set[Placeholder] = set()
    for place, text in texts.items():
        if not isinstance(text, str):
            continue
        try:
            found = {piece for piece in parse_template(text) if isinstance(piece, Placeholder)}
        except ValueError as error:
            problems.append(f"{place}: {error}")
            continue
        placeholders |= found
        if within_text and any(placeholder.form == "bytes" for placeholder in found):
            problems.append(f"{place}: JSON has no bytes; leave the form out for base64")
    if not any(placeholder.name == "trace_id" for placeholder in placeholders):
        problems.append("{trace_id} is missing, so that signals could not be distinguished")
    if problems:
        raise ValueError("; ".join(problems))


def _field_problems(descriptors: bytes, name: str, values: Mapping[str, Scalar]) -> Iterator[str]:
    try:
        message = message_class(descriptors, name)()
    except ValueError as error:
        yield str(error)
        return
    for path, scalar in values.items():
        try:
            field = fields_on(message, path)
            put(message, field, render_value(scalar, LARGEST_SIGNAL))
        except ValueError as error:
            yield str(error)


def put(message: Any, path: tuple[FieldDescriptor, ...], value: Native) -> None:
    """Set a field on a path.

    Raises:
        ValueError: the value does not fit the field.
    """
    field = path[-1]
    try:
        setattr(holder_of(message, path), field.name, as_field(field, value))
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{field.full_name} cannot hold {value!r}: {error}") from error


def render_value(scalar: Scalar, signal: Signal) -> Native:
    """Value of a field: typed if the text is one placeholder, text otherwise."""
    if not isinstance(scalar, str):
        return scalar
    parts = parse_template(scalar)
    if len(parts) == 1 and isinstance(parts[0], Placeholder):
        return placeholder_value(parts[0], signal)
    return "".join(
        as_text(placeholder_value(part, signal)) if isinstance(part, Placeholder) else part
        for part in parts
    )
