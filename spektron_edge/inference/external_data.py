"""Refuse a graph that would make onnxruntime read a file.

A tensor may say that its values lie in a file (external data). Loaded from bytes, such a graph
makes onnxruntime 1.23.2 open any path that it names, and 1.31.1 any path below the working
directory (both tried). No bundle uses it, and the runtime has no onnx package to look with: this
walks the protobuf itself, by the field numbers of onnx.proto, wherever a tensor can stand.
"""

from __future__ import annotations

from collections.abc import Iterator

from .backend import BackendError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
# Fields that lead on to a tensor, by the message they stand in.
_LEADS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse",
        23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
# Far beyond any encoder; a walk that takes this long is an attack on the walker.
_MOST_FIELDS = 2_000_000
_MOST_VARINT_BYTES = 10
_LARGEST_FIELD = 2**29 - 1


def refuse_external_data(model: bytes) -> None:
    """Return when no tensor of the graph has its values elsewhere.

    Raises BackendError for one that has, and for what is no protobuf.
    """
    fields = 0
    waiting = [("model", memoryview(model))]
    while waiting:
        message, data = waiting.pop()
        leads = _LEADS[message]
        for number, value in _fields(data):
            fields += 1
            if fields > _MOST_FIELDS:
                raise BackendError("the graph has more parts than any encoder")
            if message == "tensor" and (
                number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
            ):
                raise BackendError("the graph has values in another file; a bundle holds them all")
            if isinstance(value, memoryview) and number in leads:
                waiting.append((leads[number], value))


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if not 0 < number <= _LARGEST_FIELD:
            raise BackendError("the graph is no ONNX file (a field has no such number)")
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise BackendError("the graph is no ONNX file (it holds a group)")
        if length > end - at:
            raise BackendError("the graph is cut short")
        # Numbers of fixed width lead nowhere, and no field that is looked at has one.
        yield number, data[at : at + length] if kind == _BYTES else 0
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(data[at : at + _MOST_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, at + count + 1
    raise BackendError("the graph is no ONNX file (a number does not end)")
