"""Ocean's SAD500 dialect over RS-232: S2000 with a SAD500, USB2000, USB2000+, USB4000, Flame.

Every setting goes out together with the question for the version, so that one answer shows that it
was understood and that no byte was lost; that also brings an instrument back which waits for the
rest of what another program sent. Compression and checksum are used where the instrument has them.

Left out: a scan sent again (`O1`), since a new exposure costs no more; another line speed (`K`),
since an instrument left at it by a killed host would not be found; calibration from the
instrument's memory (`?x`), whose binary form could not be found: `Place` gives the wavelengths.
How many pixels a USB4000 and a Flame-T send over RS-232 is taken from their USB side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_bridge.drivers.dialect import Exposure
from firmware_bridge.drivers.driver import Driver, Place, axis_of
from firmware_bridge.drivers.sad500 import ACK, ETX, NAK, STX, Form, SpectrumReader
from firmware_bridge.drivers.single import SingleExposures
from firmware_bridge.drivers.talk import Exchange, Exchanged, Nonsense, Pause, Refused, Talk
from firmware_bridge.instrument import Identity
from firmware_bridge.protocol import Configure

# The SAD500 holds one byte until it has looked at it (its manual, p. 6).
BYTE_GAP_S = 0.001
THINKS_S = 0.4
EXPOSURES_WAITED = 2
# What another program began may be the longest command, P 3 x y n: nine bytes, one `v` each.
ATTEMPTS = 12
REFUSALS = 3
MOST_MS = 65535


@dataclass(frozen=True)
class Model:
    """Facts of one model, by python-seabreeze 2.11 `pyseabreeze/devices.py`.

    Those of the S2000 are from the SAD500's manual, p. 6. header: see `Form`; of the others no
    manual shows it.
    """

    name: str
    pixels: int
    full_scale: int
    least_ms: int
    dark_pixels: tuple[int, ...] = ()
    header: str | None = None


MODELS = (
    Model("S2000", 2048, 4095, 5, header="sad500"),
    Model("USB2000", 2048, 4095, 3, tuple(range(2, 24))),
    Model("USB2000+", 2048, 65535, 1, tuple(range(6, 21))),
    Model("Flame-S", 2048, 65535, 1, tuple(range(6, 21)), "flame"),
    Model("USB4000", 3840, 65535, 1, tuple(range(5, 16))),
    Model("Flame-T", 3840, 65535, 1, tuple(range(5, 16)), "flame"),
)


def model_of(place: Place) -> Model:
    """Raises ValueError where it names none."""
    for model in MODELS:
        if model.name.casefold() == (place.model or "").casefold():
            return model
    names = ", ".join(model.name for model in MODELS)
    raise ValueError(f"needs `model`, one of {names}; received {place.model!r}")


class OceanSad500:
    """One instrument on one port."""

    anonymous = False

    def __init__(self, place: Place) -> None:
        """Raises ValueError where `place` lacks model or wavelengths."""
        self._model = model_of(place)
        self._axis_nm = axis_of(place, self._model.pixels)
        self._baud = place.baud
        self._serial = place.serial or f"ocean-{self._model.name.casefold()}"
        self._version = b""
        self._compressed = self._checked = False

    def identify(self) -> Talk[Identity]:
        """As `Dialect.identify`."""
        answer = yield from self._exchange("v", b"v", _version_or_echo, "06 and a version")
        if answer[:1] == b"v":
            # It talks ASCII: what it says goes by.
            yield Pause(THINKS_S)
            yield from self._exchange("bB", b"bB", _echoed_ack, "06")
            answer = yield from self._exchange("v", b"v", _version, "06 and a version")
        self._version = answer[1:]
        for letter, value in (("A", 1), ("B", 0), ("P", 0), ("T", 0)):
            yield from self._set(letter, value)
        # Of the SAD500 with its memories; a Flame may have no use for them.
        for letter, value in (("M", 0), ("N", 1)):
            yield from self._accepts(letter, value)
        self._compressed = yield from self._accepts("G", 1)
        self._checked = yield from self._accepts("k", 1)
        version = int.from_bytes(self._version, "big")
        return Identity(
            serial=self._serial,
            firmware=f"{version // 1000}.{version // 10 % 100:02d}.{version % 10}",
            boot_id=0,
            pixels=self._model.pixels,
            full_scale=self._model.full_scale,
            capabilities=0,
            axis_nm=self._axis_nm,
            min_integration_us=self._model.least_ms * 1000,
            max_integration_us=MOST_MS * 1000,
            integration_step_us=1000,
            max_averages=1,
            model=self._model.name,
            dark_pixels=self._model.dark_pixels,
        )

    def set_up(self, settings: Configure) -> Talk[None]:
        """As `Dialect.set_up`; integration in whole milliseconds."""
        if settings.integration_us % 1000:
            text = f"integration is in whole milliseconds, not {settings.integration_us} us"
            raise Refused("CONFIGURE", 0, text)
        yield from self._set("I", settings.integration_us // 1000)

    def expose(self, settings: Configure) -> Talk[Exposure]:
        """As `Dialect.expose`."""
        form = Form(
            self._model.pixels,
            settings.integration_us // 1000,
            self._compressed,
            self._checked,
            self._model.header,
        )
        reader = SpectrumReader(form)
        reply = yield Exchange(
            "S",
            b"S",
            reader.whole,
            f"a spectrum of {form.pixels} pixels, as a {self._model.name} sends (`model`)",
            timeout_s=THINKS_S
            + EXPOSURES_WAITED * settings.integration_us * 1e-6
            + form.longest * 10 / self._baud * 1.2,
        )
        if reply[:1] != STX:
            raise Refused("S", reply[0], _NO[reply[:1]])
        return Exposure(reader.counts(reply))

    def ping(self) -> Talk[None]:
        """As `Dialect.ping`: the version is all that it says of itself."""
        answer = yield from self._exchange("v", b"v", _version, "06 and a version")
        if answer[1:] != self._version:
            raise Exchanged(f"version {answer[1:].hex()} instead of {self._version.hex()}")

    # ---- inside

    def _accepts(self, letter: str, value: int) -> Talk[bool]:
        """Whether the instrument takes this setting."""
        try:
            yield from self._set(letter, value)
        except Refused:
            return False
        return True

    def _set(self, letter: str, value: int) -> Talk[None]:
        """One setting; raises Refused."""
        command = letter.encode() + value.to_bytes(2, "big")
        refusals = 0

        def whole(received: bytes) -> int | None:
            nonlocal refusals
            if received[:1] not in (ACK, NAK):
                raise Nonsense(f"expected 06 or 15, received {received[:16].hex(' ')}")
            expected = received[:1] + ACK + self._version
            if not expected.startswith(received[: len(expected)]):
                raise Nonsense(f"expected {expected.hex(' ')}, received {received[:16].hex(' ')}")
            if len(received) < len(expected):
                return None
            if received[:1] == NAK:
                refusals += 1
                if refusals < REFUSALS:
                    raise Nonsense("15, which a lost byte brings about, too")
            return len(expected)

        reply = yield from self._exchange(
            f"{letter} {value}", command + b"v", whole, "06 or 15, then 06 and the version"
        )
        if reply[:1] == NAK:
            raise Refused(f"{letter} {value}", NAK[0], _NO[NAK])

    def _exchange(
        self, name: str, send: bytes, whole: Callable[[bytes], int | None], expects: str
    ) -> Talk[bytes]:
        """A short one. It is repeated more often than others: see ATTEMPTS."""
        timeout_s = THINKS_S + 16 * 10 / self._baud
        return (
            yield Exchange(name, send, whole, expects, timeout_s, ATTEMPTS, byte_gap_s=BYTE_GAP_S)
        )


_NO = {NAK: "it says NAK", ETX: "it says ETX: not enough memory, or it is to store scans"}


def _version(received: bytes) -> int | None:
    if received[:1] != ACK:
        raise Nonsense(f"expected 06 and two bytes, received {received[:16].hex(' ')}")
    return 3 if len(received) >= 3 else None


def _version_or_echo(received: bytes) -> int | None:
    return 1 if received[:1] == b"v" else _version(received)


def _echoed_ack(received: bytes) -> int | None:
    """In ASCII it echoes the command before it answers."""
    at = received.find(ACK)
    if at < 0 and len(received) > 8:
        raise Nonsense(f"no 06 in {received[:16].hex(' ')}")
    return at + 1 if at >= 0 else None


DRIVER = Driver(
    name="ocean-sad500",
    instruments="Ocean S2000 with SAD500, USB2000, USB2000+, USB4000, Flame-S, Flame-T on RS-232",
    bauds=(9600, 115200, 57600, 38400, 19200, 4800, 2400),
    source="SAD500 Communications and Control Manual with Technical Notes 1 and 3; "
    "Flame User Manual 225-00000-000-11-201604, pp. 82-89 and 106-114",
    tested="virtual Flame-S and S2000 with SAD500, on a pty",
    make=lambda place: SingleExposures(lambda: OceanSad500(place), place.url, place.baud),
    needs=("model", "wavelength_nm"),
    models=tuple(model.name for model in MODELS),
    takes=("serial",),
    integration_step_us=1000,
    nameless=True,
    limits_us=lambda place: (model_of(place).least_ms * 1000, MOST_MS * 1000),
)
