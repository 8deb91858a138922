"""NIRONE sensors of Spectral Engines: lines of ASCII, and the spectrum as binary floats.

A scanning Fabry-Perot filter before one detector: the sensor measures at set points that the host
gives it. The spectrum has no header, no end and no checksum. A line end that is left unread before
it shifts every float by a byte; one public program repairs what looks wrong then instead.

Values are floats in the sensor's own units. What they are at saturation was found published
nowhere; in a public program's data they lie between 128 and 512. So "counts" are these units, full
scale is taken as 65535, and a sensor that is full below that is known by its plateau: several
neighbouring set points at exactly the same, largest value. `Pa`, the sensor's own dark, is left as
it is: it takes away the same from sample, white and dark. `Pb` to `Pe` (dark subtraction, division,
logarithm, scale) must be at their defaults; `PR` brings those back.

Neither lamp nor set points can be read back in any public program. That the sensor was switched off
shows by its last measurement, which is then gone: before each scan its first floats are read again.
That a sensor just switched on has none, or zeros, is assumed.

Sources: two public programs, github.com/XOWithSauce/finix-nirone (client/controller/nir_driver.py:
commands, carriage returns, the shifted floats) and a robot's driver for it in a fork of lerobot
(nirone.py: replies of h3, h4, E0, St and XM, little-endian floats, V). The manual is not public.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers.dialect import Exposure
from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.single import SingleExposures
from firmware_bridge.drivers.talk import (
    Exchange,
    Exchanged,
    Nonsense,
    Pause,
    Refused,
    Talk,
    exactly,
    up_to,
)
from firmware_bridge.instrument import Identity
from firmware_bridge.messages import polynomial_nm
from firmware_bridge.protocol import Capability, Configure, Position

FULL = 65535
PLATEAU = 4
MOST_POINTS = 512
STEP_NM = 2.0
LONGEST_LINE = 120
# Beyond these, four bytes are no signal but bytes of two values.
LARGEST, SMALLEST = 1e7, 1e-7
# `V`: samples averaged at every set point, and scans; the host averages scans.
AVERAGES = b"V100,1"
LAMP_SETTLES_S = 2.0
# Floats of a measurement by which it is known again: no two have the same noise.
REMEMBERED = 8
QUIET_S = 0.05
LONGEST_SCAN_MS = 600_000
# A request cut short spoils the next one too. Of set points there are hundreds: more patience.
ATTEMPTS, SET_POINT_ATTEMPTS = 6, 25


def line(received: bytes) -> int | None:
    """`Exchange.whole` of a reply: a line, up to its LF, so that none of it stays."""
    size = up_to(b"\n", LONGEST_LINE)(received)
    if size is not None:
        text = received[:size].strip()
        if not text or not text.isascii() or b"error" in text.lower():
            raise Nonsense(f"the line {received[:size]!r}")
    return size


def value(text: bytes) -> float:
    """The number behind the colon of a reply. Raises Nonsense."""
    try:
        found = float(text.rpartition(b":")[2])
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise Nonsense(f"expected a number after a colon, received {text!r}")
    return found


def number(least: float, most: float) -> Callable[[bytes], int | None]:
    """`Exchange.whole` of a line with a number in these limits."""

    def whole(received: bytes) -> int | None:
        size = line(received)
        if size is not None and not least <= value(received[:size]) <= most:
            raise Nonsense(f"{received[:size]!r}, a number outside {least:g} to {most:g}")
        return size

    return whole


def ready(received: bytes) -> int | None:
    """`Exchange.whole` of the reply to XM."""
    size = line(received)
    if size is not None and received[:size].strip().lower() != b"measurement ready":
        raise Nonsense(f"the line {received[:size]!r}")
    return size


def floats(points: int) -> Callable[[bytes], int | None]:
    """`Exchange.whole` of a spectrum: so many floats, none that only a shift explains."""

    def whole(received: bytes) -> int | None:
        if len(received) < 4 * points:
            return None
        if len(received) > 4 * points:
            more = len(received) - 4 * points
            raise Nonsense(f"{more} bytes too many: a line end or an old reply before the floats")
        signal = np.abs(signals(received))
        if not np.all((signal == 0.0) | ((signal > SMALLEST) & (signal < LARGEST))):
            raise Nonsense(f"bytes that are no {points} floats: {received[:24].hex(' ')}...")
        return 4 * points

    return whole


def signals(reply: bytes) -> NDArray[np.float64]:
    """(points,) of a spectrum, in the sensor's units."""
    with np.errstate(invalid="ignore"):
        return np.frombuffer(reply, "<f4").astype(np.float64)


def plateau(signal: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(points,) which are full: runs of four or more at exactly the largest value."""
    top = signal == signal.max()
    edges = np.flatnonzero(np.diff(np.concatenate(([False], top, [False]))))
    full = np.zeros(signal.size, np.bool_)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        full[begin:end] = end - begin >= PLATEAU
    return full


def set_points(
    shortest_nm: float, longest_nm: float, wanted: tuple[float, ...] | None
) -> NDArray[np.float64]:
    """(points,) nm: every 2 nm of the sensor's range, or the polynomial's in it, to 0.1 nm.

    Raises Refused for a polynomial that does not rise through the range from its first point on.
    """
    if wanted is None:
        step = max(STEP_NM, (longest_nm - shortest_nm) / (MOST_POINTS - 1))
        every = np.arange(shortest_nm, longest_nm + 1e-6, step, dtype=np.float64)
        return np.round(every[:MOST_POINTS], 1)
    axis = np.round(polynomial_nm(wanted, MOST_POINTS), 1)
    inside = (axis >= shortest_nm) & (axis <= longest_nm)
    axis = axis[: int(np.argmin(inside))] if not inside.all() else axis
    if axis.size < 2 or not np.all(np.diff(axis) > 0.0):
        text = f"`wavelength_nm` must begin and rise within {shortest_nm:g} to {longest_nm:g} nm"
        raise Refused("W", 0, text)
    return axis


@dataclass(frozen=True)
class _Known:
    serial: str
    axis_nm: NDArray[np.float64]


class Nirone:
    """Dialect of the sensors."""

    anonymous = False

    def __init__(self, place: Place) -> None:
        self._wanted = place.wavelength_nm
        self._known: _Known | None = None
        self._lamp: int | None = None
        self._scan_s = 0.0
        # How its last measurement begins, which it keeps until the next one or the power fails.
        self._kept = b""

    def identify(self) -> Talk[Identity]:
        """Serial number and range; the set points are given to it."""
        self._lamp, self._kept = None, b""
        serial = yield from self._serial()
        low = yield from self._number(b"h3", "the shortest wavelength", 300.0, 20_000.0)
        high = yield from self._number(b"h4", "the longest wavelength", low + 1.0, 20_000.0)
        axis = set_points(low, high, self._wanted)
        self._known = _Known(serial, axis)
        for index, nm in enumerate(axis):
            yield from self._command(b"W%d,%.1f" % (index, nm), SET_POINT_ATTEMPTS)
        return Identity(
            serial=serial,
            firmware="",
            boot_id=0,
            pixels=axis.size,
            full_scale=FULL,
            capabilities=Capability.SHUTTER | Capability.LAMP,
            axis_nm=axis,
            # The time at a set point is the sensor's; what is configured is only noted.
            min_integration_us=1,
            max_integration_us=2**32 - 1,
            max_averages=1,
            model="NIRONE",
        )

    def set_up(self, settings: Configure) -> Talk[None]:
        """The lamp: off for a dark. How long a scan takes."""
        yield from self._command(AVERAGES)
        lamp = 100 if settings.lamp and settings.position != Position.DARK else 0
        if lamp != self._lamp:
            self._lamp = None
            yield from self._command(b"LI%d" % lamp)
            yield Pause(LAMP_SETTLES_S)
            self._lamp = lamp
        scan_ms = yield from self._number(b"E0", "the time of a scan, ms", 0.0, LONGEST_SCAN_MS)
        self._scan_s = scan_ms / 1000.0

    def expose(self, settings: Configure) -> Talk[Exposure]:  # noqa: ARG002  as all dialects
        """One scan over the set points, and the temperature after it."""
        points = self._points()
        yield from self._remembers()
        yield from self._measure()
        reply = yield from self._spectrum(points)
        signal = signals(reply)
        if not signal.any():
            raise Exchanged("zeros alone, as from a sensor that was switched off meanwhile")
        self._kept = reply[: 4 * REMEMBERED]
        celsius = yield from self._number(b"St", "a temperature, deg C", -60.0, 150.0)
        return Exposure(signal, full=plateau(signal) | (signal >= FULL), temperature_c=celsius)

    def ping(self) -> Talk[None]:
        """Its serial number again, and whether it still knows what it measured last."""
        serial = yield from self._serial()
        if self._known is not None and serial != self._known.serial:
            raise Exchanged(f"expected the sensor {self._known.serial!r}, received {serial!r}")
        yield from self._remembers()

    # ---- inside

    def _remembers(self) -> Talk[None]:
        """Raises Exchanged where the measurement before is gone: so are lamp and set points."""
        if not self._kept:
            return
        found = yield from self._spectrum(len(self._kept) // 4)
        if found != self._kept:
            raise Exchanged(
                f"expected the measurement before, {self._kept.hex(' ')}, received "
                f"{found.hex(' ')}: it was switched off meanwhile, or is another sensor"
            )

    def _measure(self) -> Talk[None]:
        """One scan. A lost reply leaves open whether there was one: it is asked for again."""
        for attempt in range(ATTEMPTS):
            done = yield Exchange(
                "XM",
                b"XM\r",
                ready,
                "'Measurement ready'",
                timeout_s=1.5 * self._scan_s + 2.0,
                attempts=1,
                or_nothing=attempt < ATTEMPTS - 1,
            )
            if done:
                return
            if self._kept and not signals((yield from self._spectrum(REMEMBERED))).any():
                raise Exchanged("zeros alone, as from a sensor that was switched off meanwhile")

    def _points(self) -> int:
        if self._known is None:
            raise Nonsense("expected a sensor that said who it is, received nothing yet")
        return int(self._known.axis_nm.size)

    def _spectrum(self, points: int) -> Talk[bytes]:
        """The floats, asked for again where a byte came behind them: then one was before them."""
        for _ in range(ATTEMPTS):
            reply = yield Exchange(
                "Xm0",
                b"Xm0,%d\r" % points,
                floats(points),
                f"{points} floats of a signal",
                # Half as long again as ten bits a byte at 115200 baud take.
                timeout_s=points * 4 * 15 / 115_200 + 1.0,
                attempts=ATTEMPTS,
            )
            more = yield Exchange(
                "silence", b"", exactly(1), "nothing", QUIET_S, attempts=1, or_nothing=True
            )
            if not more:
                return reply
        raise Nonsense(f"expected {4 * points} bytes of floats, received more every time")

    def _serial(self) -> Talk[str]:
        text = yield from self._command(b"h2", attempts=3)
        return text.rpartition(b":")[2].strip().decode("ascii")

    def _command(self, command: bytes, attempts: int = ATTEMPTS) -> Talk[bytes]:
        name = command.decode("ascii")
        reply = yield Exchange(name, command + b"\r", line, "a line", attempts=attempts)
        return reply

    def _number(self, command: bytes, what: str, least: float, most: float) -> Talk[float]:
        name = command.decode("ascii")
        whole = number(least, most)
        expects = f"a line with {what}"
        reply = yield Exchange(name, command + b"\r", whole, expects, attempts=ATTEMPTS)
        return value(reply)


DRIVER = Driver(
    name="nirone",
    instruments="Spectral Engines NIRONE Sensor S and X, over UART",
    bauds=(115200,),
    source="public programs that speak with it; the manual is not public",
    tested="a virtual instrument written from two public programs, on a pty",
    make=lambda place: SingleExposures(lambda: Nirone(place), place.url, place.baud),
    takes=("wavelength_nm",),
)
