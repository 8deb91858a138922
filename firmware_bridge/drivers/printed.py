"""Instruments that print a line of counts for every exposure, unasked, as many sketches do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_bridge.drivers.dialect import Exposure
from firmware_bridge.drivers.driver import Place, axis_of
from firmware_bridge.drivers.talk import Exchange, Nonsense, Talk, up_to
from firmware_bridge.instrument import Identity
from firmware_bridge.protocol import Configure

_DIGITS = 5
_PRINTED_S = 2.0
_ATTEMPTS = 5


@dataclass(frozen=True)
class Sensor:
    """What the lines hold: so many counts up to `full_scale`, each followed by a comma but perhaps
    the last; model: its name."""

    model: str
    pixels: int
    full_scale: int


class PrintedCounts:
    """Dialect of such a sketch, whose integration time nobody can set.

    Raises ValueError where the place gives no wavelengths that can be.
    """

    anonymous = True

    def __init__(self, sensor: Sensor, place: Place) -> None:
        self._sensor = sensor
        self._axis_nm = axis_of(place, sensor.pixels)
        self._serial = place.serial or sensor.model.lower()
        self._end = up_to(b"\n", sensor.pixels * _DIGITS + len(b"\r\n"))

    def identify(self) -> Talk[Identity]:
        """A line of the right length is all there is to know it by."""
        yield from self._line()
        sensor, most = self._sensor, 2**32 - 1
        return Identity(
            self._serial, "", 0, sensor.pixels, sensor.full_scale, 0, self._axis_nm, 1, most, 1,
            model=sensor.model,
        )  # fmt: skip

    def set_up(self, settings: Configure) -> Talk[None]:  # noqa: ARG002  as all dialects
        """The integration time is the sketch's."""
        yield from ()

    def expose(self, settings: Configure) -> Talk[Exposure]:  # noqa: ARG002  as all dialects
        """The next whole line."""
        return Exposure(np.array((yield from self._line()), np.float64))

    def ping(self) -> Talk[None]:
        """As good as an exposure, and no better."""
        yield from self._line()

    def _line(self) -> Talk[list[int]]:
        # What comes first is a part of one.
        yield Exchange("line", b"", self._end, "the end of a line", _PRINTED_S)
        expects = f"a line of {self._sensor.pixels} counts"
        text = yield Exchange("line", b"", self._whole, expects, _PRINTED_S, _ATTEMPTS)
        return [int(word) for word in _words(text)]

    def _whole(self, received: bytes) -> int | None:
        size = self._end(received)
        words = _words(received[:size]) if size else []
        if size and not (len(words) == self._sensor.pixels and all(w.isdigit() for w in words)):
            raise Nonsense(f"{len(words)} words instead: {received[:40]!r}")
        return size


def _words(line: bytes) -> list[bytes]:
    return line.strip().rstrip(b",").split(b",")
