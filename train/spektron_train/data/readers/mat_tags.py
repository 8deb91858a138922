"""A look at the tags of a version 5 MAT file before scipy reads it.

scipy (1.17 at least, pull requests 25349 and 25829) takes the type in a tag as an index without
looking, so one damaged byte ends the process. Layout: "MAT-File Format", MathWorks, chapter 1.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from ..spectral_set import DataError

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMERIC_TYPES = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13})
_NUMERIC_CLASSES = range(6, 16)
_COMPLEX = 0x0800
# Flags, 32 dimensions and a name of 63 letters, each with its tag, fit.
_PROLOGUE = 4096


def check_tags(path: Path) -> None:
    """Raise DataError where a numeric variable has a tag of no known type, or is complex.

    Variables of other classes (text, cells, structs, objects) are passed over: they are not read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
        order = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}.get(header[124:])
        if order is None:
            raise DataError(f"{path} is no MAT file of version 5 or 7.3; save it with -v7 or -v7.3")
        at = _HEADER_BYTES
        while at < size:
            stream.seek(at)
            kind, count = _tag(path, stream.read(8), order)
            if kind not in (_MATRIX, _COMPRESSED) or at + 8 + count > size:
                raise _damaged(path)
            _check_variable(path, stream.read(min(count, _PROLOGUE)), kind, order)
            at += 8 + count


def _check_variable(path: Path, raw: bytes, kind: int, order: str) -> None:
    if kind == _COMPRESSED:
        try:
            raw = zlib.decompressobj().decompress(raw, _PROLOGUE)
        except zlib.error:
            raise _damaged(path) from None
        if _tag(path, raw, order)[0] != _MATRIX:
            raise _damaged(path)
        raw = raw[8:]
    if len(raw) < 16:
        raise _damaged(path)
    flags = struct.unpack_from(f"{order}I", raw, 8)[0]
    if flags & 0xFF not in _NUMERIC_CLASSES:
        return
    if flags & _COMPLEX:
        raise DataError(f"{path} holds a complex array; spectra are real, save the real part")
    at = 16
    for _ in ("dimensions", "name"):
        at += _length(path, raw[at:], order)
    if _tag(path, raw[at:], order)[0] not in _NUMERIC_TYPES:
        raise _damaged(path)


def _tag(path: Path, raw: bytes, order: str) -> tuple[int, int]:
    """Type and byte count; in the small form both are in the first four bytes."""
    if len(raw) < 8:
        raise _damaged(path)
    kind, count = struct.unpack_from(f"{order}II", raw)
    return (kind & 0xFFFF, kind >> 16) if kind >> 16 else (kind, count)


def _length(path: Path, raw: bytes, order: str) -> int:
    """Bytes of an element with its tag; data are padded to eight bytes."""
    _, count = _tag(path, raw, order)
    small = struct.unpack_from(f"{order}I", raw)[0] >> 16
    return 8 if small else 8 + -(-count // 8) * 8


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged, or no MAT file that can be read; get it again")
