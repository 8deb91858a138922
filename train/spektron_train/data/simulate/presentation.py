"""How absorption becomes the apparent absorbance of a liquid, a powder, a tablet or an ATR crystal.

Transmission: Lambert and Beer, A = path times absorption. Powders: Kubelka and Munk, Z. Tech. Phys.
12, 593 (1931); layers of finite thickness: Kubelka, J. Opt. Soc. Am. 38, 448 (1948). Attenuated
total reflection (ATR): Harrick, Internal Reflection Spectroscopy (1967).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spektron_train.data.simulate.mixtures import Product

Array = NDArray[np.float64]

# Below this the usual sampling is attenuated total reflection.
_ATR_BELOW_CM1 = 4_000.0
# Effective depth over wavelength: unpolarised light, diamond, 45 degrees, sample index near 1.45.
_ATR_DEPTH = 0.22
_CELLS_MM = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50.0])
_HIGHEST_LIQUID_ABSORBANCE = 1.8
_HIGHEST_LIQUID_PEAK = 6.0
_HIGHEST_TABLET_ABSORBANCE = 7.5
_DARKEST = 1e-30
_SPECULAR = (0.0, 0.03)
# The log10 share of the light leaving a tablet's back that a detector of limited aperture sees.
_COLLECTED = (-1.5, 0.0)


def present(
    absorption: Array, wavenumber_cm1: Array, product: Product, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Apparent absorbance (n, L) and path or scatter (n,) of samples of one product.

    absorption: (n, L), decadic per mm, of the compact material.
    """
    n = len(absorption)
    how = product.presentation
    spread = np.exp(how.within * rng.standard_normal(n))
    if np.median(wavenumber_cm1) < _ATR_BELOW_CM1:
        return attenuated_total_reflection(absorption, wavenumber_cm1, spread)
    if how.kind == "transmission":
        path = choose_cell(absorption) * spread
        return path[:, None] * absorption, path
    s0 = product.scatter * spread
    exponent = rng.uniform(*how.exponent)
    scattering = s0[:, None] * (wavenumber_cm1 / 10_000.0) ** exponent
    k = shadowed(2 * np.log(10) * absorption, how.grain / s0[:, None])
    if how.kind == "diffuse transmission":
        thickness = rng.uniform(*how.thickness_mm)
        collected = 10 ** rng.uniform(*_COLLECTED)
        through = slab_transmittance(k, scattering, thickness)
        absorbance = -np.log10(np.maximum(collected * through, _DARKEST))
        if np.quantile(absorbance, 0.95) < _HIGHEST_TABLET_ABSORBANCE:
            return absorbance, s0
    specular = rng.uniform(*_SPECULAR) * np.exp(0.2 * rng.standard_normal((n, 1)))
    reflectance = infinite_reflectance(k / scattering)
    return -np.log10(specular + (1 - specular) * reflectance), s0


def attenuated_total_reflection(
    absorption: Array, wavenumber_cm1: Array, contact: Array
) -> tuple[Array, Array]:
    """Absorbance (n, L) and effective depth at 1000 cm-1 in mm (n,); contact: (n,) factors."""
    wavelength_mm = 10.0 / wavenumber_cm1
    depth = _ATR_DEPTH * wavelength_mm * contact[:, None]
    return depth * absorption, _ATR_DEPTH * 0.01 * contact


def choose_cell(absorption: Array) -> float:
    """The longest usual cell, mm, that keeps nine tenths of the spectrum well readable."""
    mean = absorption.mean(axis=0)
    strong = max(
        float(np.quantile(mean, 0.9)) / _HIGHEST_LIQUID_ABSORBANCE,
        float(mean.max()) / _HIGHEST_LIQUID_PEAK,
    )
    fitting = _CELLS_MM[_CELLS_MM * strong <= 1]
    return float(fitting[-1]) if len(fitting) else float(_CELLS_MM[0])


def shadowed(k: Array, path_mm: Array) -> Array:
    """Absorption that counts when particles let light through by path `path_mm`: (1 - e^-kd) / d.

    Matter deep in a dark particle is not seen, which flattens strong bands: Duyckaerts, Analyst 84,
    201 (1959). k: per mm, (n, L); path_mm: (n, 1), not negative.
    """
    seen: Array = -np.expm1(-k * path_mm) / np.maximum(path_mm, 1e-12)
    return np.where(path_mm > 0, seen, k)


def infinite_reflectance(k_over_s: Array) -> Array:
    """Kubelka-Munk R of an opaque layer: 1 + K/S - sqrt((K/S)^2 + 2 K/S)."""
    # Written as a quotient: the difference loses every digit for strong absorption.
    reflectance: Array = 1 / (1 + k_over_s + np.sqrt(k_over_s * (k_over_s + 2)))
    return reflectance


def slab_transmittance(k: Array, s: Array, thickness_mm: float | Array) -> Array:
    """Kubelka-Munk T = b / (a sinh(b S d) + b cosh(b S d)), a = 1 + K/S, b = sqrt(a^2 - 1).

    k, s: per mm, k >= 0 and s > 0; K = 0 gives 1 / (1 + S d).
    """
    ratio = np.maximum(k / s, 1e-12)
    a = 1 + ratio
    b = np.sqrt(ratio * (ratio + 2))
    # Divided through by exp(b S d) so that thick layers do not overflow.
    decay = np.exp(-b * s * thickness_mm)
    transmittance: Array = 2 * b * decay / (a * (1 - decay**2) + b * (1 + decay**2))
    return transmittance
