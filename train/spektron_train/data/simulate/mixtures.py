"""What products are made of: families of composition, products of a family, samples of a product.

Dry matter is logistic-normal (Aitchison, The Statistical Analysis of Compositional Data, 1986):
correlated Gaussian log amounts, closed to one. Closure alone makes protein rise where starch falls;
the stated correlations add what breeding and processing add. Water is drawn on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# How much a product's medians and spreads differ from its family's (natural log).
_PRODUCT_MEAN_SD = 0.3
_PRODUCT_SPREAD_SD = 0.35
_EXTRA_CHANCES = (0.65, 0.25, 0.10)
_EXTRA_MEDIAN = 0.03
_SMALLEST_EIGENVALUE = 1e-3


@dataclass(frozen=True)
class Component:
    """One constituent of the dry matter.

    candidates: substances of which a product holds one; median: mass fraction of dry matter before
    closure; spread: standard deviation of its log between samples of a product.
    """

    candidates: tuple[str, ...]
    median: float
    spread: float


@dataclass(frozen=True)
class Presentation:
    """How samples meet the light.

    kind: `reflectance`, `transmission` or `diffuse transmission`; scatter: Kubelka-Munk scattering
    at 1000 nm, per mm; between, within: standard deviations of its log between products and between
    samples; exponent: range of b in S ~ wavelength^-b; grain: path through one particle in units
    of 1 / S, zero for matter without particles; thickness_mm: of tablets; temperature_c: mean and
    standard deviation of a product's mean temperature.
    """

    kind: str
    scatter: float = 6.0
    between: float = 0.35
    within: float = 0.12
    exponent: tuple[float, float] = (0.1, 0.9)
    grain: float = 0.2
    thickness_mm: tuple[float, float] = (2.0, 6.0)
    temperature_c: tuple[float, float] = (24.0, 3.0)


@dataclass(frozen=True)
class ProductFamily:
    """A family of products.

    water: median mass fraction and standard deviation of its logit within a product; correlations:
    (component, component, rho) between log amounts; presentations: a product uses one of them.
    """

    name: str
    components: tuple[Component, ...]
    water: tuple[float, float]
    presentations: tuple[Presentation, ...]
    correlations: tuple[tuple[int, int, float], ...] = ()


@dataclass(frozen=True)
class Product:
    """One product of a family: substances (k,), log medians (k,), factor of the covariance (k, k).

    water_logit: mean and standard deviation; scatter: per mm at 1000 nm.
    """

    family: str
    substances: tuple[str, ...]
    log_median: Array
    factor: Array
    water_logit: tuple[float, float]
    presentation: Presentation
    scatter: float
    temperature_c: float

    def compositions(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Mass fractions: dry substances (n, k), which with water (n,) sum to one."""
        k = len(self.substances)
        logs = self.log_median + rng.standard_normal((n, k)) @ self.factor.T
        dry = np.exp(logs - logs.max(axis=1, keepdims=True))
        dry /= dry.sum(axis=1, keepdims=True)
        mean, spread = self.water_logit
        water = 1 / (1 + np.exp(-(mean + spread * rng.standard_normal(n))))
        return dry * (1 - water[:, None]), water


def draw_product(
    family: ProductFamily, rng: np.random.Generator, unknowns: tuple[str, ...]
) -> Product:
    """A new product of the family: other medians, spreads, correlations, at times other substances.

    unknowns: substances to take in place of the candidate `unknown` and as 0 to 2 extras.
    """
    chosen = []
    for component in family.components:
        name = component.candidates[int(rng.integers(len(component.candidates)))]
        chosen.append(unknowns[int(rng.integers(len(unknowns)))] if name == "unknown" else name)
    extras = int(rng.choice(len(_EXTRA_CHANCES), p=_EXTRA_CHANCES))
    chosen += [unknowns[int(i)] for i in rng.integers(len(unknowns), size=extras)]
    medians = np.array(
        [c.median for c in family.components] + list(_EXTRA_MEDIAN * rng.lognormal(0, 0.8, extras))
    )
    spreads = np.array([c.spread for c in family.components] + [0.4] * extras)
    log_median = np.log(medians) + _PRODUCT_MEAN_SD * rng.standard_normal(len(medians))
    spreads = spreads * rng.lognormal(0, _PRODUCT_SPREAD_SD, len(spreads))
    correlation = _correlation(family, len(chosen), rng)
    presentation = family.presentations[int(rng.integers(len(family.presentations)))]
    water, water_spread = family.water
    return Product(
        family.name,
        tuple(chosen),
        log_median,
        spreads[:, None] * np.linalg.cholesky(correlation),
        (
            float(np.log(water / (1 - water)) + _PRODUCT_MEAN_SD * rng.standard_normal()),
            float(water_spread * rng.lognormal(0, _PRODUCT_SPREAD_SD)),
        ),
        presentation,
        float(presentation.scatter * rng.lognormal(0, presentation.between)),
        float(rng.normal(*presentation.temperature_c)),
    )


def _correlation(family: ProductFamily, k: int, rng: np.random.Generator) -> Array:
    """The family's correlations mixed with random ones, made positive definite, (k, k)."""
    stated = np.eye(k)
    for i, j, rho in family.correlations:
        stated[i, j] = stated[j, i] = rho
    loose = rng.standard_normal((k, 2 * k))
    loose = loose @ loose.T
    root = np.sqrt(np.diag(loose))
    mixed = 0.8 * stated + 0.2 * loose / np.outer(root, root)
    values, vectors = np.linalg.eigh(mixed)
    fixed = (vectors * np.maximum(values, _SMALLEST_EIGENVALUE)) @ vectors.T
    scale = np.sqrt(np.diag(fixed))
    correlation: Array = fixed / np.outer(scale, scale)
    return correlation
