"""The part of Sparkplug B's protobuf message that we speak, declared field by field.

Names and numbers are those of the specification's schema (sparkplug_b.proto in section 6.4.1 of
https://sparkplug.eclipse.org/specification/version/3.0/documents/sparkplug-specification-3.0.0.pdf).
The packages that bring classes of it all ask for a paho that is too old (docs/dependencies.md).
Fields that are not here are skipped when a message is read.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

__all__ = ["DataType", "DecodeError", "Payload"]

_PACKAGE = "org.eclipse.tahu.protobuf"


class DataType(IntEnum):
    """What a metric's value is."""

    INT32 = 3
    INT64 = 4
    UINT64 = 8
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


_F = FieldDescriptorProto
_PROPERTY_VALUE = {
    "type": (1, _F.TYPE_UINT32),
    "is_null": (2, _F.TYPE_BOOL),
    "int_value": (3, _F.TYPE_UINT32),
    "string_value": (8, _F.TYPE_STRING),
}
_METRIC = {
    "name": (1, _F.TYPE_STRING),
    "alias": (2, _F.TYPE_UINT64),
    "timestamp": (3, _F.TYPE_UINT64),
    "datatype": (4, _F.TYPE_UINT32),
    "is_historical": (5, _F.TYPE_BOOL),
    "is_null": (7, _F.TYPE_BOOL),
    "int_value": (10, _F.TYPE_UINT32),
    "long_value": (11, _F.TYPE_UINT64),
    "double_value": (13, _F.TYPE_DOUBLE),
    "boolean_value": (14, _F.TYPE_BOOL),
    "string_value": (15, _F.TYPE_STRING),
}


def _declare() -> Any:
    file = FileDescriptorProto(name="spektron_sparkplug_b.proto", package=_PACKAGE, syntax="proto2")
    payload = file.message_type.add(name="Payload")
    value = payload.nested_type.add(name="PropertyValue")
    _fields(value, _PROPERTY_VALUE, one_of="value")
    properties = payload.nested_type.add(name="PropertySet")
    _field(properties, "keys", 1, _F.TYPE_STRING, repeated=True)
    _field(properties, "values", 2, ".PropertyValue", repeated=True)
    metric = payload.nested_type.add(name="Metric")
    _field(metric, "properties", 9, ".PropertySet")
    _fields(metric, _METRIC, one_of="value")
    _field(payload, "timestamp", 1, _F.TYPE_UINT64)
    _field(payload, "metrics", 2, ".Metric", repeated=True)
    _field(payload, "seq", 3, _F.TYPE_UINT64)
    # A pool of our own: another package in the process may have declared all of it.
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


def _fields(message: DescriptorProto, fields: dict[str, tuple[int, int]], one_of: str) -> None:
    message.oneof_decl.add(name=one_of)
    for name, (number, kind) in fields.items():
        field = _field(message, name, number, kind)
        if name.endswith("_value"):
            field.oneof_index = 0


def _field(
    message: DescriptorProto, name: str, number: int, kind: int | str, *, repeated: bool = False
) -> FieldDescriptorProto:
    field: FieldDescriptorProto = message.field.add(name=name, number=number)
    field.label = _F.LABEL_REPEATED if repeated else _F.LABEL_OPTIONAL
    if isinstance(kind, str):
        field.type, field.type_name = _F.TYPE_MESSAGE, f".{_PACKAGE}.Payload{kind}"
    else:
        field.type = kind
    return field


Payload = _declare()
