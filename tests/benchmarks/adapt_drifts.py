"""Nine ways in which an instrument drifts, each at three strengths, as physics on absorbance.

What happens to light happens here in transmittance or counts; what happens to the axis, on the
axis. Noise is no part of it: detectors add it afterwards. Size zero is the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.fft import dct, idct

from firmware_bridge.virtual.optics import Optics
from firmware_bridge.virtual.resample import local_cubic
from spektron_train.data.simulate.environment import REFERENCE_C, water_shares
from spektron_train.data.simulate.molecules import absorption_forms
from spektron_train.data.simulate.substances import SUBSTANCES

# Sizes by strength. gain: relative; offset, baseline: absorbance; shift, stretch: nm, the latter as
# reached at the ends; band-pass: nm of full width at half maximum, added in quadrature; stray
# light: share of the white's; temperature: K; non-linearity: relative loss of counts at full scale.
# The shipped corn model is 10 to 25 % worse by the weakest, 25 % (offset) to five times by the
# strongest. It works on derivatives, so an offset has to be large: 0.3 is half of the light.
STRENGTHS = {
    "gain": (0.006, 0.015, 0.04),
    "offset": (0.3, 0.45, 0.6),
    "curved baseline": (0.002, 0.005, 0.015),
    "axis shift": (0.06, 0.15, 0.5),
    "axis stretch": (0.15, 0.5, 1.0),
    "band-pass": (5.0, 8.0, 12.0),
    "stray light": (0.001, 0.003, 0.01),
    "temperature": (5.0, 10.0, 20.0),
    "non-linearity": (0.02, 0.05, 0.1),
}
KINDS = tuple(STRENGTHS)
# Light only comes in addition, and a slit that wears or is opened only becomes wider.
_ONE_SIGN = ("stray light", "band-pass")
_SIGMA_PER_FWHM = 1 / 2.3548
_WATER_BAND_NM = (1850.0, 2020.0)


@dataclass(frozen=True, eq=False)
class Drift:
    """One drift of one instrument. size: with its sign, as STRENGTHS; shape (2,): of the baseline,
    its quadratic and cubic share, norm 1.
    """

    kind: str
    size: float
    shape: np.ndarray


@dataclass(frozen=True, eq=False)
class Samples:
    """What a drift meets: absorbance (n, L) on axis (L,) nm, water (n,) mass fraction, and the path
    in mm of water that a mass fraction of one would be seen through.
    """

    absorbance: np.ndarray
    axis: np.ndarray
    water: np.ndarray
    path_mm: float


def draw(kind: str, strength: int, rng: np.random.Generator) -> Drift:
    """Sign and shape at random, size as the strength (0, 1, 2) says."""
    sign = 1.0 if kind in _ONE_SIGN else rng.choice((-1.0, 1.0))
    angle = rng.uniform(0, 2 * np.pi)
    return Drift(kind, sign * STRENGTHS[kind][strength], np.array([np.cos(angle), np.sin(angle)]))


def apply(drift: Drift, samples: Samples) -> np.ndarray:
    """(n, L): absorbance as the drifted instrument reads it, without noise."""
    return _EFFECTS[drift.kind](drift, samples)


def effective_path(spectra: np.ndarray, water: np.ndarray, axis: np.ndarray) -> float:
    """Path in mm of water through which these spectra (n, L) see their water (n,) mass fraction.

    How the band at 1930 nm grows with water, once an offset and a multiple of the mean spectrum,
    which scatter makes, are taken from every spectrum: corn on m5 gives 0.14 mm, and the band of
    the simulated water follows the one found with a correlation of 0.98.
    """
    pure = absorption_of_water(axis, float(water.mean()), REFERENCE_C)
    scatter = np.stack([np.ones_like(axis), spectra.mean(axis=0)], axis=1)
    band = (axis >= _WATER_BAND_NM[0]) & (axis <= _WATER_BAND_NM[1])

    def without_scatter(rows):
        return (rows.T - scatter @ np.linalg.lstsq(scatter, rows.T, rcond=None)[0]).T

    centred = water - water.mean()
    grown = (centred @ without_scatter(spectra) / (centred @ centred))[band]
    expected = without_scatter(pure[None])[0, band]
    return float(grown @ expected / (expected @ expected))


def absorption_of_water(axis: np.ndarray, water: float, temperature_c: float) -> np.ndarray:
    """(L,) per mm, of water at this mass fraction in a sample: part of it is bound."""
    return (water_shares(np.array([temperature_c]), np.array([water])) @ _species(tuple(axis)))[0]


@lru_cache
def _species(axis: tuple[float, ...]) -> np.ndarray:
    """(4, L): free, weakly bonded, strongly bonded and bound water, per mm."""
    return absorption_forms(SUBSTANCES["water"], 1e7 / np.array(axis))


def _u(axis):
    return np.linspace(-1.0, 1.0, len(axis))


def _gain(drift, samples):
    return samples.absorbance * (1 + drift.size)


def _offset(drift, samples):
    return samples.absorbance + drift.size


def _baseline(drift, samples):
    """Legendre polynomials of second and third degree, which hold no offset and no slope."""
    u = _u(samples.axis)
    curves = np.stack([1.5 * u**2 - 0.5, 2.5 * u**3 - 1.5 * u])
    return samples.absorbance + drift.size * drift.shape @ curves


def _moved(samples, by):
    """A band believed at w is read at w + by."""
    return local_cubic(samples.axis, samples.absorbance, samples.axis - by)


def _shift(drift, samples):
    return _moved(samples, np.full(len(samples.axis), drift.size))


def _stretch(drift, samples):
    return _moved(samples, drift.size * _u(samples.axis))


def _band_pass(drift, samples):
    """A wider Gaussian line shape, which averages light, not absorbance; mirrored at the ends."""
    sigma = drift.size * _SIGMA_PER_FWHM / (samples.axis[1] - samples.axis[0])
    # As a cosine series: a line shape below the pitch has no samples that stand for it.
    series = dct(10.0**-samples.absorbance, axis=1)
    angle = np.pi * np.arange(series.shape[1]) / series.shape[1]
    return -np.log10(idct(series * np.exp(-0.5 * (angle * sigma) ** 2), axis=1))


def _stray(drift, samples):
    """Reaches the detector with sample and white alike."""
    light = 10.0**-samples.absorbance
    return -np.log10((light + drift.size) / (1 + drift.size))


def _temperature(drift, samples):
    """Shares of hydrogen-bonded water move by van 't Hoff's law; bound water does not."""
    changes = [
        absorption_of_water(samples.axis, float(w), REFERENCE_C + drift.size)
        - absorption_of_water(samples.axis, float(w), REFERENCE_C)
        for w in samples.water
    ]
    return samples.absorbance + samples.path_mm * samples.water[:, None] * np.stack(changes)


def _nonlinear(drift, samples):
    """Counts c, relative to full scale, read as c (1 - size c), for sample and white alike."""
    optics = Optics()
    pixels = np.linspace(-1.0, 1.0, optics.pixels)
    white = np.interp(_u(samples.axis), pixels, optics.white) / optics.full_scale
    light = white * 10.0**-samples.absorbance
    return -np.log10(light * (1 - drift.size * light) / (white * (1 - drift.size * white)))


_EFFECTS = {
    "gain": _gain,
    "offset": _offset,
    "curved baseline": _baseline,
    "axis shift": _shift,
    "axis stretch": _stretch,
    "band-pass": _band_pass,
    "stray light": _stray,
    "temperature": _temperature,
    "non-linearity": _nonlinear,
}
