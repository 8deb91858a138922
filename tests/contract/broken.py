"""Instruments that are to be broken, each in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firmware_bridge.framing import encode_frame
from firmware_bridge.protocol import Capability, Scan, encode
from firmware_bridge.virtual import Optics, VirtualSpectrometer

AXIS = np.arange(1100.0, 2499.0, 2.0)


SPECTRA = np.full((1, AXIS.size), 0.3)


class Virtual(VirtualSpectrometer):
    """A virtual instrument that may have fewer parts."""

    capabilities = Capability.SHUTTER | Capability.REFERENCE | Capability.LAMP

    def __init__(self, optics=None, **options):
        super().__init__(SPECTRA, AXIS, optics or Optics(pixels=120), **options)

    def info(self):
        return replace(super().info(), capabilities=self.capabilities)

    def said(self, message, sequence, flags, stamp):
        """What is really sent instead; None = nothing."""
        return message, sequence, flags, stamp

    def _send(self, message, now, sequence=0, flags=0):
        up_us = round((now - (self._booted_at or now)) * 1e6)
        message, sequence, flags, stamp = self.said(message, sequence, flags, max(0, up_us))
        return encode_frame(encode(message, sequence, stamp, flags))


class OnePixel(Virtual):
    """The smallest there is."""

    def __init__(self):
        super().__init__(Optics(pixels=2))

    def info(self):
        return replace(super().info(), pixels=1)

    def said(self, message, *rest):
        if isinstance(message, Scan):
            full = int(message.counts[0] >= 65535)
            message = replace(message, counts=message.counts[:1], saturated=full)
        return (message, *rest)


Broken = dict[str, tuple[type[Virtual], set[str]]]


def into(broken: Broken) -> Callable[..., Callable[[type[Virtual]], type[Virtual]]]:
    """A decorator that adds a device to those, with the requirements it breaks."""

    def breaks(*requirements: str) -> Callable[[type[Virtual]], type[Virtual]]:
        def add(device: type[Virtual]) -> type[Virtual]:
            broken[device.__name__] = device, set(requirements)
            return device

        return add

    return breaks
