"""A TCD1304 linear CCD on an STM32F4 with Esben Rossel's firmware, over its UART.

Twelve bytes ask for an exposure, 3694 words come back: no header, no checksum, no acknowledgement.
A word is 12 bits wide, so that a lost byte shows: by the length, or by words that are too large.

The firmware takes what it received in rings of twelve bytes, wherever `ER` stands in them. After a
lost byte it acts on a request before that is whole, with the rest of the one before. So requests
are the same while settings are, and the first exposure after a change is thrown away.

Sources: tcd1304.wordpress.com; github.com/esbenrossel/tcd1304_firmware_uart, src/main.c and
src/stm32f4xx_it.c; the protocol as the author's own program describes it (comment quoted at
forum.hiasm.com/post/315391); Toshiba's data sheet of the TCD1304DG for the pixels.
"""

from __future__ import annotations

from struct import Struct

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers.dialect import Exposure
from firmware_bridge.drivers.driver import Driver, Place, axis_of
from firmware_bridge.drivers.single import SingleExposures
from firmware_bridge.drivers.talk import Exchange, Nonsense, Talk, exactly
from firmware_bridge.instrument import Identity
from firmware_bridge.protocol import Configure

PIXELS = 3694
FRAME = 2 * PIXELS
FULL = 4095
# Of 32 pixels before the first that counts, 16 are dummies, then 13 are covered by metal.
DARK_PIXELS = tuple(range(16, 29))
# The master clock fM runs at 2 MHz, and four of its periods put out a pixel.
CLOCK_HZ = 2_000_000
LEAST_SH = 20
LEAST_ICG = 4 * PIXELS
MOST_PERIOD = 2**32 - 1
LEAST_US = LEAST_SH * 1_000_000 // CLOCK_HZ
MOST_US = MOST_PERIOD * 1_000_000 // CLOCK_HZ
# Before an exposure the firmware flushes the CCD with ICG periods of 15000 clocks, and it reads out
# at the seventh period of all.
FLUSH_S = 7 * 15_000 / CLOCK_HZ
PERIODS = 7
SLACK_S = 0.5
# As often something may come that nobody asked for: more is no rest of an old exposure.
READS = 50
# What the byte after the periods means: firmware that can also run on sends once for 0, and without
# end for 1. The first firmware sends once for 1, and nothing for 0.
ONCE, ONCE_OF_2017 = 0, 1
_REQUEST = Struct(">2sIIBB")


def periods(integration_us: int) -> tuple[int, int]:
    """SH and ICG in clocks: the integration time, and a multiple of it that holds a readout."""
    sh = integration_us * CLOCK_HZ // 1_000_000
    return sh, sh * max(1, -(-LEAST_ICG // sh))


def request(sh: int, icg: int, mode: int = ONCE) -> bytes:
    """The twelve bytes; no averaging, that is the host's."""
    return _REQUEST.pack(b"ER", sh, icg, mode, 1)


def frame(received: bytes) -> int | None:
    """`Exchange.whole` of an exposure."""
    words = np.frombuffer(received[: len(received) & ~1], "<u2")
    if words.size and int(words.max()) > FULL:
        raise Nonsense(
            f"a word of {int(words.max())} after {int(np.argmax(words))}: a byte is missing"
        )
    if len(received) > FRAME:
        raise Nonsense(f"{len(received)} bytes: more than one exposure, or another instrument")
    return FRAME if len(received) == FRAME else None


def counts(reply: bytes) -> NDArray[np.float64]:
    """(3694,) that grow with light, of an exposure: the CCD's output falls with it."""
    return FULL - np.frombuffer(reply, "<u2").astype(np.float64)


class Tcd1304:
    """Dialect of the firmware. Raises ValueError where its axis or its name is missing."""

    anonymous = True

    def __init__(self, place: Place) -> None:
        if place.wavelength_nm is None or place.serial is None:
            raise ValueError(
                "a TCD1304 knows neither its wavelengths nor its name: give `wavelength_nm`, the "
                "polynomial in the pixel (0 to 3693, dummies too), and `serial`"
            )
        self._serial = place.serial
        self._axis = axis_of(place, PIXELS)
        self._line_s = FRAME * 10 / place.baud
        self._integration_us = LEAST_US
        self._mode = ONCE

    def identify(self) -> Talk[Identity]:
        """An exposure, the shortest one: nothing else can be asked for."""
        self._integration_us, self._mode = LEAST_US, ONCE
        if not (yield self._exchange(or_nothing=True)):
            self._mode = ONCE_OF_2017
            yield self._exchange()
        yield from self._silence()
        return Identity(
            serial=self._serial,
            firmware="",
            boot_id=0,
            pixels=PIXELS,
            full_scale=FULL,
            capabilities=0,
            axis_nm=self._axis,
            min_integration_us=LEAST_US,
            max_integration_us=MOST_US,
            max_averages=1,
            model="TCD1304",
            dark_pixels=DARK_PIXELS,
        )

    def set_up(self, settings: Configure) -> Talk[None]:
        """The integration time; its first exposure may still be of another one."""
        self._integration_us = settings.integration_us
        yield self._exchange()

    def expose(self, settings: Configure) -> Talk[Exposure]:  # noqa: ARG002  as all dialects
        """One exposure, of the integration time last set up."""
        return Exposure(counts((yield self._exchange())))

    def ping(self) -> Talk[None]:
        """Nothing else answers, so an exposure."""
        yield self._exchange()

    def _silence(self) -> Talk[None]:
        """Until nothing comes: newer firmware that was silent before now sends without end.

        The next request for one exposure stops it.
        """
        for _ in range(READS):
            silence = Exchange(
                "silence",
                b"",
                exactly(1),
                "nothing",
                1.2 * self._line_s + SLACK_S,
                attempts=1,
                or_nothing=True,
            )
            if not (yield silence):
                return
        raise Nonsense("expected one exposure, received one after another")

    def _exchange(self, *, or_nothing: bool = False) -> Exchange:
        sh, icg = periods(self._integration_us)
        timeout_s = FLUSH_S + PERIODS * icg / CLOCK_HZ + 1.2 * self._line_s + SLACK_S
        return Exchange(
            "an exposure",
            request(sh, icg, self._mode),
            frame,
            f"{FRAME} bytes, words of 12 bits",
            timeout_s=timeout_s,
            or_nothing=or_nothing,
        )


DRIVER = Driver(
    name="tcd1304",
    instruments="TCD1304 linear CCD on an STM32F401/F405 with Esben Rossel's UART firmware",
    bauds=(115200,),
    source="tcd1304.wordpress.com, github.com/esbenrossel/tcd1304_firmware_uart",
    tested="a virtual instrument written from the firmware's source, on a pty",
    make=lambda place: SingleExposures(lambda: Tcd1304(place), place.url, place.baud),
    needs=("wavelength_nm", "serial"),
    quiet=True,
    nameless=True,
    limits_us=lambda _place: (LEAST_US, MOST_US),
)
