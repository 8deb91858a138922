"""Samples of matter: compositions turned into the spectrum an ideal instrument would record.

Volumes are taken to add, so a mixture is a matrix product of volume fractions and pure spectra.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spektron_train.data.simulate.domain import Domain, wavenumber
from spektron_train.data.simulate.environment import Equilibria
from spektron_train.data.simulate.families import FAMILIES
from spektron_train.data.simulate.mixtures import Product, draw_product
from spektron_train.data.simulate.molecules import Substance, absorption_forms, raman_forms
from spektron_train.data.simulate.presentation import present
from spektron_train.data.simulate.substances import SUBSTANCES
from spektron_train.data.simulate.unknowns import random_substance

Array = NDArray[np.float64]

CONSTITUENTS: Final[tuple[str, ...]] = (
    "water",
    "starch",
    "cellulose",
    "lignin",
    "sugars",
    "protein",
    "fat",
    "alcohol",
    "acids",
    "polyols",
    "drug",
    "polymer",
    "mineral",
    "other",
)
_BANK = 64
_BANK_SEED = 20_240_607
_SAMPLES_PER_PRODUCT = 4


@dataclass(frozen=True)
class Samples:
    """n samples with their truth.

    absorbance: (n, L), apparent, noise free, before any instrument (Raman: intensity); composition:
    (n, K) mass fractions in the order of `CONSTITUENTS`; temperature_c: (n,); scatter: (n,) path in
    mm for transmission and total reflection, scattering per mm at 1000 nm for diffuse light, signal
    factor for Raman; family: n names.
    """

    absorbance: Array
    composition: Array
    temperature_c: Array
    scatter: Array
    family: tuple[str, ...]


@dataclass(frozen=True)
class _Batch:
    """Compositions of several products: volume fractions (n, S), class fractions (n, K), water."""

    products: tuple[Product, ...]
    counts: tuple[int, ...]
    volume: Array
    composition: Array
    water: Array
    temperature_c: Array


class Matter:
    """Pure spectra of every substance on one axis, and samples mixed from them."""

    def __init__(self, wavenumber_cm1: Array) -> None:
        """wavenumber_cm1: (L,), absolute for absorption, shift for Raman; any order."""
        self.wavenumber_cm1 = np.asarray(wavenumber_cm1, np.float64)
        self._substances = (*SUBSTANCES.values(), *_bank())
        self._index = {s.name: i for i, s in enumerate(self._substances)}
        self._unknowns = tuple(self._index)[len(SUBSTANCES) :]
        self._density = np.array([s.density for s in self._substances])
        kinds = np.array([CONSTITUENTS.index(s.kind) for s in self._substances])
        self._classes = np.eye(len(CONSTITUENTS))[kinds]
        self._equilibria = Equilibria(self._substances)
        self._absorption = np.concatenate(
            [absorption_forms(s, self.wavenumber_cm1) for s in self._substances]
        )
        self._raman: Array | None = None

    @classmethod
    def within(cls, domain: Domain) -> Matter:
        """On the fine axis of a domain."""
        return cls(wavenumber(domain.fine_axis(), domain.unit))

    def draw(self, n: int, rng: np.random.Generator, family: str | None = None) -> Samples:
        """n samples: of one product of `family`, or of several products of random families.

        Raises KeyError for an unknown family.
        """
        batch = self._compose(n, rng, family)
        shares = self._equilibria.shares(batch.volume, batch.temperature_c, batch.water)
        absorption = shares @ self._absorption
        scatter = np.empty(n)
        start = 0
        for product, count in zip(batch.products, batch.counts, strict=True):
            rows = slice(start, start + count)
            absorption[rows], scatter[rows] = present(
                absorption[rows], self.wavenumber_cm1, product, rng
            )
            start += count
        return _samples(absorption, scatter, batch)

    def draw_raman(self, n: int, rng: np.random.Generator, family: str | None = None) -> Samples:
        """As `draw`, with Raman intensity on the shift axis over a smooth fluorescence."""
        if self._raman is None:
            rows = [raman_forms(s, self.wavenumber_cm1) for s in self._substances]
            strongest = np.median([r.max() for r in rows[: len(SUBSTANCES)]])
            self._raman = np.concatenate(rows) / max(float(strongest), 1e-12)
        batch = self._compose(n, rng, family)
        shares = self._equilibria.shares(batch.volume, batch.temperature_c, batch.water)
        gain = rng.lognormal(0.0, 0.15, n)
        background = fluorescence(self.wavenumber_cm1, batch.counts, rng)
        intensity = gain[:, None] * (shares @ self._raman + background)
        return _samples(intensity, gain, batch)

    def _compose(self, n: int, rng: np.random.Generator, family: str | None) -> _Batch:
        if family is not None:
            counts: tuple[int, ...] = (n,)
            names = [family]
        else:
            whole, rest = divmod(n, _SAMPLES_PER_PRODUCT)
            counts = (_SAMPLES_PER_PRODUCT,) * whole + ((rest,) if rest else ())
            names = [list(FAMILIES)[int(i)] for i in rng.integers(len(FAMILIES), size=len(counts))]
        products = tuple(draw_product(FAMILIES[name], rng, self._unknowns) for name in names)
        mass = np.zeros((n, len(self._substances)))
        water = np.empty(n)
        temperature = np.empty(n)
        start = 0
        for product, count in zip(products, counts, strict=True):
            rows = slice(start, start + count)
            dry, water[rows] = product.compositions(count, rng)
            for column, name in enumerate(product.substances):
                mass[rows, self._index[name]] += dry[:, column]
            temperature[rows] = rng.normal(product.temperature_c, 1.5, count)
            start += count
        mass[:, self._index["water"]] = water
        volume = mass / self._density
        volume /= volume.sum(axis=1, keepdims=True)
        return _Batch(products, counts, volume, mass @ self._classes, water, temperature)


def fluorescence(shift_cm1: Array, counts: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A broad emission per product, its strength varying between samples, (n, L)."""
    u = (shift_cm1 - shift_cm1.min()) / max(float(np.ptp(shift_cm1)), 1.0)
    rows = []
    for count in counts:
        shape = np.exp(-(((u - rng.uniform(-0.3, 0.9)) / rng.uniform(0.4, 1.2)) ** 2))
        strength = rng.lognormal(-1.2, 1.0) * rng.lognormal(0, 0.2, count)
        rows.append(strength[:, None] * (shape + 0.05))
    return np.concatenate(rows)


def _bank() -> tuple[Substance, ...]:
    """Unknown substances, the same for every axis; every other one counts as a drug."""
    rng = np.random.default_rng(_BANK_SEED)
    bank = [random_substance(rng, f"unknown {i}") for i in range(_BANK)]
    return tuple(replace(s, kind="drug") if i % 2 else s for i, s in enumerate(bank))


def _samples(spectra: Array, scatter: Array, batch: _Batch) -> Samples:
    family = tuple(
        p.family
        for p, count in zip(batch.products, batch.counts, strict=True)
        for _ in range(count)
    )
    return Samples(spectra, batch.composition, batch.temperature_c, scatter, family)
