"""A Hamamatsu C12880MA on an Arduino that prints 288 counts a line: a driver of its own."""

from __future__ import annotations

import numpy as np

from firmware_bridge.drivers.dialect import Exposure
from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.single import SingleExposures
from firmware_bridge.drivers.talk import Exchange, Nonsense, Talk, up_to
from firmware_bridge.instrument import Identity
from firmware_bridge.messages import polynomial_nm
from firmware_bridge.protocol import Configure

PIXELS, LONGEST = 288, 288 * 5 + 2


def whole(received: bytes) -> int | None:
    size = up_to(b"\n", LONGEST)(received)
    words = received[:size].strip().rstrip(b",").split(b",") if size else []
    if size and not (len(words) == PIXELS and all(word.isdigit() for word in words)):
        raise Nonsense(f"{len(words)} words instead: {received[:40]!r}")
    return size


class Arduino:
    anonymous = True  # nothing tells one from another

    def __init__(self, place: Place) -> None:
        if place.wavelength_nm is None:
            raise ValueError("needs `wavelength_nm`: the polynomial of this sensor's data sheet")
        self.axis_nm = polynomial_nm(place.wavelength_nm, PIXELS)
        self.serial = place.serial or "c12880ma"

    def line(self) -> Talk[list[int]]:
        begun = up_to(b"\n", LONGEST)
        yield Exchange("line", b"", begun, "the end of a line", timeout_s=2.0)  # a part of one
        text = yield Exchange("line", b"", whole, "a line of 288 counts", timeout_s=2.0, attempts=5)
        return [int(word) for word in text.strip().rstrip(b",").split(b",")]

    def identify(self) -> Talk[Identity]:
        yield from self.line()
        return Identity(
            self.serial, "", 0, PIXELS, 1023, 0, self.axis_nm, 1, 2**32 - 1, 1, model="C12880MA"
        )

    def set_up(self, settings: Configure) -> Talk[None]:
        yield from ()  # the integration time is the sketch's

    def expose(self, settings: Configure) -> Talk[Exposure]:
        return Exposure(np.array((yield from self.line()), np.float64))

    def ping(self) -> Talk[None]:
        yield from self.line()


DRIVER = Driver(
    name="c12880ma",
    instruments="Hamamatsu C12880MA on an Arduino that prints counts",
    bauds=(115200,),
    source="the usual sketch: 288 counts, each with a comma, a line for every exposure",
    tested="a virtual instrument on a pty",
    make=lambda place: SingleExposures(lambda: Arduino(place), place.url, place.baud),
    needs=("wavelength_nm",),
    takes=("serial",),
    nameless=True,
)
