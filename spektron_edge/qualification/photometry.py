"""What repeated spectra of a standard say of the photometric scale: noise, flatness, stability."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .comparison import Estimate, line

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """A part of the axis, nm, and the noise within, absorbance."""

    start_nm: float
    end_nm: float
    rms: float
    peak_to_peak: float


@dataclass(frozen=True)
class Stability:
    """slope: of the mean absorbance over time, per hour; range: of the mean absorbance."""

    slope: Estimate | None
    range: float


def windows(axis_nm: Array, width_nm: float) -> list[slice]:
    """Channels of (P,) in pieces of a width, from round wavelengths on; pieces that the axis covers
    by less than half are left out."""
    edges = np.arange(np.floor(axis_nm[0] / width_nm) * width_nm, axis_nm[-1] + width_nm, width_nm)
    found = []
    for low, high in itertools.pairwise(edges):
        covered = min(high, axis_nm[-1]) - max(low, axis_nm[0])
        first, last = np.searchsorted(axis_nm, (low, high))
        if 2 * covered >= width_nm and last - first >= 2:
            found.append(slice(int(first), int(last)))
    return found


def noise(spectra: Array, axis_nm: Array, width_nm: float) -> list[Window]:
    """Of (n, P) consecutive spectra, by window.

    From differences of neighbours in time over sqrt(2), so that a slow drift is no noise. Raises
    ValueError for fewer than two spectra, or an axis shorter than half a window.
    """
    if spectra.shape[0] < 2:
        raise ValueError("noise needs two spectra or more")
    steps = np.diff(spectra, axis=0) / np.sqrt(2.0)
    found = [
        Window(
            float(axis_nm[part.start]),
            float(axis_nm[part.stop - 1]),
            float(np.sqrt(np.mean(steps[:, part] ** 2))),
            float(np.mean(np.ptp(steps[:, part], axis=1))),
        )
        for part in windows(axis_nm, width_nm)
    ]
    if not found:
        raise ValueError(f"the axis is shorter than half a window of {width_nm:g} nm")
    return found


def flatness(spectra: Array, axis_nm: Array, width_nm: float) -> float:
    """Largest distance of a window's mean absorbance from that of the whole axis, over (n, P)."""
    mean = np.mean(spectra, axis=0)
    parts = [float(np.mean(mean[part])) for part in windows(axis_nm, width_nm)]
    if not parts:
        raise ValueError(f"the axis is shorter than half a window of {width_nm:g} nm")
    return float(np.max(np.abs(np.array(parts) - np.mean(mean))))


def stability(spectra: Array, at_s: Array) -> Stability:
    """Of the mean absorbance of (n, P) spectra, made at (n,) seconds. Raises ValueError below 3."""
    means = np.mean(spectra, axis=1)
    found = line(at_s / 3600.0, means)
    return Stability(None if found is None else found[0], float(np.ptp(means)))


def at_wavelength(spectrum: Array, axis_nm: Array, nm: float, half_width_nm: float) -> float:
    """Mean absorbance (P,) within half_width_nm of a wavelength, the nearest channel at least.

    Raises ValueError beyond the axis.
    """
    if not axis_nm[0] <= nm <= axis_nm[-1]:
        told = f"{nm:g} nm is beyond the axis, {axis_nm[0]:.1f} to {axis_nm[-1]:.1f} nm"
        raise ValueError(told)
    near = np.abs(axis_nm - nm) <= half_width_nm
    near[np.argmin(np.abs(axis_nm - nm))] = True
    return float(np.mean(spectrum[near]))


@dataclass(frozen=True)
class Repeatability:
    """Standard deviations: of repeats of one filling, between fillings beyond that (0 where it is
    not seen), and of one measurement of a new filling, both together."""

    within: float
    between: float
    total: float


def repeatability(fills: Array) -> Repeatability:
    """Of (fillings, repeats) values, one-way analysis of variance.

    Raises ValueError for fewer than two repeats. One filling has nothing between.
    """
    count, repeats = fills.shape
    if repeats < 2:
        raise ValueError("repeatability needs two repeats or more")
    within = float(np.mean(np.var(fills, axis=1, ddof=1)))
    between = 0.0
    if count > 1:
        between = max(float(np.var(np.mean(fills, axis=1), ddof=1)) - within / repeats, 0.0)
    return Repeatability(within**0.5, between**0.5, (within + between) ** 0.5)
