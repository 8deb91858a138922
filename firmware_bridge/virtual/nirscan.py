"""A TI DLP NIRscan Nano with the maker's configuration `Column 1`: 228 patterns, 900 to 1700 nm."""

from __future__ import annotations

from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers.nirscan_file import COLUMN, FULL, ScanFile, Section, black, encode
from firmware_bridge.drivers.nirscan_packets import START, Command, Outcome, Packet
from firmware_bridge.drivers.nirscan_packets import decode as unpacked
from firmware_bridge.drivers.nirscan_packets import encode as packed
from firmware_bridge.drivers.nirscan_packets import size as size_of
from firmware_bridge.drivers.talk import Nonsense
from firmware_bridge.virtual.instrument import Foreign
from firmware_bridge.virtual.optics import Optics

PATTERNS, BLACK_FIRST, BLACK_PERIOD = 228, 24, 25
VALUES = 237
BLACK_LEVEL = 21_000
COEFFICIENTS = (1817.5628, -0.91973249, -2.3377358e-4)
SCAN_MS = 800
# What its firmware sends in a packet, and what the guide has.
PIECE = 510


class VirtualNirscan(Foreign):
    """kind: of its patterns. busy: times it says so. errors: bits it reports after a scan."""

    def __init__(
        self,
        spectra: NDArray[np.float64],
        axis: NDArray[np.float64],
        *,
        serial: bytes = b"6100039",
        kind: int = COLUMN,
        gain: int = 1,
        piece: int = PIECE,
        **options: Any,
    ) -> None:
        optics = Optics(
            pixels=PATTERNS,
            start_nm=900.0,
            end_nm=1700.0,
            curvature=0.0,
            full_scale=FULL,
            white_counts=6_000_000.0,
            dark_counts=0.0,
            default_integration_us=635,
        )
        self.serial, self.kind, self.gain, self.piece = serial, kind, gain, piece
        self.busy, self.errors = 0, 0
        super().__init__(spectra, axis, optics, baud=115200, **options)

    def reset(self) -> None:
        """No scan yet."""
        self._index = 2 << 16
        self._file = b""
        self._left = b""
        self._scan_ends = 0.0

    def hear(self, received: bytes) -> int:
        """A packet; what is none is passed over up to the next mark."""
        at = received.find(START)
        if at != 0:
            return at if at > 0 else max(0, len(received) - 3)
        try:
            size = size_of(received)
        except Nonsense:
            return len(START)
        if size is None:
            # Cut short where the next one begins.
            return max(0, received.find(START, len(START)))
        self._answer(unpacked(received[:size]))
        return size

    def _answer(self, request: Packet) -> None:
        outcome, data = Outcome.OK, b""
        if self.busy:
            self.busy -= 1
            outcome = Outcome.BUSY
        elif request.command == Command.SCAN and self._now < self._scan_ends:
            outcome = Outcome.ERROR
        else:
            data = self._act(request)
        flags = request.flags | outcome << 4
        self.say(packed(Packet(flags, request.sequence, request.command, data)))

    def _act(self, request: Packet) -> bytes:
        command = request.command
        if command == Command.SCAN:
            self._scan_ends = self._now + SCAN_MS / 1000.0
            self._file = encode(self._scan())
        elif command == Command.SCAN_STATUS:
            return bytes((self._now >= self._scan_ends,))
        elif command == Command.SCAN_TIME:
            return pack("<I", SCAN_MS)
        elif command == Command.FILE_SIZE:
            self._left = self._file
            return pack("<I", len(self._file))
        elif command == Command.FILE_DATA:
            piece, self._left = self._left[: self.piece], self._left[self.piece :]
            return piece
        elif command == Command.VERSION:
            return bytes((6, 4, 2, 0)) + bytes(24)
        elif command == Command.SERIAL:
            return self.serial.ljust(8, b"\0")
        elif command == Command.ERRORS:
            return pack("<I", self.errors).ljust(20, b"\0")
        elif command == Command.CLEAR_ERRORS:
            self.errors = 0
        return b""

    def _scan(self) -> ScanFile:
        lit = self.expose(635).counts.astype(np.int64)
        self._index += 1
        scan = ScanFile(
            index=self._index,
            serial=self.serial,
            temperature_c=25.15,
            coefficients=COEFFICIENTS,
            gain=self.gain,
            black_first=BLACK_FIRST,
            black_period=BLACK_PERIOD,
            sections=(Section(self.kind, 6, 900, 1700, PATTERNS),),
            adc=np.full(VALUES, BLACK_LEVEL, np.int32),
        )
        value = np.minimum(lit * self.gain + BLACK_LEVEL, FULL)
        scan.adc[~black(scan)] = value
        return scan
