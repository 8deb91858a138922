"""How temperature and water shift the equilibrium between hydrogen-bonded forms.

Every form has a fixed spectrum; only the shares move, so a mixture stays a matrix product. Shares
follow van 't Hoff, d ln K / d(1/T) = -dH / R. Water as a mixture of species that differ in hydrogen
bonding: Luck (1965); Maeda et al., J. Near Infrared Spectrosc. 3, 191 (1995); Segtnan et al., Anal.
Chem. 73, 3153 (2001). Enthalpy of a hydrogen bond in water near 10 kJ/mol: Walrafen, J. Chem. Phys.
48, 244 (1968). Bound water: a monolayer of fixed capacity filled first, as in the sorption model of
Brunauer, Emmett and Teller (1938).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spektron_train.data.simulate.molecules import Substance, form_parts

Array = NDArray[np.float64]
REFERENCE_C = 25.0
_GAS = 8.314
_KELVIN = 273.15
# Shares of free, weakly and strongly bonded water at 25 C, and enthalpies against the weak one.
_BULK_SHARES = np.array([0.20, 0.45, 0.35])
_BULK_ENTHALPY = np.array([13_000.0, 0.0, -4_500.0])
# Grams of water held directly by a gram of dry matter.
_MONOLAYER = 0.09


def bulk_water(temperature_c: Array) -> Array:
    """Shares of free, weak, strong and bound water in liquid water, (n, 4); temperature (n,)."""
    weights = np.log(_BULK_SHARES) + _inverse_step(temperature_c)[:, None] * _BULK_ENTHALPY
    shares = np.exp(weights - weights.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.concatenate([shares, np.zeros((len(shares), 1))], axis=1)


def water_shares(temperature_c: Array, water: Array) -> Array:
    """Shares of the four water species at water mass fraction `water`, (n, 4)."""
    bound = _MONOLAYER * (1 - water) / (_MONOLAYER * (1 - water) + water + 1e-12)
    shares = bulk_water(temperature_c) * (1 - bound[:, None])
    shares[:, 3] = bound
    return shares


def _inverse_step(temperature_c: Array) -> Array:
    """(1/T0 - 1/T) / R, mol/J: positive above the reference temperature."""
    step: Array = (1 / (REFERENCE_C + _KELVIN) - 1 / (temperature_c + _KELVIN)) / _GAS
    return step


class Equilibria:
    """Shares of every linear piece of a list of substances, in the order of their stacked forms."""

    def __init__(self, substances: tuple[Substance, ...]) -> None:
        forms = [len(form_parts(s)) for s in substances]
        starts = np.concatenate([[0], np.cumsum(forms)[:-1]]).astype(np.int64)
        self._owner = np.repeat(np.arange(len(substances)), forms)
        self._water = next(
            (int(starts[i]) for i, s in enumerate(substances) if s.name == "water"), None
        )
        bonded = [(int(starts[i]), s.hydroxyl) for i, s in enumerate(substances) if s.hydroxyl]
        self._weak = np.array([start + 1 for start, _ in bonded], np.int64)
        self._logit = np.array([np.log(h.weak / (1 - h.weak)) for _, h in bonded])
        self._enthalpy = np.array([h.enthalpy for _, h in bonded])
        self._hydration = np.array([h.hydration for _, h in bonded])

    def shares(self, volume: Array, temperature_c: Array, water: Array) -> Array:
        """Volume fractions (n, substances) to weights of the stacked forms (n, forms)."""
        weights = volume[:, self._owner]
        step = _inverse_step(temperature_c)
        logit = self._logit + np.outer(step, self._enthalpy) + np.outer(water, self._hydration)
        weak = 1 / (1 + np.exp(-logit))
        weights[:, self._weak] *= weak
        weights[:, self._weak + 1] *= 1 - weak
        if self._water is not None:
            weights[:, self._water : self._water + 4] *= water_shares(temperature_c, water)
        return weights
