"""A target instrument's axis on the source's: where both measure, and how to get there.

Channels of the source that the target does not reach are left out; nothing is extrapolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.spectra.resampling import Resampler

from .problem import TransferError

Array = NDArray[np.float64]
LEAST_CHANNELS = 16


@dataclass(frozen=True, eq=False)
class Overlap:
    """Source channels that the target measures too.

    channels: (L,) indices into the source's axis; axis: (L,) their positions; matrix: (P, L)
    weights that take target spectra (k, P) there.
    """

    channels: NDArray[np.int64]
    axis: Array
    matrix: Array

    def source(self, spectra: Array) -> Array:
        """(k, S) on the source's axis -> (k, L)."""
        return spectra[:, self.channels]

    def target(self, spectra: Array) -> Array:
        """(k, P) on the target's axis -> (k, L)."""
        taken: Array = spectra @ self.matrix
        return taken


def overlap(source_axis: Array, target_axis: Array) -> Overlap:
    """Interpolate by local cubics, after averaging where the target's channels lie closer.

    Raises TransferError where fewer than 16 channels or less than a tenth of the source's axis are
    shared.
    """
    tolerance = 1e-6 * float(np.median(np.diff(source_axis)))
    inside = (source_axis >= target_axis[0] - tolerance) & (
        source_axis <= target_axis[-1] + tolerance
    )
    channels = np.flatnonzero(inside)
    if channels.size < max(LEAST_CHANNELS, source_axis.size // 10):
        raise TransferError(
            f"the axes hardly overlap: the source covers {source_axis[0]:g} to "
            f"{source_axis[-1]:g} and the target {target_axis[0]:g} to {target_axis[-1]:g}; give "
            "both in the same unit (nm = 1e7 / cm-1), or choose instruments that share a range"
        )
    axis = source_axis[channels]
    if axis.shape == target_axis.shape and np.allclose(axis, target_axis, rtol=0, atol=tolerance):
        return Overlap(channels, axis, np.eye(axis.size))
    clipped = np.clip(axis, target_axis[0], target_axis[-1])
    resampler = Resampler.between(target_axis, clipped)
    weights = np.zeros((target_axis.size, axis.size))
    columns = np.arange(axis.size)
    for k in range(4):
        np.add.at(weights, (resampler.first + k, columns), resampler.weights[:, k])
    return Overlap(channels, axis, _average(target_axis, axis) @ weights)


def _average(target_axis: Array, axis: Array) -> Array:
    """(P, P) mean over a triangle of one source step, or nothing where the target is no finer."""
    step = float(np.median(np.diff(axis)))
    if step <= 1.5 * float(np.median(np.diff(target_axis))):
        return np.eye(target_axis.size)
    distance = np.abs(target_axis[:, None] - target_axis[None, :]) / step
    weights = np.clip(1 - distance, 0.0, None)
    averaged: Array = weights / weights.sum(axis=0)
    return averaged
