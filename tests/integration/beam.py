"""An instrument with one cup of corn in its beam, and a hand that lays others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.virtual import PtyPort, VirtualSpectrometer
from spektron_edge.demo.corn import load_corn
from tests.integration.rig import Rig, until


class Beam:
    """instrument: m5, mp5 or mp6, as the corn set names them."""

    def __init__(self, folder: Path, instrument: str, serial: str = "VIRT-0001") -> None:
        self.corn, self._instrument = load_corn(), instrument
        spectra = self.corn.test.spectra[instrument][:1]
        device = VirtualSpectrometer(
            spectra, self.corn.axis_nm, serial=serial, seed=3, interval_s=0.05
        )
        self.port = PtyPort(device, link=folder / "instrument")

    def place(self, sample: str) -> None:
        """Lay the cup with this training sample into the beam."""
        optics, scene = self.port.device.optics, self.port.device._scene
        spectra = self.corn.train.spectra[self._instrument][[self._row_of(sample)]]
        rows = optics.on_pixels(spectra, self.corn.axis_nm)
        self.port.call(lambda: setattr(scene, "_rows", rows))

    def references(self, sample: str) -> NDArray[np.float64]:
        """(m,) of a training sample."""
        references: NDArray[np.float64] = self.corn.train.references[self._row_of(sample)]
        return references

    def _row_of(self, sample: str) -> int:
        return list(self.corn.train.samples.astype(str)).index(sample)


def fresh(rig: Rig, scans: int) -> None:
    """Wait for more than so many scans that are made from now on."""
    assert rig.port is not None
    device = rig.port.device
    seen = rig.port.call(lambda: device.scans_made)
    until(lambda: max(rig.gather(rig.subscriber), default=0) > seen + scans, "fresh scans")
