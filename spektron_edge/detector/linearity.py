"""A detector whose counts do not grow in proportion to the light.

The makers' form: counts above dark, divided by a polynomial of themselves (Ocean Optics,
"OOINLCorrect: Loading Non-Linearity Correction Coefficients"; python-seabreeze keeps the
coefficients in the same order). Above dark, because the polynomial was fitted there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults

Array = NDArray[np.float64]
# A detector further from proportional than this is used where it should not be, or the
# coefficients are those of something else.
LEAST, MOST = 0.5, 1.5
MOST_COEFFICIENTS = 16
_GRID = 4097


@dataclass(frozen=True)
class Linearity:
    """coefficients: of the polynomial in counts above dark, from the constant on; empty: none."""

    coefficients: tuple[float, ...] = ()

    @classmethod
    def checked(cls, coefficients: Sequence[float], full_scale: float) -> Linearity:
        """For a detector whose counts end at `full_scale`.

        Raises Fault(NONLINEARITY_UNUSABLE) where the polynomial leaves 0.5 to 1.5 between 0 and
        full scale, or gives two lights the same counts.
        """
        found = tuple(float(c) for c in coefficients)
        if not found:
            return cls()
        if len(found) > MOST_COEFFICIENTS or not np.all(np.isfinite(found)):
            told = f"{found} are not at most {MOST_COEFFICIENTS} numbers"
            raise Fault(Faults.NONLINEARITY_UNUSABLE, told)
        # In parts of full scale the coefficients are of one size.
        with np.errstate(over="ignore"):
            scaled = np.array(found) * float(full_scale) ** np.arange(len(found))
        least, most = _range(scaled)
        if not (least >= LEAST and most <= MOST):
            raise Fault(
                Faults.NONLINEARITY_UNUSABLE,
                f"the polynomial {found} is {least:.3g} to {most:.3g} between 0 and {full_scale:g} "
                f"counts; expected {LEAST} to {MOST}",
            )
        # Of x / p(x) the slope has the sign of p - x p'.
        rising = scaled * (1.0 - np.arange(len(found)))
        if _range(rising)[0] <= 0:
            raise Fault(
                Faults.NONLINEARITY_UNUSABLE,
                f"by the polynomial {found}, more light gives fewer counts below {full_scale:g}",
            )
        return cls(found)

    def apply(self, light: Array) -> tuple[Array, Array]:
        """What a proportional detector would have given, (P,) counts, for (P,) counts above dark
        that are not 0; and what becomes of small errors: d(ln of these) / d(light), (P,)."""
        if not self.coefficients:
            return light, 1.0 / light
        powers = np.empty((len(self.coefficients), light.size))
        powers[0] = 1.0
        for k in range(1, len(powers)):
            np.multiply(powers[k - 1], light, out=powers[k])
        divisor, rising = self._rows @ powers
        corrected = light / divisor
        return corrected, rising / (divisor * light)

    @cached_property
    def _rows(self) -> Array:
        """Of the polynomial p, and of p - x p', to which the slope of x / p(x) is proportional."""
        found = np.array(self.coefficients)
        return np.stack([found, found * (1.0 - np.arange(found.size))])


PROPORTIONAL = Linearity()


def _range(scaled: Array) -> tuple[float, float]:
    """Least and largest value of a polynomial on 0 to 1.

    On a grid: by Markov's inequality one of degree 15 that is of the size of 1 there cannot stray
    by more than 2e-4 in between.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        values = polynomial.polyval(np.linspace(0.0, 1.0, _GRID), scaled)
    return float(np.min(values)), float(np.max(values))
