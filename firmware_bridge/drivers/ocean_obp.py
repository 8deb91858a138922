"""Ocean Binary Protocol over a UART: STS, QE Pro, Ventana, HDX.

Requests go out without a checksum, as every public program sends them: whether an instrument then
answers with one is nowhere said. A checksum that comes is verified, and demanded from then on. A
response is recognised by `regarding`, which an instrument sends back; should one send zero there,
the kind of message must do until it once sends back what it was sent.

Which model answers is told by its serial number (S11908: STS, QEP...: QE Pro, HDX00767: HDX), or by
`Place.model`: how a Ventana is numbered could not be found. A QE Pro's tick count is taken as
microseconds. Instruments that speak version 2 (SR, HR, ST) have other message types: refused.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from firmware_bridge.drivers.dialect import Exposure
from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.obp import (
    DEFERRED,
    ERRORS,
    SHORTEST,
    UNSUPPORTED_PROTOCOL,
    Ask,
    Flag,
    Message,
    decode,
    encode,
    length,
)
from firmware_bridge.drivers.single import SingleExposures
from firmware_bridge.drivers.talk import Exchange, Nonsense, Refused, Talk
from firmware_bridge.instrument import Identity, polynomial_nm
from firmware_bridge.protocol import Configure

MAX_COEFFICIENTS = 16
# An instrument thinks for so long; a free-running one first ends an exposure that has begun.
THINKS_S = 0.5
EXPOSURES_WAITED = 2
# Of the QE Pro, 32 bytes: spectra made, ticks, integration time, trigger mode.
_METADATA = struct.Struct("<IQIxxB13x")


@dataclass(frozen=True)
class Model:
    """Facts of one model; times in us.

    serial: regular expression of its serial numbers; word: numpy type of a pixel; metadata: bytes
    before the pixels; pixels, full scale and times: python-seabreeze 2.11 `pyseabreeze/devices.py`.
    """

    name: str
    serial: str
    pixels: int
    full_scale: int
    least_us: int
    most_us: int
    spectrum: Ask = Ask.RAW_SPECTRUM
    word: str = "<u2"
    metadata: int = 0
    dark_pixels: tuple[int, ...] = ()


# Dark pixels of the QE Pro: data sheet pp. 11 and 12, as `demo-qepro-api.c` has them (4 dummies, 6
# dark, 1024 active, 6 dark, 4 dummies). Its converter has 18 bits, but libseabreeze calls it
# full at 200000 counts: the lower of both.
MODELS = (
    Model("STS", r"S\d+", 1024, 16383, 10, 85_000_000),
    Model(
        "QE Pro", r"QEP\d+", 1044, 200_000, 8_000, 1_600_000_000, Ask.BUFFERED_SPECTRUM,
        "<u4", _METADATA.size, (*range(4, 10), *range(1034, 1040)),
    ),
    Model("Ventana", r"(?!)", 1024, 65535, 22_000, 60_000_000),
    Model("HDX", r"HDX\d+", 2068, 65535, 6_000, 10_000_000, Ask.CORRECTED_SPECTRUM),
)  # fmt: skip


def model_named(name: str) -> Model:
    """Raises ValueError where there is none."""
    for model in MODELS:
        if model.name.casefold().replace(" ", "") == name.casefold().replace(" ", ""):
            return model
    raise ValueError(f"no model {name!r}; there are {', '.join(m.name for m in MODELS)}")


class OceanObp:
    """One instrument on one port."""

    def __init__(self, place: Place) -> None:
        """Raises ValueError where `place.model` is none of these."""
        self._baud = place.baud
        self._model = model_named(place.model) if place.model else None
        self._serial = ""
        self._version = 0x1100
        self._asked = 0
        self._checked = self._echoes = False
        self._ticks: int | None = None
        self._cooled = True

    def identify(self) -> Talk[Identity]:
        """As `Dialect.identify`."""
        self._serial = yield from self._find()
        model = self._model or _model_of(self._serial)
        self._model = model
        firmware = yield from self._optional(Ask.FIRMWARE, 2)
        axis = yield from self._coefficients(Ask.WAVELENGTH_COUNT, Ask.WAVELENGTH)
        if len(axis) < 2:
            raise Nonsense(f"{len(axis)} wavelength coefficients")
        nonlinearity = yield from self._coefficients(Ask.NONLINEARITY_COUNT, Ask.NONLINEARITY)
        if model.name == "STS":
            # Another program may have left it binning: fewer pixels would come.
            yield from self._undo(Ask.SET_BINNING, b"\x00")
        yield from self._undo(Ask.SET_TRIGGER, b"\x00")
        return Identity(
            serial=self._serial,
            firmware=f"{int.from_bytes(firmware, 'little'):x}" if firmware else "",
            boot_id=0,
            pixels=model.pixels,
            full_scale=model.full_scale,
            capabilities=0,
            axis_nm=polynomial_nm(axis, model.pixels),
            min_integration_us=model.least_us,
            max_integration_us=model.most_us,
            max_averages=1,
            model=model.name,
            dark_pixels=model.dark_pixels,
            nonlinearity=tuple(nonlinearity),
        )

    def set_up(self, settings: Configure) -> Talk[None]:
        """As `Dialect.set_up`."""
        yield from self._set(Ask.SET_INTEGRATION_US, struct.pack("<I", settings.integration_us))

    def expose(self, settings: Configure) -> Talk[Exposure]:
        """As `Dialect.expose`."""
        model = self._known()
        if model.metadata:
            # What it made before it was asked lies in its buffer.
            yield from self._undo(Ask.CLEAR_BUFFER)
        size = model.metadata + model.pixels * np.dtype(model.word).itemsize
        reply = yield from self._ask(
            model.spectrum,
            size=size,
            wait_s=EXPOSURES_WAITED * settings.integration_us * 1e-6,
            check=lambda spectrum: self._check_metadata(spectrum, settings),
        )
        counts = np.frombuffer(reply, model.word, offset=model.metadata).astype(np.float64)
        if not model.metadata:
            return Exposure(counts)
        self._ticks = int(_METADATA.unpack_from(reply)[1])
        temperature_c = yield from self._temperature()
        return Exposure(counts, temperature_c=temperature_c, device_us=self._ticks)

    def ping(self) -> Talk[None]:
        """As `Dialect.ping`."""
        serial = _text((yield from self._ask(Ask.SERIAL)))
        if serial != self._serial:
            raise Nonsense(f"serial number {serial!r} instead of {self._serial!r}")

    # ---- inside

    def _known(self) -> Model:
        if self._model is None:
            raise RuntimeError("identify comes first")
        return self._model

    def _find(self) -> Talk[str]:
        """Its serial number, in the version of the protocol that it understands."""
        try:
            return _text((yield from self._ask(Ask.SERIAL)))
        except Refused as error:
            if error.code != UNSUPPORTED_PROTOCOL:
                raise
        self._version = 0x1000
        return _text((yield from self._ask(Ask.SERIAL)))

    def _coefficients(self, count: Ask, each: Ask) -> Talk[list[float]]:
        """A polynomial from its constant on; empty where the instrument keeps none."""
        reply = yield from self._optional(count, 1)
        number = reply[0] if reply else 0
        if number > MAX_COEFFICIENTS:
            raise Nonsense(f"{number} coefficients")
        found = []
        for index in range(number):
            data = yield from self._ask(each, bytes((index,)), size=4)
            found.append(float(struct.unpack("<f", data)[0]))
        if not all(math.isfinite(value) for value in found):
            raise Nonsense(f"coefficients that are no numbers: {found}")
        return found

    def _temperature(self) -> Talk[float]:
        """Of the cooled detector, deg C; not a number where it does not say."""
        if not self._cooled:
            return math.nan
        data = yield from self._optional(Ask.TEC_TEMPERATURE, 4)
        self._cooled = bool(data)
        return float(struct.unpack("<f", data)[0]) if data else math.nan

    def _check_metadata(self, spectrum: bytes, settings: Configure) -> None:
        """Raises Nonsense where the spectrum was made before it was asked for."""
        if not self._known().metadata:
            return
        _, ticks, integration_us, _ = _METADATA.unpack_from(spectrum)
        if integration_us != settings.integration_us:
            raise Nonsense(f"a spectrum of {integration_us} us, not {settings.integration_us} us")
        if self._ticks is not None and ticks <= self._ticks:
            raise Nonsense(f"a spectrum of tick {ticks} after one of tick {self._ticks}")

    def _optional(self, kind: Ask, size: int) -> Talk[bytes]:
        """A reply, empty where the instrument refuses."""
        try:
            return (yield from self._ask(kind, size=size))
        except Refused:
            return b""

    def _undo(self, kind: Ask, payload: bytes = b"") -> Talk[None]:
        """What another program may have set; what an instrument refuses, it does not have."""
        with suppress(Refused):
            yield from self._set(kind, payload)

    def _set(self, kind: Ask, payload: bytes = b"") -> Talk[None]:
        yield from self._ask(kind, payload, Flag.ASK_ACK, size=0)

    def _ask(
        self,
        kind: Ask,
        payload: bytes = b"",
        flags: Flag = Flag.NONE,
        *,
        size: int | None = None,
        wait_s: float = 0.0,
        check: Callable[[bytes], None] | None = None,
    ) -> Talk[bytes]:
        """What comes back; raises Refused. size: of that, bytes, where known."""
        self._asked += 1
        asked = Message(int(kind), payload, flags, regarding=self._asked, version=self._version)
        name = kind.name

        def whole(received: bytes) -> int | None:
            end = self._end_of_answer(received, asked)
            if end is not None:
                reply = self._answer(received[:end])
                if not _refused(reply):
                    if size is not None and len(reply.payload) != size:
                        raise Nonsense(f"{len(reply.payload)} bytes for {name}, not {size}")
                    if check is not None:
                        check(reply.payload)
            return end

        request = encode(asked)
        bytes_both_ways = len(request) + SHORTEST + (size or 0)
        got = yield Exchange(
            name,
            request,
            whole,
            f"a response to {name} (0x{kind:08x})",
            timeout_s=THINKS_S + wait_s + bytes_both_ways * 10 / self._baud * 1.2,
        )
        reply = self._answer(got)
        self._checked = self._checked or reply.md5
        self._echoes = self._echoes or reply.regarding == asked.regarding
        if _refused(reply):
            raise Refused(name, reply.error, ERRORS.get(reply.error, "an error without a name"))
        return reply.payload

    def _end_of_answer(self, received: bytes, asked: Message) -> int | None:
        """Where the answer to `asked` ends; answers to older requests may stand before it."""
        at = 0
        while at < len(received):
            size = length(received[at:])
            if size is None or len(received) < at + size:
                return None
            reply = decode(received[at : at + size])
            at += size
            about = (asked.regarding,) if self._echoes else (asked.regarding, 0)
            if reply.kind == asked.kind and reply.regarding in about and reply.error != DEFERRED:
                return at
        return None

    def _answer(self, received: bytes) -> Message:
        """The last message in `received`."""
        while (size := length(received)) is not None and size < len(received):
            received = received[size:]
        reply = decode(received)
        if self._checked and not reply.md5:
            raise Nonsense("a message without its MD5, which the ones before had")
        return reply


def _refused(reply: Message) -> bool:
    return bool(reply.flags & (Flag.NACK | Flag.EXCEPTION)) or reply.error != 0


def _text(data: bytes) -> str:
    text = data.split(b"\x00")[0]
    if not text or not text.isascii() or not text.decode().isprintable():
        raise Nonsense(f"a serial number {data[:16].hex(' ') or 'of no bytes'}")
    return text.decode().strip()


def _model_of(serial: str) -> Model:
    for model in MODELS:
        if re.fullmatch(model.serial, serial):
            return model
    raise Nonsense(
        f"serial number {serial!r}, which does not tell the model: give `model`, "
        f"one of {', '.join(m.name for m in MODELS)}"
    )


DRIVER = Driver(
    name="ocean-obp",
    instruments="Ocean STS, QE Pro, Ventana and HDX over their UART (Ocean Binary Protocol)",
    bauds=(9600, 115200, 57600, 38400, 19200, 230400),
    source="STS Data Sheet 030-00000-003-05-201612, QE Pro Data Sheet 891-00000-000-05-201604 and "
    "the maker's examples demo-sts-api.c and demo-qepro-api.c",
    tested="virtual STS and QE Pro on a pty; the same virtual STS is read by the maker's own "
    "libseabreeze over RS-232, and its requests compared with python-seabreeze's",
    make=lambda place: SingleExposures(lambda: OceanObp(place), place.url, place.baud),
)
