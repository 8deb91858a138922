"""The replies of Ocean's SAD500 dialect: checksums, compression, spectra. Sans-IO.

Words are 16 bits, big-endian. Sources: SAD500 Communications and Control Manual, pp. 4-11, its
Technical Notes 1 (compression, p. 15) and 3 (checksum); Flame User Manual 225-00000-000-11-201604,
pp. 82-89 (Flame-S), 106-114 (Flame-T).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers.talk import Nonsense

STX, ETX, ACK, NAK = b"\x02", b"\x03", b"\x06", b"\x15"
ABSOLUTE = 0x80
COMPRESSED = 256
END = b"\xff\xfd"
_HEADER = struct.Struct(">7H")
HEAD_SIZE = 1 + _HEADER.size


def checksum(counts: NDArray[np.uint16]) -> int:
    """Of a spectrum as words: their sum, 16 bits (Technical Note 3)."""
    return int(counts.sum(dtype=np.uint64)) & 0xFFFF


def compressed_checksum(data: bytes) -> int:
    """Of compressed pixels: bytes of differences, 80 and the word of others (Technical Note 3)."""
    total, at = 0, 0
    while at < len(data):
        if data[at] == ABSOLUTE:
            total += ABSOLUTE + int.from_bytes(data[at + 1 : at + 3], "big")
            at += 3
        else:
            total += data[at]
            at += 1
    return total & 0xFFFF


def compress(counts: NDArray[np.uint16]) -> bytes:
    """As Technical Note 1's example has it: the first pixel, too, after an 80."""
    out = bytearray()
    before: int | None = None
    for count in counts.tolist():
        step = None if before is None else count - before
        if step is None or not -127 <= step <= 127:
            out += bytes((ABSOLUTE,)) + count.to_bytes(2, "big")
        else:
            out.append(step & 0xFF)
        before = count
    return bytes(out)


def expand(data: bytes) -> NDArray[np.uint16]:
    """Counts of compressed pixels. Raises Nonsense where they leave 16 bits."""
    counts: list[int] = []
    at = 0
    while at < len(data):
        if data[at] == ABSOLUTE:
            counts.append(int.from_bytes(data[at + 1 : at + 3], "big"))
            at += 3
        elif not counts:
            raise Nonsense("a difference before the first pixel")
        else:
            counts.append(counts[-1] + int.from_bytes(data[at : at + 1], "big", signed=True))
            at += 1
    found = np.array(counts)
    if found.size and not 0 <= found.min() <= found.max() <= 0xFFFF:
        raise Nonsense(f"compressed counts of {found.min()} to {found.max()}")
    return found.astype(np.uint16)


class _Pixels:
    """Where so many compressed pixels end, in data that grows.

    lead: what is thought to stand before the data. The note's text sends the first pixel as a bare
    word, its example after an 80.
    """

    def __init__(self, pixels: int, lead: bytes) -> None:
        self.lead = lead
        self._pixels = pixels
        self._begin()

    def _begin(self) -> None:
        self._seen, self._at, self._left = b"", 0, self._pixels

    def take(self, data: bytes) -> bytes | None:
        """The pixels with their lead, None while some are missing."""
        if not data.startswith(self._seen):
            self._begin()
        self._seen = data
        data = self.lead + data
        while self._left and self._at < len(data):
            step = 3 if data[self._at] == ABSOLUTE else 1
            if self._at + step > len(data):
                return None
            self._at += step
            self._left -= 1
        return None if self._left else data[: self._at]


@dataclass(frozen=True)
class Form:
    """What a spectrum that was asked for looks like; integration in ms.

    header: "flame" or "sad500"; None: either will do, no manual says which.
    """

    pixels: int
    integration_ms: int
    compressed: bool
    checked: bool
    header: str | None = None

    @property
    def longest(self) -> int:
        """Bytes, all of them."""
        return HEAD_SIZE + (3 if self.compressed else 2) * self.pixels + 4


class SpectrumReader:
    """Recognises the spectrum of one request by counting pixels: one may look like the end mark."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._ways = [_Pixels(form.pixels, lead) for lead in (b"", bytes((ABSOLUTE,)))]

    def whole(self, received: bytes) -> int | None:
        """As `Exchange.whole`. ETX and NAK are whole, too: the instrument gives no spectrum."""
        if received[:1] in (ETX, NAK):
            return 1
        if received[:1] != STX:
            raise Nonsense(f"expected 02, received {received[:16].hex(' ')}")
        if len(received) < HEAD_SIZE:
            return None
        self._check_head(received)
        found = self._read(received)
        return None if found is None else found[0]

    def counts(self, reply: bytes) -> NDArray[np.float64]:
        """(pixels,) counts of a whole spectrum. Raises Nonsense where it is none."""
        found = self._read(reply)
        if found is None:
            raise Nonsense(f"{len(reply)} bytes of a spectrum")
        return found[1].astype(np.float64)

    # ---- inside

    def _check_head(self, received: bytes) -> None:
        begin, *middle, mode = _HEADER.unpack_from(received, 1)
        modes = (0, COMPRESSED) if self._form.compressed else (0,)
        if begin != 0xFFFF or mode not in modes:
            raise Nonsense(f"a header {received[1:HEAD_SIZE].hex(' ')}")
        wanted = self._form.integration_ms
        # Flame: size of a pixel, scans added, ms. SAD500: channel, scan number, scans kept, ms.
        flame = middle[:3] == [0, 1, wanted]
        sad500 = middle[0] == 0 and middle[3] == wanted
        if not (flame or sad500):
            raise Nonsense(
                f"a header that is not that of one scan of 16 bits, channel 0 and {wanted} ms: "
                f"{received[1:HEAD_SIZE].hex(' ')}"
            )
        other = {"flame": sad500 and not flame, "sad500": flame and not sad500}
        if self._form.header is not None and other[self._form.header]:
            raise Nonsense(
                f"the header of another family: {received[1:HEAD_SIZE].hex(' ')}; `model` is wrong"
            )

    def _read(self, received: bytes) -> tuple[int, NDArray[np.uint16]] | None:
        """Length and counts, None while some is missing. Raises Nonsense."""
        data = received[HEAD_SIZE:]
        if not self._form.compressed:
            size = 2 * self._form.pixels
            words = np.frombuffer(data[:size], ">u2", count=len(data[:size]) // 2)
            if not self._ended(data, size, {checksum(words)}):
                return None
            return self._size(size), words.astype(np.uint16)
        wrong: Nonsense | None = None
        for way in self._ways:
            # A bare word that begins with 80 can be told from a mark by the checksum alone.
            marked = data[:1] == bytes((ABSOLUTE,))
            possible = not marked or self._form.checked if way.lead else marked
            pixels = way.take(data) if possible else None
            if pixels is None:
                continue
            size = len(pixels) - len(way.lead)
            try:
                # Whether the sum counts a mark that is not sent, the notes do not say.
                total = compressed_checksum(pixels)
                if self._ended(data, size, {total, (total - sum(way.lead)) & 0xFFFF}):
                    return self._size(size), expand(pixels)
            except Nonsense as error:
                wrong = wrong or error
        # One of the two ways is wrong even where all is well; none can be right after so much.
        if wrong is not None and len(received) >= self._form.longest:
            raise wrong
        return None

    def _size(self, data: int) -> int:
        return HEAD_SIZE + data + (4 if self._form.checked else 2)

    def _ended(self, data: bytes, size: int, totals: set[int]) -> bool:
        """Whether the end mark and the checksum are there. Raises Nonsense where they are wrong."""
        if HEAD_SIZE + len(data) < self._size(size):
            return False
        if data[size : size + 2] != END:
            shown = data[size : size + 2].hex(" ")
            raise Nonsense(f"expected ff fd after {self._form.pixels} pixels, received {shown}")
        if self._form.checked:
            told = int.from_bytes(data[size + 2 : size + 4], "big")
            if told not in totals:
                sums = " or ".join(f"0x{total:04x}" for total in sorted(totals))
                raise Nonsense(f"checksum 0x{told:04x} of data whose sum is {sums}")
        return True
