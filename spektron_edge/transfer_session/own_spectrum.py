"""Whether a cup's spectrum is, by its shape, that of its own sample in the source, or, of a sample
that the source does not know, of the source's kind.

Scale, offset and a baseline of second order are what instruments and cups differ in most, and do
not count. What is left is correlated, as measured and with the target's axis moved: a wrong axis,
an empty place, reflectance, or something else altogether show at the first cup, before other pairs
can say how the instruments differ. What right and wrong cups came to stands in decision 21.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.said import Sayings

Array = NDArray[np.float64]
# Of the agreement: right cups, even of a much coarser instrument, come to 0.9 and above.
_FOLLOWS, _UPSIDE_DOWN = 0.6, -0.7
# No axis is moved for spectra that agree so well.
_NO_DOUBT = 0.98
# Axes of instruments are wrong by less than this; more was written down wrongly.
_SHIFTED_NM = 15.0
# What moving has to come to, and what share of the disagreement it may leave.
_MOVED_FOLLOWS, _LEFT_OVER = 0.9, 0.25
_MOST_SHIFT_NM, _STEP_NM = 150.0, 5.0
# Of the spectrum itself: less is the rounding of a straight line.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class OwnSpectrum:
    """agreement: with the source's spectrum, 1 for one shape, 0 for none in common, -1 for one
    upside down; shift_nm: what the target's axis is clearly too large by, None where it is not;
    flat: whether there is no spectrum but a smooth baseline."""

    agreement: float
    shift_nm: float | None = None
    flat: bool = False

    @property
    def follows(self) -> bool:
        """Whether it may be what it is said to be."""
        return self.shift_nm is None and not self.flat and self.agreement >= _FOLLOWS

    @property
    def told(self) -> str:
        """What is wrong with it, and what to do; empty where it follows."""
        if self.follows:
            return ""
        if self.flat:
            return str(Sayings.NO_SPECTRUM.of())
        if self.shift_nm is not None:
            return shifted(self.shift_nm)
        if self.agreement <= _UPSIDE_DOWN:
            return str(Sayings.UPSIDE_DOWN.of())
        return str(Sayings.LITTLE_IN_COMMON.of(agreement=self.agreement))


def shifted(shift_nm: float) -> str:
    """That it fits so only, with what to do."""
    moved = Sayings.AXIS_LOWERED if shift_nm > 0 else Sayings.AXIS_RAISED
    return str(moved.of(nm=abs(shift_nm)))


def structure(spectrum: Array) -> float:
    """Root mean square of what a quadratic leaves of a spectrum (L,)."""
    return float(np.sqrt(np.mean(_flattened(spectrum) ** 2)))


def own_spectrum(source: Array, target: Array, axis: Array) -> OwnSpectrum:
    """source: (L,) of the same sample, or the mean of all; target: (L,); both on the shared axis
    (L,) nm."""
    if structure(target) <= _ROUNDING * float(np.abs(target).max()):
        return OwnSpectrum(0.0, flat=True)
    agreement = _agreement(source, target)
    if agreement >= _NO_DOUBT:
        return OwnSpectrum(agreement)
    best, shift = agreement, 0.0
    reach = min(_MOST_SHIFT_NM, 0.5 * float(axis[-1] - axis[0]))
    steps = int(reach / _STEP_NM)
    for step in (_STEP_NM * k for k in range(-steps, steps + 1) if k):
        inside = (axis + step >= axis[0]) & (axis + step <= axis[-1])
        there = np.interp(axis[inside] + step, axis, target)
        moved = _agreement(source[inside], there)
        if moved > best:
            best, shift = moved, step
    clear = best >= _MOVED_FOLLOWS and 1 - best <= _LEFT_OVER * (1 - agreement)
    return OwnSpectrum(agreement, shift if clear and abs(shift) >= _SHIFTED_NM else None)


def _agreement(one: Array, other: Array) -> float:
    """Correlation of what quadratics leave; 0 where nothing is left."""
    a, b = _flattened(one), _flattened(other)
    power = float(a @ a) * float(b @ b)
    return float(a @ b) / float(np.sqrt(power)) if power > 0 else 0.0


def _flattened(spectrum: Array) -> Array:
    u = np.linspace(-1.0, 1.0, spectrum.size)
    basis, _ = np.linalg.qr(np.polynomial.legendre.legvander(u, 2))
    left: Array = spectrum - basis @ (basis.T @ spectrum)
    return left
