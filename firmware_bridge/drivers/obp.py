"""Messages of the Ocean Binary Protocol: bytes <-> fields, and nothing else.

Layout: QE Pro Data Sheet 891-00000-000-05-201604, p. 22, as the maker's example `demo-qepro-api.c`
cites it; STS Data Sheet 030-00000-003-05-201612, p. 16. Little-endian throughout.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from firmware_bridge.drivers.talk import Nonsense

START = b"\xc1\xc0"
FOOTER = b"\xc5\xc4\xc3\xc2"
VERSIONS = (0x1000, 0x1100, 0x2000)
IMMEDIATE = 16
# The longest known reply is that of the QE Pro, 4208 bytes of spectrum.
LONGEST_PAYLOAD = 1 << 15
_HEADER = struct.Struct("<2sHHHII6xBB16sI")
_TAIL = 20
SHORTEST = _HEADER.size + _TAIL


class Flag(IntFlag):
    """Flags of a message."""

    NONE = 0x00
    RESPONSE = 0x01
    ACK = 0x02
    ASK_ACK = 0x04
    NACK = 0x08
    EXCEPTION = 0x10
    DEPRECATED = 0x20


class Ask(IntEnum):
    """Message types that the driver or the maker's library use.

    All are in the maker's examples, except INTEGRATION_US, which only the maker's libseabreeze
    lists (`OBPMessageTypes.h`, OBP_GET_INTEGRATION_TIME_US) and does not use.
    """

    FIRMWARE = 0x00000090
    SERIAL = 0x00000100
    SERIAL_LENGTH = 0x00000101
    CLEAR_BUFFER = 0x00100830
    BUFFERED_SPECTRUM = 0x00100928
    CORRECTED_SPECTRUM = 0x00101000
    RAW_SPECTRUM = 0x00101100
    INTEGRATION_US = 0x00110000
    SET_INTEGRATION_US = 0x00110010
    SET_TRIGGER = 0x00110110
    SET_BINNING = 0x00110290
    WAVELENGTH_COUNT = 0x00180100
    WAVELENGTH = 0x00180101
    NONLINEARITY_COUNT = 0x00181100
    NONLINEARITY = 0x00181101
    TEC_TEMPERATURE = 0x00420004


ERRORS = {
    1: "invalid or unsupported protocol",
    2: "unknown message type",
    3: "bad checksum",
    4: "message too large",
    5: "payload length does not match message type",
    6: "payload data invalid",
    7: "device not ready for this message type",
    8: "unknown checksum type",
    9: "device was reset unexpectedly",
    10: "too many buses",
    11: "out of memory",
    12: "the information does not exist",
    13: "internal device error",
    100: "could not decrypt",
    101: "firmware layout invalid",
    102: "data packet has the wrong size",
    103: "hardware revision not compatible with firmware",
    104: "flash map not compatible with firmware",
    255: "response deferred",
}
UNSUPPORTED_PROTOCOL = 1
# Another answer will follow.
DEFERRED = 255


@dataclass(frozen=True)
class Message:
    """One message. `regarding` comes back in the response to a request; md5: with a checksum."""

    kind: int
    payload: bytes = b""
    flags: Flag = Flag.NONE
    error: int = 0
    regarding: int = 0
    version: int = 0x1100
    md5: bool = False


def encode(message: Message) -> bytes:
    """As it goes over the line: up to 16 bytes of payload within the header."""
    payload = message.payload
    immediate, rest = (payload, b"") if len(payload) <= IMMEDIATE else (b"", payload)
    head = _HEADER.pack(
        START,
        message.version,
        message.flags,
        message.error,
        message.kind,
        message.regarding,
        int(message.md5),
        len(immediate),
        immediate,
        len(rest) + _TAIL,
    )
    checksum = _md5(head + rest) if message.md5 else bytes(16)
    return head + rest + checksum + FOOTER


def length(received: bytes) -> int | None:
    """Bytes of the message that `received` begins with, None while its header is not whole.

    Raises Nonsense where it is none.
    """
    if not START.startswith(received[:2]):
        raise Nonsense(f"expected c1 c0, received {received[:16].hex(' ')}")
    if len(received) < _HEADER.size:
        return None
    remaining = int(_HEADER.unpack_from(received)[-1])
    if not _TAIL <= remaining <= LONGEST_PAYLOAD + _TAIL:
        raise Nonsense(f"a message that says {remaining} bytes remain of it")
    return _HEADER.size + remaining


def decode(data: bytes) -> Message:
    """The message that `data` is, checksum verified where there is one. Raises Nonsense."""
    size = length(data)
    if size is None or len(data) != size:
        raise Nonsense(f"expected a message of {size or SHORTEST} bytes, received {len(data)}")
    if data[-4:] != FOOTER:
        raise Nonsense(f"expected c5 c4 c3 c2 at its end, received {data[-4:].hex(' ')}")
    fields = _HEADER.unpack_from(data)
    _, version, flags, error, kind, regarding, checksum, immediate, within, _ = fields
    if version not in VERSIONS:
        raise Nonsense(f"protocol version 0x{version:04x}")
    if checksum > 1 or immediate > IMMEDIATE:
        raise Nonsense(f"checksum type {checksum}, {immediate} bytes of immediate data")
    if checksum and data[-_TAIL:-4] != _md5(data[:-_TAIL]):
        raise Nonsense("a message whose MD5 is wrong")
    rest = data[_HEADER.size : -_TAIL]
    if immediate and rest:
        raise Nonsense("a message with immediate data and a payload")
    payload = within[:immediate] if immediate else rest
    return Message(kind, payload, Flag(flags), error, regarding, version, bool(checksum))


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
