"""A molecule as counts of functional groups, and its spectrum in linear pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_train.data.simulate.groups import GROUPS
from spektron_train.data.simulate.oscillators import render
from spektron_train.data.simulate.vibrations import Group, group_bands

Array = NDArray[np.float64]
_CM_PER_MM = 0.1
WATER_SPECIES = ("water free", "water weak", "water strong", "water bound")


@dataclass(frozen=True)
class Part:
    """`count` groups in a molecule, with a shift (cm-1) and a width factor of their own."""

    group: str
    count: float
    shift: float = 0.0
    width: float = 1.0


@dataclass(frozen=True)
class Hydroxyl:
    """OH groups that exchange between a weakly and a strongly hydrogen-bonded form.

    weak: fraction of the weak form at 25 C in the dry substance; enthalpy: J mol-1 to break the
    bond; hydration: how far water moves ln(weak / strong), per unit of water mass fraction.
    """

    count: float
    weak: float
    kind: str = "carbohydrate"
    enthalpy: float = 9_000.0
    hydration: float = -1.0
    shift: float = 0.0
    width: float = 1.0

    @property
    def forms(self) -> tuple[Part, Part]:
        """The weak and the strong form, each as if it were all there is."""
        weak, strong = (
            ("OH carbohydrate weak", "OH carbohydrate strong")
            if self.kind == "carbohydrate"
            else ("OH alcohol free", "OH alcohol bonded")
        )
        return (
            Part(weak, self.count, self.shift, self.width),
            Part(strong, self.count, self.shift, self.width),
        )


@dataclass(frozen=True)
class Absorber:
    """Electronic absorption, decadic per mm of pure substance.

    bands: (centre cm-1, full width cm-1, peak); tail: value at 10,000 cm-1 of an exponential
    (Urbach) tail that grows e-fold every `tail_width` cm-1, levelling off at 200 times that value.
    """

    bands: tuple[tuple[float, float, float], ...] = ()
    tail: float = 0.0
    tail_width: float = 2_500.0


@dataclass(frozen=True)
class Substance:
    """A pure substance. kind: the column of `CONSTITUENTS` that it counts in."""

    name: str
    kind: str
    molar_mass: float
    density: float
    parts: tuple[Part, ...] = ()
    hydroxyl: Hydroxyl | None = None
    absorber: Absorber | None = None

    @property
    def molarity(self) -> float:
        """Molecules or repeat units in the pure substance, mol/L."""
        return 1000 * self.density / self.molar_mass


def form_parts(substance: Substance) -> tuple[tuple[Part, ...], ...]:
    """The substance in linear pieces: fixed part, then weak and strong OH; water: its species."""
    if substance.name == "water":
        return tuple((Part(name, 1.0),) for name in WATER_SPECIES)
    if substance.hydroxyl is None:
        return (substance.parts,)
    weak, strong = substance.hydroxyl.forms
    return (substance.parts, (weak,), (strong,))


def absorption_forms(substance: Substance, wavenumber_cm1: Array) -> Array:
    """Decadic absorption per mm of each linear piece, (forms, L)."""
    scale = substance.molarity * _CM_PER_MM
    rows = np.stack([scale * _sum(parts, wavenumber_cm1) for parts in form_parts(substance)])
    if substance.absorber is not None:
        rows[0] += _electronic(substance.absorber, wavenumber_cm1)
    return rows


def raman_forms(substance: Substance, shift_cm1: Array) -> Array:
    """Raman activity of each linear piece, (forms, L)."""
    return np.stack(
        [substance.molarity * _sum(p, shift_cm1, raman=True) for p in form_parts(substance)]
    )


def _sum(parts: tuple[Part, ...], axis: Array, *, raman: bool = False) -> Array:
    total = np.zeros(axis.shape)
    for part in parts:
        group: Group = GROUPS[part.group]
        bands = group_bands(group, part.shift, part.width)
        total += part.count * render(bands, bands.raman if raman else bands.area, axis)
    return total


def _electronic(absorber: Absorber, axis: Array) -> Array:
    total = np.zeros(axis.shape)
    for centre, width, peak in absorber.bands:
        total += peak * np.exp(-4 * np.log(2) * ((axis - centre) / width) ** 2)
    if absorber.tail:
        tail = np.exp((axis - 10_000) / absorber.tail_width)
        total += absorber.tail * tail / (1 + tail / 200)
    return total
