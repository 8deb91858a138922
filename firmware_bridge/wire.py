"""Wire types: the vocabulary in which messages are declared. All little-endian.

A message field is `Annotated[python type, wire type, Doc(...)]`; codec and documentation read it.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

import numpy as np


class ProtocolError(ValueError):
    """A body that does not follow the protocol, or a value that does not fit its field."""


class WireType(ABC):
    """A wire type: turns one value into bytes and back."""

    label: str

    @abstractmethod
    def pack(self, value: Any) -> bytes:
        """Return the bytes of `value`; raises ProtocolError when it does not fit."""

    @abstractmethod
    def unpack(self, data: bytes, at: int) -> tuple[Any, int]:
        """Return the value at offset `at` and the offset behind it; raises ProtocolError."""


@dataclass(frozen=True)
class Scalar(WireType):
    """One number. `code` is its struct letter."""

    label: str
    code: str

    def pack(self, value: Any) -> bytes:
        """See WireType."""
        try:
            return struct.pack("<" + self.code, value)
        except (struct.error, OverflowError) as error:
            raise ProtocolError(f"{value!r} does not fit {self.label}: {error}") from None

    def unpack(self, data: bytes, at: int) -> tuple[Any, int]:
        """See WireType."""
        end = at + struct.calcsize("<" + self.code)
        return struct.unpack("<" + self.code, take(data, at, end, self.label))[0], end


@dataclass(frozen=True)
class Vector(WireType):
    """A fixed number of equal scalars, without a length; a tuple in Python."""

    scalar: Scalar
    length: int

    @property
    def label(self) -> str:  # type: ignore[override]
        """Name used in the documentation."""
        return f"{self.scalar.label}[{self.length}]"

    def pack(self, value: Any) -> bytes:
        """See WireType."""
        if len(value) != self.length:
            raise ProtocolError(f"expected {self.length} values, got {len(value)}")
        return b"".join(self.scalar.pack(v) for v in value)

    def unpack(self, data: bytes, at: int) -> tuple[Any, int]:
        """See WireType."""
        pattern = f"<{self.length}{self.scalar.code}"
        end = at + struct.calcsize(pattern)
        return struct.unpack(pattern, take(data, at, end, self.label)), end


@dataclass(frozen=True)
class Text(WireType):
    """UTF-8 behind a length byte; `limit` counts bytes."""

    limit: int

    @property
    def label(self) -> str:  # type: ignore[override]
        """Name used in the documentation."""
        return f"text<={self.limit}"

    def pack(self, value: Any) -> bytes:
        """See WireType."""
        try:
            raw = str(value).encode()
        except UnicodeEncodeError as error:
            raise ProtocolError(f"not encodable as UTF-8: {error}") from None
        if len(raw) > self.limit:
            raise ProtocolError(f"text of {len(raw)} bytes, the limit is {self.limit}")
        return bytes([len(raw)]) + raw

    def unpack(self, data: bytes, at: int) -> tuple[Any, int]:
        """See WireType."""
        size = take(data, at, at + 1, self.label)[0]
        if size > self.limit:
            raise ProtocolError(f"text of {size} bytes, the limit is {self.limit}")
        end = at + 1 + size
        try:
            return take(data, at + 1, end, self.label).decode(), end
        except UnicodeDecodeError as error:
            raise ProtocolError(f"text is not UTF-8: {error}") from None


class CountFormat(IntEnum):
    """How one pixel's counts are stored."""

    U16 = 1
    U32 = 2


@dataclass(frozen=True)
class Counts(WireType):
    """Pixel counts: format u8, number of pixels u16, then the counts; uint16 or uint32 array."""

    limit: int

    @property
    def label(self) -> str:  # type: ignore[override]
        """Name used in the documentation."""
        return f"counts<={self.limit}"

    def pack(self, value: Any) -> bytes:
        """See WireType."""
        if not isinstance(value, np.ndarray) or value.ndim != 1:
            raise ProtocolError("counts must be a one-dimensional array")
        if value.size > self.limit:
            raise ProtocolError(f"{value.size} pixels, the limit is {self.limit}")
        if value.dtype == np.uint16:
            form = CountFormat.U16
        elif value.dtype == np.uint32:
            form = CountFormat.U32
        else:
            raise ProtocolError(f"counts must be uint16 or uint32, not {value.dtype}")
        return struct.pack("<BH", form, value.size) + value.astype(_DTYPES[form]).tobytes()

    def unpack(self, data: bytes, at: int) -> tuple[Any, int]:
        """See WireType. Cap and payload are checked before anything is allocated."""
        form, size = struct.unpack("<BH", take(data, at, at + 3, self.label))
        if form not in _DTYPES:
            raise ProtocolError(f"count format {form}, expected 1 (u16) or 2 (u32)")
        if size > self.limit:
            raise ProtocolError(f"{size} pixels announced, the limit is {self.limit}")
        dtype = _DTYPES[form]
        end = at + 3 + size * dtype.itemsize
        raw = take(data, at + 3, end, self.label)
        return np.frombuffer(raw, dtype).astype(dtype.newbyteorder("=")), end


_DTYPES: dict[int, np.dtype[Any]] = {
    CountFormat.U16: np.dtype("<u2"),
    CountFormat.U32: np.dtype("<u4"),
}


@dataclass(frozen=True)
class Doc:
    """What a field means; `values` names the enumeration that its numbers come from."""

    text: str
    values: type[IntEnum] | None = None


def take(data: bytes, at: int, end: int, what: str) -> bytes:
    """Return data[at:end]; raises ProtocolError when the payload is shorter."""
    if end > len(data):
        raise ProtocolError(f"payload too short: {what} needs {end} bytes, there are {len(data)}")
    return data[at:end]


U8 = Annotated[int, Scalar("u8", "B")]
U16 = Annotated[int, Scalar("u16", "H")]
U32 = Annotated[int, Scalar("u32", "I")]
U64 = Annotated[int, Scalar("u64", "Q")]
F32 = Annotated[float, Scalar("f32", "f")]
F64 = Scalar("f64", "d")
