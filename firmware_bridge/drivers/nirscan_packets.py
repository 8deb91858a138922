"""Packets of the DLP NIRscan Nano on its UART: marks, checksum, sequence, busy and error flags.

    'ABCD' | checksum u32 | flags u8 | sequence u8 | length u16 | command u16 | data | 'DCBA'

All little-endian; the checksum is the sum of the bytes between it and the last mark; `length` is of
command and data. Source: TI, DLP NIRscan Nano EVM User's Guide, DLPU030G, appendix H, and the
firmware's uartCmdHandler.c and NNOCommandDefs.h. The guide has packets of 220 bytes at most; that
firmware sends file data in packets of up to 528.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from firmware_bridge.drivers.talk import Nonsense

START, END = b"ABCD", b"DCBA"
MOST_PAYLOAD = 512
_HEAD = Struct("<4sIBBH")
_COMMAND = Struct("<H")
READ, WRITE = 0xC0, 0x40


class Command(IntEnum):
    """Group in the high byte, number in the low one."""

    FILE_SIZE = 0x002D
    FILE_DATA = 0x002E
    VERSION = 0x0216
    SCAN = 0x0218
    SCAN_STATUS = 0x0219
    REPEATS = 0x022E
    SERIAL = 0x0233
    SCAN_TIME = 0x0237
    ERRORS = 0x0404
    CLEAR_ERRORS = 0x0405


class Outcome(IntEnum):
    """Bits 5:4 of a reply's flags."""

    OK = 0
    ERROR = 1
    BUSY = 2


@dataclass(frozen=True)
class Packet:
    """flags: as on the wire; data: what follows the command."""

    flags: int
    sequence: int
    command: int
    data: bytes = b""

    @property
    def outcome(self) -> int:
        """An `Outcome`, or 3, which none is."""
        return self.flags >> 4 & 3


def encode(packet: Packet) -> bytes:
    """The packet's bytes."""
    payload = _COMMAND.pack(packet.command) + packet.data
    head = _HEAD.pack(START, 0, packet.flags, packet.sequence, len(payload))
    checksum = sum(head[8:]) + sum(payload)
    head = _HEAD.pack(START, checksum, packet.flags, packet.sequence, len(payload))
    return head + payload + END


def size(received: bytes) -> int | None:
    """Length of the packet with which `received` begins, None while some is missing.

    Raises Nonsense where none does.
    """
    if not received.startswith(START[: len(received)]):
        raise Nonsense(f"{received[:16].hex(' ')}, which does not begin with 'ABCD'")
    if len(received) < _HEAD.size:
        return None
    _, checksum, _, _, length = _HEAD.unpack_from(received)
    if not _COMMAND.size <= length <= MOST_PAYLOAD:
        raise Nonsense(f"a packet of {length} bytes, expected 2 to {MOST_PAYLOAD}")
    whole = _HEAD.size + length + len(END)
    if len(received) < whole:
        return None
    if received[whole - len(END) : whole] != END:
        raise Nonsense(f"{received[whole - len(END) : whole]!r} where 'DCBA' should be")
    found = sum(received[8 : whole - len(END)])
    if found != checksum:
        raise Nonsense(f"a packet with checksum {checksum:#x} whose bytes add up to {found:#x}")
    return int(whole)


def decode(whole: bytes) -> Packet:
    """The packet of bytes that `size` took for one."""
    _, _, flags, sequence, length = _HEAD.unpack_from(whole)
    (command,) = _COMMAND.unpack_from(whole, _HEAD.size)
    return Packet(flags, sequence, command, whole[_HEAD.size + 2 : _HEAD.size + length])


def reply_to(request: Packet, least: int = 0) -> Callable[[bytes], int | None]:
    """`Exchange.whole` of the reply to `request`, with at least so much data where it is OK.

    A reply with another sequence or command is an old one.
    """

    def whole(received: bytes) -> int | None:
        found = size(received)
        if found is None:
            return None
        reply = decode(received[:found])
        if (reply.sequence, reply.command) != (request.sequence, request.command):
            raise Nonsense(
                f"the reply to command {reply.command:#06x} with sequence {reply.sequence}, "
                f"expected {request.command:#06x} with {request.sequence}"
            )
        if reply.outcome == Outcome.OK and len(reply.data) < least:
            raise Nonsense(f"{len(reply.data)} bytes of data, expected at least {least}")
        return found

    return whole
