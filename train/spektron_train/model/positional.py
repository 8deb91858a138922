"""Positional encoding by physical wavelength, so that another axis means what it measures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def wavelength_encoding(
    wavelength_nm: NDArray[np.float64],
    width: int,
    shortest_nm: float = 20.0,
    longest_nm: float = 20000.0,
) -> NDArray[np.float32]:
    """(tokens,) nm -> (tokens, width): sines and cosines of geometric periods in nm.

    After Vaswani et al., NeurIPS 2017, with wavelength in place of the index.
    """
    periods = np.geomspace(shortest_nm, longest_nm, width // 2)
    phase = 2 * np.pi * wavelength_nm[:, None] / periods
    return np.concatenate([np.sin(phase), np.cos(phase)], axis=1).astype(np.float32)
