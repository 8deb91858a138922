"""Every driver with its virtual instrument: what the contract suite goes through."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.drivers import nirone, nirscan, ocean_obp, ocean_sad500, ocean_usb, tcd1304
from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.obp import Ask, Message, encode
from firmware_bridge.drivers.single import SingleExposures
from firmware_bridge.virtual.faults import InjectedFaults
from firmware_bridge.virtual.instrument import Foreign
from firmware_bridge.virtual.nirone import VirtualNirone
from firmware_bridge.virtual.nirscan import VirtualNirscan
from firmware_bridge.virtual.ocean_obp import VirtualOceanObp
from firmware_bridge.virtual.ocean_sad500 import VirtualOceanSad500
from firmware_bridge.virtual.tcd1304 import VirtualTcd1304
from tests.drivers.arduino import VirtualArduino
from tests.drivers.lines import KINDS, MadeLine
from tests.drivers.usb_worker import VirtualUsbWorker

EXAMPLE = Path(__file__).parents[2] / "examples" / "c12880ma"
sys.path.insert(0, str(EXAMPLE))
import c12880ma  # noqa: E402  what a package of its own would install

AXIS = np.arange(300.0, 2600.0, 2.0)
SPECTRA = 0.3 + 0.2 * np.sin(np.arange(4)[:, None] + AXIS[None, :] / 90.0)


@dataclass(frozen=True)
class Case:
    """virtual: (spectra, axis, faults=, seed=) -> the instrument; driver: that speaks with it.

    given: of `Place`, beside port and baud. integration_us: a usual one. half_request: what a host
    sent before it was killed. kinds: of lines that it may stand at the end of.
    """

    driver: Driver
    virtual: Callable[..., Foreign]
    dialect: Callable[[Place], Any]
    given: dict[str, Any] = field(default_factory=dict)
    integration_us: int = 20_000
    half_request: bytes = b""
    kinds: tuple[str, ...] = KINDS

    @property
    def baud(self) -> int:
        """The usual one; what has none is given some."""
        return self.driver.bauds[0] if self.driver.bauds else 921600

    def instrument(self, line: MadeLine) -> SingleExposures:
        """The driver at the end of a made line."""
        place = Place("made", line.device.baud, **self.given)
        return SingleExposures(
            lambda: self.dialect(place),
            "made",
            line.device.baud,
            open_port=line.open,
            clock=line.clock,
            sleep=line.sleep,
        )

    def device(self, faults: InjectedFaults | None = None, seed: int = 0) -> Foreign:
        """A fresh virtual instrument."""
        return self.virtual(SPECTRA, AXIS, faults=faults, seed=seed)


FLAME_NM = (350.0, 0.36, -2e-5)
C12880MA_NM = (318.7, 2.676, -1.09e-3)
TCD1304_NM = (350.0, 650.0 / 3693)
CASES = {
    "c12880ma": Case(
        c12880ma.DRIVER, VirtualArduino, c12880ma.said, {"wavelength_nm": C12880MA_NM}
    ),
    "ocean-obp": Case(
        ocean_obp.DRIVER,
        VirtualOceanObp,
        ocean_obp.OceanObp,
        half_request=encode(Message(Ask.RAW_SPECTRUM))[:30],
    ),
    "ocean-obp, QE Pro": Case(
        ocean_obp.DRIVER,
        partial(VirtualOceanObp, model="QE Pro"),
        ocean_obp.OceanObp,
        half_request=encode(Message(Ask.BUFFERED_SPECTRUM))[:63],
    ),
    "ocean-sad500": Case(
        ocean_sad500.DRIVER,
        VirtualOceanSad500,
        ocean_sad500.OceanSad500,
        {"model": "Flame-S", "wavelength_nm": FLAME_NM},
        half_request=b"I\x00",
    ),
    "ocean-sad500, S2000": Case(
        ocean_sad500.DRIVER,
        partial(VirtualOceanSad500, model="S2000", first_marked=False),
        ocean_sad500.OceanSad500,
        {"model": "S2000", "wavelength_nm": FLAME_NM},
        half_request=b"B",
    ),
    # Between the driver and its worker there is a pipe.
    "ocean-usb": Case(
        ocean_usb.DRIVER,
        VirtualUsbWorker,
        lambda place: ocean_usb.OceanUsb(),
        half_request=b'{"id": 1, "do"',
        kinds=tuple(kind for kind in KINDS if kind != "20 % lost"),
    ),
    "nirone": Case(nirone.DRIVER, VirtualNirone, nirone.Nirone, half_request=b"W12"),
    "nirscan": Case(
        nirscan.DRIVER,
        VirtualNirscan,
        nirscan.Nirscan,
        integration_us=635,
        half_request=bytes.fromhex("41424344da000000c0"),
    ),
    "tcd1304": Case(
        tcd1304.DRIVER,
        VirtualTcd1304,
        tcd1304.Tcd1304,
        {"wavelength_nm": TCD1304_NM, "serial": "bench"},
        half_request=b"ER\0\0\0",
    ),
}
