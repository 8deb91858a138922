"""How much predictions of one sample scatter from scan to scan, by the virtual instrument's noise.

Computed beside the wire with the same optics and the same bundle, since the demo's scans show every
sample once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol import Position
from firmware_bridge.virtual import Optics
from spektron_edge.inference import Model
from spektron_edge.spectra.resampling import Resampler

REPEATS = 10


def repeatability(
    model: Model, spectra: NDArray[np.float64], axis_nm: NDArray[np.float64], seed: int
) -> dict[str, float]:
    """Pooled standard deviation of REPEATS scans of each sample, per property, in its unit.

    spectra: (n, L) absorbance on axis_nm (L,) nm.
    """
    optics, rng = Optics(), np.random.default_rng(seed)

    def expose(
        row: NDArray[np.float64] | None, position: int, averages: int
    ) -> NDArray[np.float64]:
        exposure = optics.expose(row, rng, position=position, averages=averages)
        return exposure.counts.astype(np.float64)

    dark = expose(None, Position.DARK, 64)
    full = expose(None, Position.REFERENCE, 64) - dark
    resampler = Resampler.between(optics.wavelengths, model.product.grid.axis())
    rows = optics.on_pixels(spectra, axis_nm)
    scans = [
        resampler.apply(-np.log10((expose(row, Position.SAMPLE, 1) - dark) / full))
        for row in rows
        for _ in range(REPEATS)
    ]
    y = model.infer(np.array(scans)).y.reshape(len(rows), REPEATS, -1)
    pooled = np.sqrt(np.mean(np.var(y, axis=1, ddof=1), axis=0))
    return {p.name: float(pooled[p.column]) for p in model.product.properties}
