"""Wire protocol v1, declared once. Codec, documentation and golden frames come from here.

Field order is wire order. See docs/protocol.md (generated) for the readable form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.wire import F32, F64, U8, U16, U32, U64, Counts, Doc, Text, Vector

MIN_VERSION = 1
MAX_VERSION = 1
# Even as u32, this many pixels with header, CRC and COBS overhead stay below framing.MAX_FRAME.
MAX_PIXELS = 4000
COEFFICIENTS = 6


class MessageType(IntEnum):
    """Type byte of the header."""

    HELLO = 1
    INFO = 2
    CONFIGURE = 3
    START = 4
    STOP = 5
    SCAN = 6
    EVENT = 7
    ERROR = 8
    PING = 9
    ACK = 10


class Flags(IntFlag):
    """Flags of the header."""

    NONE = 0
    RESPONSE = 1


class Capability(IntFlag):
    """What the instrument can do by itself."""

    NONE = 0
    SHUTTER = 1
    REFERENCE = 2
    LAMP = 4


class Position(IntEnum):
    """What the detector looks at."""

    DARK = 0
    SAMPLE = 1
    REFERENCE = 2


class LampState(IntEnum):
    """State of the lamp during a scan."""

    OFF = 0
    WARMING = 1
    STABLE = 2


class EventCode(IntEnum):
    """What happened on the instrument; an unknown code is shown with its text."""

    LAMP_STABLE = 1
    LAMP_WARMING = 2
    SATURATED = 3
    OVERRUN = 4
    RESTARTED = 5
    STREAM_ENDED = 6


class ErrorCode(IntEnum):
    """Why the instrument refused."""

    UNSUPPORTED_VERSION = 1
    UNKNOWN_TYPE = 2
    MALFORMED = 3
    OUT_OF_RANGE = 4
    NOT_CAPABLE = 5
    HARDWARE = 6
    BAD_FRAME = 7


@dataclass(frozen=True)
class Header:
    """Stands before every payload."""

    version: Annotated[U8, Doc("protocol version of this frame")]
    type: Annotated[U8, Doc("message type")]
    flags: Annotated[U16, Doc("1: this frame answers the request of the same sequence")]
    sequence: Annotated[U16, Doc("chosen by the host, echoed in the response; 0 when unasked")]
    device_us: Annotated[U64, Doc("instrument clock since power-on in us; 0 from the host")]


@dataclass(frozen=True)
class Hello:
    """Host opens a session; answered by INFO, or by ERROR when no version is shared."""

    TYPE: ClassVar[MessageType] = MessageType.HELLO
    min_version: Annotated[U8, Doc("lowest version the host speaks")]
    max_version: Annotated[U8, Doc("highest version the host speaks")]


@dataclass(frozen=True)
class Info:
    """Who the instrument is and what it can do."""

    TYPE: ClassVar[MessageType] = MessageType.INFO
    version: Annotated[U8, Doc("highest version both sides speak; used from here on")]
    serial: Annotated[str, Text(32), Doc("serial number")]
    firmware: Annotated[str, Text(32), Doc("firmware version")]
    boot_id: Annotated[U32, Doc("random, new at every power-on; 0 is a number like any other")]
    pixels: Annotated[U16, Doc("pixels of a scan")]
    full_scale: Annotated[U32, Doc("counts at saturation, 65535 for 16 bits")]
    capabilities: Annotated[U16, Doc("flags: 1 shutter, 2 white reference, 4 lamp")]
    coefficients: Annotated[
        tuple[float, ...],
        Vector(F64, COEFFICIENTS),
        Doc("wavelength in nm = sum of c[i] * pixel**i, pixel counted from 0"),
    ]
    min_integration_us: Annotated[U32, Doc("shortest integration, us")]
    max_integration_us: Annotated[U32, Doc("longest integration, us")]
    max_averages: Annotated[U16, Doc("most exposures averaged into one scan")]


@dataclass(frozen=True)
class Configure:
    """Set up the following scans; answered by ACK."""

    TYPE: ClassVar[MessageType] = MessageType.CONFIGURE
    integration_us: Annotated[U32, Doc("integration of one exposure, us")]
    averages: Annotated[U16, Doc("exposures averaged into one scan, 1 or more")]
    lamp: Annotated[U8, Doc("0 off, 1 on")]
    position: Annotated[U8, Doc("what the detector looks at", Position)]


@dataclass(frozen=True)
class Start:
    """Begin to scan; answered by ACK, then SCAN after SCAN."""

    TYPE: ClassVar[MessageType] = MessageType.START
    count: Annotated[U32, Doc("scans to make; 0 = until STOP")] = 0


@dataclass(frozen=True)
class Stop:
    """End scanning; answered by ACK. Allowed at any time, before HELLO too."""

    TYPE: ClassVar[MessageType] = MessageType.STOP


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan as raw counts."""

    TYPE: ClassVar[MessageType] = MessageType.SCAN
    number: Annotated[U32, Doc("scans since power-on, from 0; also counts those never received")]
    integration_us: Annotated[U32, Doc("integration of one exposure, us")]
    averages: Annotated[U16, Doc("exposures averaged")]
    lamp: Annotated[U8, Doc("state of the lamp", LampState)]
    position: Annotated[U8, Doc("what the detector looked at", Position)]
    temperature_c: Annotated[F32, Doc("detector temperature, deg C; NaN where none is measured")]
    saturated: Annotated[U16, Doc("pixels at full scale")]
    counts: Annotated[NDArray[Any], Counts(MAX_PIXELS), Doc("counts per pixel")] = field(repr=False)


@dataclass(frozen=True)
class Event:
    """Something happened, unasked for."""

    TYPE: ClassVar[MessageType] = MessageType.EVENT
    code: Annotated[U16, Doc("what happened", EventCode)]
    text: Annotated[str, Text(120), Doc("in words")]


@dataclass(frozen=True)
class ErrorReply:
    """The request was refused; without the response flag: a frame could not be read."""

    TYPE: ClassVar[MessageType] = MessageType.ERROR
    code: Annotated[U16, Doc("why", ErrorCode)]
    text: Annotated[str, Text(120), Doc("in words")]


@dataclass(frozen=True)
class Ping:
    """Are you there; answered by the same PING with the response flag."""

    TYPE: ClassVar[MessageType] = MessageType.PING
    nonce: Annotated[U32, Doc("returned unchanged")]


@dataclass(frozen=True)
class Ack:
    """CONFIGURE, START or STOP was carried out."""

    TYPE: ClassVar[MessageType] = MessageType.ACK
    request: Annotated[U8, Doc("type of the request", MessageType)]


Message = Hello | Info | Configure | Start | Stop | Scan | Event | ErrorReply | Ping | Ack
MESSAGES: tuple[type[Message], ...] = (
    Hello,
    Info,
    Configure,
    Start,
    Stop,
    Scan,
    Event,
    ErrorReply,
    Ping,
    Ack,
)
# Read before a version is agreed on, so their known fields never change; they may only grow.
GROWING = (Hello, Info, ErrorReply)


def capability_names(capabilities: int) -> tuple[str, ...]:
    """Return what INFO's `capabilities` say in lower case; bits of a later version as a number."""
    names = [c.name.lower() for c in Capability if c.name and c.value & capabilities]
    later = capabilities & ~sum(c.value for c in Capability)
    return (*names, f"{later:#x}") if later else tuple(names)


def wavelengths(info: Info) -> NDArray[np.float64]:
    """Return the wavelength of every pixel in nm, shape (pixels,), from INFO's polynomial."""
    return polynomial_nm(info.coefficients, info.pixels)


def polynomial_nm(coefficients: Sequence[float], pixels: int) -> NDArray[np.float64]:
    """(pixels,) wavelengths, nm, of a polynomial in the pixel index, from the constant on."""
    # What overflows shows as an axis that is not finite, which its user refuses with better words.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.polyval(coefficients[::-1], np.arange(pixels, dtype=np.float64)).astype(
            np.float64
        )
