"""Messages defined by a descriptor set, as `protoc --descriptor_set_out` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from harness.contract.placeholders import Native, as_text

_INTEGERS = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)
_REALS = frozenset({FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE})


def message_class(descriptor_set: bytes, name: str) -> type[Message]:
    """The class of a message.

    Raises:
        ValueError: not a descriptor set, an incomplete one, or no such message in it.
    """
    pool = _pool(descriptor_set)
    try:
        found: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    except KeyError:
        known = ", ".join(_message_names(descriptor_set)) or "none"
        raise ValueError(f"no message {name!r} in the descriptor set; there are {known}") from None
    return found


def fields_on(message: type[Message] | Message, path: str) -> tuple[FieldDescriptor, ...]:
    """The fields on the path to a value: `order.ref` is field `ref` of the message in `order`.

    Raises:
        ValueError: there is no such field, or it holds more than one value.
    """
    found: list[FieldDescriptor] = []
    at: Any = message.DESCRIPTOR
    for part in path.split("."):
        if at is None:
            raise ValueError(f"{path}: {found[-1].name} is no message")
        field = at.fields_by_name.get(part)
        if field is None:
            known = ", ".join(sorted(at.fields_by_name))
            raise ValueError(f"{path}: {at.full_name} has no field {part!r}; it has {known}")
        if field.is_repeated:
            raise ValueError(f"{path}: {field.name} is repeated, and has no single value")
        found.append(field)
        at = field.message_type
    if at is not None:
        raise ValueError(f"{path}: {found[-1].name} is a message; name a field of it")
    return tuple(found)


def holder_of(message: Any, path: Sequence[FieldDescriptor]) -> Any:
    """The message that holds the last field of a path."""
    for field in path[:-1]:
        message = getattr(message, field.name)
    return message


def as_field(field: FieldDescriptor, value: Native) -> Any:
    """A value converted to the type of a field.

    Raises:
        ValueError: it cannot be converted.
    """
    try:
        return _as_field(field, value)
    except (ValueError, TypeError):
        raise ValueError(f"{field.name}: {value!r} cannot be its value") from None


def _as_field(field: FieldDescriptor, value: Native) -> Any:
    kind = field.cpp_type
    if field.type == FieldDescriptor.TYPE_BYTES:
        return value if isinstance(value, bytes) else as_text(value).encode()
    if field.type == FieldDescriptor.TYPE_STRING:
        return as_text(value)
    if kind in _INTEGERS:
        return int(value)
    if kind in _REALS:
        return float(value)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return _enum_number(field, value)
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _enum_number(field: FieldDescriptor, value: Native) -> int:
    if isinstance(value, int):
        return value
    known: Any = field.enum_type and field.enum_type.values_by_name
    if value not in known:
        raise ValueError(value)
    return int(known[str(value)].number)


def _pool(descriptor_set: bytes) -> descriptor_pool.DescriptorPool:
    files = _files(descriptor_set)
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        try:
            pool.AddSerializedFile(file.SerializeToString())
        except TypeError as error:
            raise ValueError(
                f"the descriptor set is incomplete ({error});"
                " make it with protoc --include_imports --descriptor_set_out"
            ) from error
    return pool


def _files(descriptor_set: bytes) -> Sequence[descriptor_pb2.FileDescriptorProto]:
    files: Sequence[descriptor_pb2.FileDescriptorProto] = ()
    with suppress(DecodeError):
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptor_set).file
    if not files:
        raise ValueError("not a descriptor set, as protoc --descriptor_set_out writes it")
    return files


def _message_names(descriptor_set: bytes) -> list[str]:
    return [
        f"{file.package}.{message.name}".lstrip(".")
        for file in _files(descriptor_set)
        for message in file.message_type
    ]
