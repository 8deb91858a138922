"""Frames on a byte stream: COBS, ended by a zero, guarded by CRC-32. Sans-IO.

A frame on the wire is `COBS(body + crc32(body) little-endian) + 00`; a body is header and payload.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from cobs import cobs

DELIMITER = b"\x00"
CRC_BYTES = 4
MAX_FRAME = 16384


def encode_frame(body: bytes) -> bytes:
    """Return the frame for `body` (header + payload), delimiter included."""
    stuffed: bytes = cobs.encode(body + zlib.crc32(body).to_bytes(CRC_BYTES, "little"))
    return stuffed + DELIMITER


@dataclass
class FramerCounters:
    """What a framer has seen since it was made. Bytes count as on the wire."""

    frames: int = 0
    bytes: int = 0
    crc_errors: int = 0
    cobs_errors: int = 0
    oversize: int = 0
    runts: int = 0
    discarded_bytes: int = 0

    @property
    def bad_frames(self) -> int:
        """Frames thrown away, for whatever reason."""
        return self.crc_errors + self.cobs_errors + self.oversize + self.runts


class Framer:
    """Cuts a byte stream into bodies.

    At most `max_frame` bytes are ever held. A longer frame is discarded up to the next delimiter;
    empty frames (a doubled delimiter) are skipped. Never raises on any input.
    """

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self.max_frame = max_frame
        self.counters = FramerCounters()
        self._parts: list[bytes] = []
        self._held = 0
        self._overflowed = False

    @property
    def buffered(self) -> int:
        """Bytes held of a frame whose end has not come yet."""
        return self._held

    def reset(self) -> None:
        """Forget a frame begun; the counters stay."""
        self.counters.discarded_bytes += self._held
        self._parts.clear()
        self._held = 0
        self._overflowed = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream, return the bodies completed by them."""
        self.counters.bytes += len(data)
        pieces = bytes(data).split(DELIMITER)
        tail = pieces.pop()
        bodies = []
        for piece in pieces:
            frame = piece
            if self._held or self._overflowed or len(piece) > self.max_frame:
                frame = self._complete(piece)
            if frame:
                body = self._check(frame)
                if body is not None:
                    bodies.append(body)
        if tail:
            self._hold(tail)
        return bodies

    def _hold(self, piece: bytes) -> None:
        if self._overflowed:
            self.counters.discarded_bytes += len(piece)
        elif self._held + len(piece) > self.max_frame:
            self.counters.oversize += 1
            self.counters.discarded_bytes += self._held + len(piece)
            self._parts.clear()
            self._held = 0
            self._overflowed = True
        else:
            self._parts.append(piece)
            self._held += len(piece)

    def _complete(self, last: bytes) -> bytes:
        self._hold(last)
        frame = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        self._overflowed = False
        return frame

    def _check(self, frame: bytes) -> bytes | None:
        """Return the body of an undelimited frame, or None after counting what is wrong."""
        try:
            decoded: bytes = cobs.decode(frame)
        except cobs.DecodeError:
            self.counters.cobs_errors += 1
        else:
            if len(decoded) <= CRC_BYTES:
                self.counters.runts += 1
            else:
                body = decoded[:-CRC_BYTES]
                if zlib.crc32(body) == int.from_bytes(decoded[-CRC_BYTES:], "little"):
                    self.counters.frames += 1
                    return body
                self.counters.crc_errors += 1
        self.counters.discarded_bytes += len(frame)
        return None
