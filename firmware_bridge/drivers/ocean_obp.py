"""Ocean Binary Protocol over a UART: STS, QE Pro, Ventana, HDX.

Which model answers is told by its serial number (S11908: STS, QEP...: QE Pro, HDX00767: HDX), or by
`Place.model`: how a Ventana is numbered could not be found. A QE Pro's tick count is taken as
microseconds. Instruments that speak version 2 (SR, HR, ST) have other message types: refused.

Whether every model says its integration time is nowhere written. One that does not is told it anew
before each exposure, except a QE Pro, whose spectra carry it.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass

import numpy as np

from firmware_bridge.drivers.dialect import Exposure
from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.obp import UNSUPPORTED_PROTOCOL, Ask
from firmware_bridge.drivers.obp_asking import ObpAsking
from firmware_bridge.drivers.single import SingleExposures
from firmware_bridge.drivers.talk import Exchanged, Nonsense, Refused, Talk
from firmware_bridge.instrument import Identity
from firmware_bridge.messages import polynomial_nm
from firmware_bridge.protocol import Configure

# A free-running instrument first ends an exposure that has begun.
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


def _limits_us(place: Place) -> tuple[int, int] | None:
    if place.model is None:
        return None
    model = model_named(place.model)
    return model.least_us, model.most_us


class OceanObp:
    """One instrument on one port."""

    anonymous = False

    def __init__(self, place: Place) -> None:
        """Raises ValueError where `place.model` is none of these."""
        self._asking = ObpAsking(place.baud)
        self._model = model_named(place.model) if place.model else None
        self._serial = ""
        self._ticks: int | None = None
        self._cooled = True
        # As the instrument says it; None where it does not, or nothing was set up.
        self._integration_us: int | None = None
        self._tells = True

    def identify(self) -> Talk[Identity]:
        """As `Dialect.identify`."""
        asking = self._asking
        self._serial = yield from self._find()
        model = self._model or _model_of(self._serial)
        self._model = model
        firmware = yield from asking.optional(Ask.FIRMWARE, 2)
        axis = yield from asking.coefficients(Ask.WAVELENGTH_COUNT, Ask.WAVELENGTH)
        if len(axis) < 2:
            raise Nonsense(f"{len(axis)} wavelength coefficients")
        nonlinearity = yield from asking.coefficients(Ask.NONLINEARITY_COUNT, Ask.NONLINEARITY)
        if model.name == "STS":
            # Another program may have left it binning: fewer pixels would come.
            yield from asking.undo(Ask.SET_BINNING, b"\x00")
        yield from asking.undo(Ask.SET_TRIGGER, b"\x00")
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
        self._integration_us = None
        yield from self._set_integration(settings)
        self._integration_us = yield from self._integration()
        self._tells = self._integration_us is not None

    def expose(self, settings: Configure) -> Talk[Exposure]:
        """As `Dialect.expose`."""
        model = self._known()
        if not self._tells and not model.metadata:
            # Nothing would show that it lost it.
            yield from self._set_integration(settings)
        if model.metadata:
            # What it made before it was asked lies in its buffer.
            yield from self._asking.undo(Ask.CLEAR_BUFFER)
        size = model.metadata + model.pixels * np.dtype(model.word).itemsize
        reply = yield from self._asking.ask(
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
        """As `Dialect.ping`: serial number and integration time."""
        serial = _text((yield from self._asking.ask(Ask.SERIAL)))
        if serial != self._serial:
            raise Exchanged(f"serial number {serial!r} instead of {self._serial!r}")
        if self._integration_us is None:
            return
        found = yield from self._integration()
        if found != self._integration_us:
            raise Exchanged(
                f"an integration time of {found} us instead of {self._integration_us} us: it was "
                "switched off, or another program set it"
            )

    # ---- inside

    def _known(self) -> Model:
        if self._model is None:
            raise RuntimeError("identify comes first")
        return self._model

    def _set_integration(self, settings: Configure) -> Talk[None]:
        yield from self._asking.set(
            Ask.SET_INTEGRATION_US, struct.pack("<I", settings.integration_us)
        )

    def _integration(self) -> Talk[int | None]:
        """The integration time that is set, us; None where it does not say."""
        data = yield from self._asking.optional(Ask.INTEGRATION_US, 4)
        return int.from_bytes(data, "little") if data else None

    def _find(self) -> Talk[str]:
        """Its serial number, in the version of the protocol that it understands."""
        try:
            return _text((yield from self._asking.ask(Ask.SERIAL)))
        except Refused as error:
            if error.code != UNSUPPORTED_PROTOCOL:
                raise
        self._asking.version = 0x1000
        return _text((yield from self._asking.ask(Ask.SERIAL)))

    def _temperature(self) -> Talk[float]:
        """Of the cooled detector, deg C; not a number where it does not say."""
        if not self._cooled:
            return math.nan
        data = yield from self._asking.optional(Ask.TEC_TEMPERATURE, 4)
        self._cooled = bool(data)
        value = float(struct.unpack("<f", data)[0]) if data else math.nan
        return value if math.isfinite(value) else math.nan

    def _check_metadata(self, spectrum: bytes, settings: Configure) -> None:
        """Raises Nonsense where the spectrum was made before it was asked for."""
        if not self._known().metadata:
            return
        _, ticks, integration_us, _ = _METADATA.unpack_from(spectrum)
        if integration_us != settings.integration_us:
            raise Nonsense(f"a spectrum of {integration_us} us, not {settings.integration_us} us")
        if self._ticks is not None and ticks <= self._ticks:
            raise Nonsense(f"a spectrum of tick {ticks} after one of tick {self._ticks}")


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
    tested="virtual instruments; those of STS and QE Pro are also read by the maker's own "
    "libseabreeze over RS-232 on a pty, and requests compared with python-seabreeze's",
    make=lambda place: SingleExposures(lambda: OceanObp(place), place.url, place.baud),
    takes=("model",),
    limits_us=_limits_us,
)
