"""Positional encoding by physical position, so that another axis means what it measures."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray


def axis_encoding(
    axis: NDArray[np.float64],
    unit: Literal["nm", "cm-1"],
    width: int,
    shortest_cm1: float = 100.0,
    longest_cm1: float = 40000.0,
) -> NDArray[np.float32]:
    """(tokens,) in `unit` -> (tokens, width): sines and cosines of geometric periods in cm-1.

    After Vaswani et al., NeurIPS 2017, with wavenumber in place of the index: energy is the one
    scale on which near-infrared, mid-infrared and Raman instruments agree.
    """
    wavenumber = 1e7 / axis if unit == "nm" else axis
    periods = np.geomspace(shortest_cm1, longest_cm1, width // 2)
    phase = 2 * np.pi * wavenumber[:, None] / periods
    return np.concatenate([np.sin(phase), np.cos(phase)], axis=1).astype(np.float32)
