"""Virtual instruments that speak Ocean's SAD500 dialect: a Flame-S, and an S2000 with a SAD500."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers.ocean_sad500 import MODELS
from firmware_bridge.drivers.sad500 import (
    ACK,
    COMPRESSED,
    END,
    ETX,
    NAK,
    STX,
    checksum,
    compress,
    compressed_checksum,
)
from firmware_bridge.virtual.faults import InjectedFaults
from firmware_bridge.virtual.flaws import Flaws
from firmware_bridge.virtual.instrument import Foreign
from firmware_bridge.virtual.optics import Optics

# Least and most of what a command takes.
_FLAME = {
    "A": (1, 5000), "B": (0, 15), "G": (0, 1), "I": (1, 65535), "J": (0, 1), "K": (0, 6),
    "P": (0, 0), "T": (0, 4), "k": (0, 65535),
}  # fmt: skip
_SAD500 = _FLAME | {
    "A": (1, 15), "B": (0, 500), "H": (0, 7), "I": (5, 65535), "L": (0, 2), "M": (0, 2),
    "N": (1, 65535), "O": (0, 1), "T": (0, 3),
}  # fmt: skip
_POWER_ON = {"A": 1, "B": 0, "G": 0, "I": 100, "J": 0, "M": 0, "N": 1, "P": 0, "T": 0, "k": 0}


class VirtualOceanSad500(Foreign):
    """Header, limits and commands as the model has them; binary, and of ASCII only what leaves it.

    first_marked: whether the first compressed pixel comes after an 80, as in the manual's example;
    refuses: commands that are answered with NAK. The SAD500 loses bytes that come without a pause.
    """

    def __init__(
        self,
        spectra: NDArray[np.float64],
        axis: NDArray[np.float64],
        *,
        model: str = "Flame-S",
        baud: int = 9600,
        seed: int = 0,
        faults: InjectedFaults | None = None,
        first_marked: bool = True,
        refuses: str = "",
    ) -> None:
        self.model = next(m for m in MODELS if m.name == model)
        self.is_sad500 = model == "S2000"
        self.first_marked = first_marked
        self.refuses = refuses
        self.heard: list[bytes] = []
        optics = Optics(
            pixels=self.model.pixels,
            start_nm=350.0,
            end_nm=1000.0,
            full_scale=self.model.full_scale,
            white_counts=0.8 * self.model.full_scale,
            dark_counts=0.03 * self.model.full_scale,
            default_integration_us=20_000,
            flaws=Flaws(masked=self.model.dark_pixels),
        )
        super().__init__(spectra, axis, optics, baud=baud, seed=seed, faults=faults)

    @property
    def version(self) -> int:
        """1000 is 1.00.0."""
        return 2001 if self.is_sad500 else 3001

    def reset(self) -> None:
        """As after power-on."""
        self.settings = dict(_POWER_ON)
        self.ascii = False

    def feed(self, data: bytes, now: float) -> bytes:
        """As `Foreign`."""
        if self.is_sad500 and len(data) > 1:
            data = data[:1] + data[-1:]
        return super().feed(data, now)

    def hear(self, received: bytes) -> int:
        """One command."""
        letter = received[:1].decode("latin-1")
        if self.ascii:
            return self._hear_ascii(received)
        size = {"Q": 1, "S": 1, "v": 1, "a": 2, "b": 2, "?": 2, "W": 5}.get(letter)
        if size is None:
            size = 3 if letter in _SAD500 else 1
        if len(received) < size:
            return 0
        self.heard.append(received[:size])
        if letter == "S":
            self._spectrum()
        else:
            self.say(self._answer(letter, received[1:size]))
        return size

    # ---- inside

    def _answer(self, letter: str, value: bytes) -> bytes:
        limits = (_SAD500 if self.is_sad500 else _FLAME).get(letter)
        if letter == "v":
            return ACK + self.version.to_bytes(2, "big")
        if letter + value.decode("latin-1") in ("aA", "bB"):
            self.ascii = letter == "a"
            return ACK
        if letter == "Q":
            self.settings = dict(_POWER_ON)
            return ACK
        number = int.from_bytes(value, "big")
        if limits is None or letter in self.refuses or not limits[0] <= number <= limits[1]:
            return NAK
        self.settings[letter] = number
        return ACK

    def _hear_ascii(self, received: bytes) -> int:
        """Everything is echoed."""
        if received[:1] == b"b" and len(received) < 2:
            return 0
        if received[:2] == b"bB":
            self.ascii = False
            self.say(b"bB" + ACK)
            return 2
        self.say(received[:1])
        if received[:1] == b"v":
            self.say(ACK + b"%d\r\n" % self.version)
        return 1

    def _spectrum(self) -> None:
        now = self.settings
        if now["M"] == 0 and now["N"] != 1:
            return self.say(ETX)
        scan = self.expose(now["I"] * 1000)
        counts = scan.counts.astype(np.uint16)
        mode = COMPRESSED if now["G"] and self.is_sad500 else 0
        middle = (0, 0, 0, now["I"], 0) if self.is_sad500 else (0, now["A"], now["I"], 0, 1400)
        out = STX + struct.pack(">7H", 0xFFFF, *middle, mode)
        if now["G"]:
            data = compress(counts)
            total = compressed_checksum(data)
            if not self.first_marked:
                data, total = data[1:], total - data[0]
        else:
            data, total = counts.astype(">u2").tobytes(), checksum(counts)
        out += data + END
        if now["k"]:
            out += (total & 0xFFFF).to_bytes(2, "big")
        return self.say(out, now["I"] * 1e-3)
