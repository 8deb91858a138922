"""A virtual instrument with standards, and a hand that lays into the beam what a step asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.virtual import PtyPort
from spektron_edge.demo.corn import PROPERTIES, load_corn
from spektron_edge.detector.wavelength_check import load_standard
from spektron_edge.qualification.measuring import Answer, Step

PLAN = """
title = "Virtual analyser"
version = "2"
compare_scans = 2
compare_least = 5
[wavelength]
name = "srm-2035"
certificate = "C 17"
expires = 2099-12-31
scans = 3
repeats = 3
[linearity]
scans = 3
half_width_nm = 5.0
residual = 0.005
{photometric}
[[noise]]
name = "white"
scans = 6
mean = 0.0003
largest = 0.0008
[baseline]
name = "white"
scans = 5
flatness = 0.01
range = 0.01
[repeatability]
sample = "corn 1"
scans = 3
fills = 2
[repeatability.within]
moisture = 0.2
[repeatability.total]
moisture = 0.2
[[controls]]
name = "control corn"
property = "moisture"
unit = "% by mass"
target = {target}
tolerance = 0.2
sigma = 0.05
scans = 2
[compare.moisture]
unit = "% by mass"
laboratory_error = 0.02
bias = 0.1
sep = 0.2
slope = 0.1
"""
_PHOTOMETRIC = """[[photometric]]
name = "grey {i}"
nm = [1200.0, 2000.0]
reflectance = [{r}, {r}]
"""
_GREYS = {f"photometric grey {i}": 10.0**-a for i, a in enumerate((0.1, 0.4, 0.9))}


def write_plan(folder: Path) -> Path:
    """All parts, with as few scans as show them."""
    greys = "".join(_PHOTOMETRIC.format(i=i, r=r) for i, r in enumerate(_GREYS.values()))
    path = folder / "plan.toml"
    target = float(load_corn().test.references[0, PROPERTIES.index("moisture")])
    path.write_text(PLAN.format(photometric=greys, target=target))
    return path


class Hand:
    """A guide that never asks. shift_nm: of the wavelength standard; noise: of white, absorbance;
    answers: other ones than to measure, by step."""

    def __init__(self, port: PtyPort, shift_nm: float = 0.0, noise: float = 0.0) -> None:
        self._port, self._corn = port, load_corn().test
        self.shift_nm, self.noise = shift_nm, noise
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.told: dict[str, str] = {}

    def place(self, step: Step, number: int, of: int) -> Answer:
        self.asked.append(step.key)
        self.lay(self.rows(step.key))
        return self.answers.get(step.key, "measure")

    def progress(self, step: Step, done: int) -> None:
        assert 0 < done <= step.scans

    def failed(self, step: Step, why: str) -> None:
        self.told[step.key] = why

    def lay(self, spectra: NDArray[np.float64]) -> None:
        """(n, L) on the corn set's axis: shown one after another."""
        device = self._port.device
        rows = device.optics.on_pixels(spectra, self._corn.axis_nm)
        self._port.call(lambda: setattr(device._scene, "_rows", rows))

    def rows(self, key: str) -> NDArray[np.float64]:
        axis = self._corn.axis_nm
        if key == "wavelength":
            bands = load_standard("srm-2035").bands
            away = [(axis - b.nm - self.shift_nm) / 8 for b in bands]
            return sum(0.3 * np.exp(-(d**2) / 2) for d in away)[None]
        if key in _GREYS:
            return np.full((1, axis.size), -np.log10(_GREYS[key]))
        if key.startswith(("noise", "baseline")):
            noise = np.random.default_rng(0).standard_normal((50, axis.size))
            return 0.02 + self.noise * noise
        name = key.removeprefix("sample corn ")
        return self._corn.spectra["m5"][[int(name) if name.isdigit() else 0]]

    def references(
        self,
        path: Path,
        samples: int,
        bias: float = 0.0,
        records: Sequence[Sequence[str]] = (),
    ) -> Path:
        """The laboratory's values of the first samples, as a file; records: ids of predictions."""
        values = self._corn.references[:samples, PROPERTIES.index("moisture")] + bias
        lines = ["sample,moisture [% by mass],records"]
        for i, value in enumerate(values):
            ids = " ".join(records[i]) if records else ""
            lines.append(f"corn {i},{value:.4f},{ids}")
        path.write_text("\n".join(lines))
        return path
