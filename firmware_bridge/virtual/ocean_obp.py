"""Virtual instruments that speak the Ocean Binary Protocol: an STS and a QE Pro."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers.obp import SHORTEST, START, Ask, Flag, Message, decode, encode, length
from firmware_bridge.drivers.ocean_obp import Model, model_named
from firmware_bridge.drivers.talk import Nonsense
from firmware_bridge.virtual.faults import InjectedFaults
from firmware_bridge.virtual.flaws import Flaws
from firmware_bridge.virtual.instrument import Foreign
from firmware_bridge.virtual.optics import Optics

# In the form that python-seabreeze's issues 60 and 80 show; that of a Ventana is invented.
_SERIALS = {"STS": "S11908", "QE Pro": "QEP00213", "Ventana": "VN00001", "HDX": "HDX00767"}
NONLINEARITY = (0.98, 2.5e-6, -1.5e-10)
TEC_C = -10.0
_SETS = {Ask.SET_INTEGRATION_US: 4, Ask.SET_TRIGGER: 1, Ask.SET_BINNING: 1, Ask.CLEAR_BUFFER: 0}


class VirtualOceanObp(Foreign):
    """Understands what the driver and the maker's library ask for, and refuses the rest.

    versions: of the protocol that it knows; md5: whether it puts a checksum into what it sends;
    unknown: message types that this one does not know.
    """

    def __init__(
        self,
        spectra: NDArray[np.float64],
        axis: NDArray[np.float64],
        *,
        model: str = "STS",
        baud: int = 9600,
        seed: int = 0,
        faults: InjectedFaults | None = None,
        versions: tuple[int, ...] = (0x1000, 0x1100),
        md5: bool = False,
        unknown: frozenset[Ask] = frozenset(),
    ) -> None:
        self.model: Model = model_named(model)
        self.serial = _SERIALS[self.model.name]
        self.versions = versions
        self.md5 = md5
        self.unknown = unknown
        self.heard: list[Message] = []
        optics = Optics(
            pixels=self.model.pixels,
            start_nm=640.0,
            end_nm=1100.0,
            full_scale=self.model.full_scale,
            white_counts=0.8 * self.model.full_scale,
            dark_counts=0.09 * self.model.full_scale,
            default_integration_us=max(20_000, self.model.least_us),
            flaws=Flaws(masked=self.model.dark_pixels),
        )
        super().__init__(spectra, axis, optics, baud=baud, seed=seed, faults=faults)

    @property
    def wavelength_nm(self) -> tuple[float, ...]:
        """Coefficients as the instrument keeps them, rounded to 32 bits."""
        return tuple(float(np.float32(c)) for c in (*self.optics.coefficients[:3], 0.0))

    def reset(self) -> None:
        """As after power-on."""
        self.integration_us = self.optics.default_integration_us

    def hear(self, received: bytes) -> int:
        """One request; what is none is passed over up to the next beginning of one."""
        at = received.find(START)
        if at != 0:
            keeps = received.endswith(START[:1])
            return at if at > 0 else len(received) - keeps
        if len(received) < SHORTEST:
            return 0
        try:
            size = length(received)
            if size is None or len(received) < size:
                return 0
            asked = decode(received[:size])
        except Nonsense:
            return 1
        self.heard.append(asked)
        self._act(asked)
        return size

    # ---- inside

    def _act(self, asked: Message) -> None:
        if asked.version not in self.versions:
            return self._answer(asked, error=1)
        if asked.kind not in list(Ask) or asked.kind in self.unknown:
            return self._answer(asked, error=2)
        kind = Ask(asked.kind)
        if kind in _SETS:
            return self._set(kind, asked)
        if kind in (self.model.spectrum, Ask.RAW_SPECTRUM, Ask.CORRECTED_SPECTRUM):
            if kind != self.model.spectrum and self.model.spectrum == Ask.BUFFERED_SPECTRUM:
                return self._answer(asked, error=2)
            return self._spectrum(asked)
        if asked.kind in (Ask.WAVELENGTH, Ask.NONLINEARITY) and len(asked.payload) != 1:
            return self._answer(asked, error=5)
        found = self._known(kind, asked.payload)
        if found is None:
            return self._answer(asked, error=12)
        return self._answer(asked, found)

    def _known(self, kind: Ask, payload: bytes) -> bytes | None:
        polynomials = {Ask.WAVELENGTH: self.wavelength_nm, Ask.NONLINEARITY: NONLINEARITY}
        if kind in polynomials:
            values = polynomials[kind]
            return struct.pack("<f", values[payload[0]]) if payload[0] < len(values) else None
        return {
            Ask.SERIAL: self.serial.encode(),
            Ask.SERIAL_LENGTH: bytes((len(self.serial),)),
            Ask.FIRMWARE: b"\x07\x01",
            Ask.INTEGRATION_US: struct.pack("<I", self.integration_us),
            Ask.WAVELENGTH_COUNT: bytes((len(self.wavelength_nm),)),
            Ask.NONLINEARITY_COUNT: bytes((len(NONLINEARITY),)),
            Ask.TEC_TEMPERATURE: struct.pack("<f", TEC_C) if self.model.metadata else None,
        }.get(kind)

    def _set(self, kind: Ask, asked: Message) -> None:
        if len(asked.payload) != _SETS[kind]:
            return self._answer(asked, error=5)
        if kind == Ask.SET_INTEGRATION_US:
            value = int.from_bytes(asked.payload, "little")
            if not self.model.least_us <= value <= self.model.most_us:
                return self._answer(asked, error=6)
            self.integration_us = value
        if asked.flags & Flag.ASK_ACK:
            self._answer(asked)
        return None

    def _spectrum(self, asked: Message) -> None:
        scan = self.expose(self.integration_us)
        wait_s = self.integration_us * 1e-6
        data = scan.counts.astype(self.model.word).tobytes()
        if self.model.metadata:
            ticks = int((self._now + wait_s) * 1e6) + scan.number
            data = struct.pack("<IQIxxB13x", scan.number, ticks, self.integration_us, 0) + data
        self._answer(asked, data, after_s=wait_s)

    def _answer(
        self, asked: Message, payload: bytes = b"", *, error: int = 0, after_s: float = 0.0
    ) -> None:
        flags = Flag.RESPONSE | (Flag.NACK if error else Flag.NONE)
        if asked.flags & Flag.ASK_ACK and not error:
            flags |= Flag.ACK
        version = asked.version if asked.version in self.versions else self.versions[-1]
        reply = Message(asked.kind, payload, flags, error, asked.regarding, version, self.md5)
        self.say(encode(reply), after_s)
