"""How far repeat scans of one sample lie apart: noise of the detector, or a cup that moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scatter:
    """Root mean squares over channels and scans, in absorbance.

    noise: what differs from channel to channel; movement: what channels share.
    """

    noise: float
    movement: float


def scatter_of(scans: Array) -> Scatter | None:
    """scans: (r, P) of one sample; None for a single scan.

    Noise is white over channels: its second differences have six times its variance, and what a
    moved sample changes, being smooth, has almost none.
    """
    r = len(scans)
    if r < 2:
        return None
    # Deviations from the mean of r have (r - 1) / r of the variance.
    apart = (scans - scans.mean(axis=0)) * np.sqrt(r / (r - 1))
    noise = float(np.mean(np.diff(apart, n=2, axis=1) ** 2)) / 6
    return Scatter(
        float(np.sqrt(noise)), float(np.sqrt(max(float(np.mean(apart**2)) - noise, 0.0)))
    )
