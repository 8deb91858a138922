"""Our own protocol: the reference firmware, and whatever else speaks it."""

from __future__ import annotations

from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.link import Link


def _make(place: Place) -> Link:
    return Link(place.url, place.baud)


DRIVER = Driver(
    name="spektron",
    instruments="Spektron wire protocol v1: the reference firmware and the virtual instrument",
    bauds=(921600, 460800, 230400, 115200),
    source="docs/protocol.md",
    tested="the reference firmware under QEMU (mps2-an385) and the virtual instrument, on a pty",
    make=_make,
)
