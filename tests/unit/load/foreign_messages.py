"""A descriptor set that no `.proto` of ours knows, built by hand as protoc would."""

from __future__ import annotations

import base64

from google.protobuf import descriptor_pb2

_F = descriptor_pb2.FieldDescriptorProto
_LABEL = _F.LABEL_OPTIONAL


def _message(
    file: descriptor_pb2.FileDescriptorProto, name: str, *fields: tuple[str, int, str]
) -> descriptor_pb2.DescriptorProto:
    message = file.message_type.add(name=name)
    for number, (field, kind, of) in enumerate(fields, 1):
        label = _F.LABEL_REPEATED if field == "tags" else _LABEL
        message.field.add(name=field, number=number, type=kind, label=label, type_name=of or None)
    return message


def descriptor_set(*, complete: bool = True) -> bytes:
    """Package desk.v1: Order with a nested Head, an enum and a bytes field for a Ticket."""
    common = descriptor_pb2.FileDescriptorProto(
        name="desk/head.proto", package="desk.v1", syntax="proto3"
    )
    _message(
        common,
        "Head",
        ("ref", _F.TYPE_STRING, ""),
        ("raw", _F.TYPE_BYTES, ""),
        ("at", _F.TYPE_FIXED64, ""),
        ("when", _F.TYPE_STRING, ""),
    )
    order = descriptor_pb2.FileDescriptorProto(
        name="desk/order.proto",
        package="desk.v1",
        syntax="proto3",
        dependency=["desk/head.proto"],
    )
    side = order.enum_type.add(name="Side")
    side.value.add(name="NONE", number=0)
    side.value.add(name="BUY", number=3)
    _message(
        order,
        "Order",
        ("head", _F.TYPE_MESSAGE, ".desk.v1.Head"),
        ("side", _F.TYPE_ENUM, ".desk.v1.Side"),
        ("body", _F.TYPE_BYTES, ""),
        ("height", _F.TYPE_SINT64, ""),
        ("tags", _F.TYPE_STRING, ""),
        ("small", _F.TYPE_INT32, ""),
    )
    _message(
        order,
        "Ticket",
        ("qty", _F.TYPE_STRING, ""),
        ("units", _F.TYPE_UINT64, ""),
        ("wallet", _F.TYPE_STRING, ""),
        ("chain", _F.TYPE_UINT32, ""),
        ("dry", _F.TYPE_BOOL, ""),
        ("note", _F.TYPE_BYTES, ""),
        ("label", _F.TYPE_STRING, ""),
        ("rate", _F.TYPE_DOUBLE, ""),
    )
    files = [common, order] if complete else [order]
    return descriptor_pb2.FileDescriptorSet(file=files).SerializeToString()


def descriptor_text() -> str:
    """The same in base64, as a contract holds it."""
    return base64.b64encode(descriptor_set()).decode()
