"""Pixels that cannot be believed: which, why, and what stands in for them.

Straight lines across: what is wider than a few pixels is refused rather than bridged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Beyond these, too little of a band is left to draw a line through.
WIDEST_RUN = 4
LARGEST_SHARE = 0.05
# Neighbours on each side that a pixel is compared with.
_NEIGHBOURS = 4
_DEAD_SHARE = 0.02
_LIT_SHARE = 0.01
_LIT_OF_SCALE = 0.005
_HOT_SPREADS = 20.0
_HOT_SHARE = 0.02
_NOISY_TIMES = 30.0
# Of fewer exposures a variance says too little about one pixel.
FEWEST_EXPOSURES = 4


def configured(
    indices: Sequence[int], ranges_nm: Sequence[tuple[float, float]], axis_nm: Array
) -> Mask:
    """(P,) what the configuration calls bad, by index from 0 and by wavelength, ends included.

    Raises Fault(BAD_PIXELS) for an index or a range that the instrument does not have.
    """
    bad = np.zeros(axis_nm.size, np.bool_)
    for index in indices:
        if not 0 <= index < axis_nm.size:
            told = f"`acquisition.bad_pixels` names {index}; the instrument has {axis_nm.size}"
            raise Fault(Faults.BAD_PIXELS, f"{told} pixels, from 0 on")
        bad[index] = True
    for low, high in ranges_nm:
        inside = (axis_nm >= low) & (axis_nm <= high)
        if not np.any(inside):
            told = f"`acquisition.bad_ranges_nm`: no pixel lies between {low:g} and {high:g} nm"
            raise Fault(Faults.BAD_PIXELS, told)
        bad |= inside
    return bad


def hot(dark: Array, known: Mask, full_scale: float) -> Mask:
    """(P,) pixels whose dark is far above their neighbours': by 20 robust spreads of such
    differences, and by 2 % of full scale."""

    def judge(known: Mask) -> Mask:
        excess = dark - _around(dark, known)
        compared = excess[~known & np.isfinite(excess)]
        spread = 1.4826 * np.median(np.abs(compared)) if compared.size else 0.0
        return excess > max(_HOT_SPREADS * spread, _HOT_SHARE * full_scale)

    return _until_no_more(judge, known)


def dead(dark: Array, white: Array, known: Mask, full_scale: float) -> Mask:
    """(P,) pixels with less than 2 % of their neighbours' light in the white reference.

    Where the neighbours have next to none themselves (1 % of the brightest, 0.5 % of full scale),
    nobody can tell.
    """
    light = white - dark
    least = max(_LIT_SHARE * np.max(light[~known], initial=0.0), _LIT_OF_SCALE * full_scale)

    def judge(known: Mask) -> Mask:
        around = _around(light, known)
        return (around > least) & (light < _DEAD_SHARE * around)

    return _until_no_more(judge, known)


def noisy(variance: Array, known: Mask, exposures: int, full_scale: float) -> Mask:
    """(P,) pixels with 30 times their neighbours' variance, of a mean of exposures, counts squared.

    None for fewer than four exposures: chance alone would find some.
    """
    if exposures < FEWEST_EXPOSURES:
        return np.zeros(variance.size, np.bool_)
    # Counts that stand still on both sides make any other seem infinitely noisy: below a step of
    # 16 bits nobody cares.
    floor = (full_scale / 65536) ** 2 / exposures

    def judge(known: Mask) -> Mask:
        return variance > _NOISY_TIMES * np.maximum(_around(variance, known), floor)

    return _until_no_more(judge, known)


def _until_no_more(judge: Callable[[Mask], Mask], known: Mask) -> Mask:
    """What is found one after the other: bad pixels side by side hide each other at first."""
    found = np.zeros(known.size, np.bool_)
    for _ in range(WIDEST_RUN + 1):
        more = judge(known | found) & ~known & ~found
        if not np.any(more):
            break
        found |= more
    return found


def _around(values: Array, known: Mask) -> Array:
    """(P,) median of up to four good neighbours on each side, the pixel's own value not among them.

    NaN, which nothing is far from, where no neighbour is good.
    """
    padded = np.pad(np.where(known, np.nan, values), _NEIGHBOURS, constant_values=np.nan)
    windows = sliding_window_view(padded, 2 * _NEIGHBOURS + 1).copy()
    windows[:, _NEIGHBOURS] = np.nan
    alone = np.all(np.isnan(windows), axis=1)
    around = np.full(values.size, np.nan)
    around[~alone] = np.nanmedian(windows[~alone], axis=1)
    return around


@dataclass(frozen=True, eq=False)
class BadPixels:
    """What is not believed, and the line across it.

    bad: (P,); reasons: why, by kind of trouble, each (P,).
    """

    bad: Mask = field(repr=False)
    reasons: dict[str, Mask] = field(repr=False)
    _at: NDArray[np.intp] = field(repr=False)
    _left: NDArray[np.intp] = field(repr=False)
    _right: NDArray[np.intp] = field(repr=False)
    _share: Array = field(repr=False)

    @classmethod
    def of(cls, axis_nm: Array, reasons: dict[str, Mask]) -> BadPixels:
        """axis_nm: (P,) increasing. At an end of the axis the nearest good pixel holds.

        Raises Fault(BAD_PIXELS) where more than four in a row, or more than 5 % of all, are bad.
        """
        bad = np.zeros(axis_nm.size, np.bool_)
        for mask in reasons.values():
            bad |= mask
        at = np.flatnonzero(bad)
        if at.size > LARGEST_SHARE * axis_nm.size:
            told = f"{at.size} of {axis_nm.size} pixels are bad, more than {LARGEST_SHARE:.0%}"
            raise Fault(Faults.BAD_PIXELS, f"{told}: {in_words(reasons, axis_nm)}")
        for run in _runs(at):
            if run.size > WIDEST_RUN:
                told = (
                    f"{run.size} bad pixels in a row, {axis_nm[run[0]]:.1f} to "
                    f"{axis_nm[run[-1]]:.1f} nm; the most is {WIDEST_RUN}"
                )
                raise Fault(Faults.BAD_PIXELS, f"{told}: {in_words(reasons, axis_nm)}")
        good = np.flatnonzero(~bad)
        after = np.searchsorted(good, at)
        left = good[np.maximum(after - 1, 0)]
        right = good[np.minimum(after, good.size - 1)]
        apart = axis_nm[right] - axis_nm[left]
        share = np.where(left < right, (axis_nm[at] - axis_nm[left]) / np.where(apart, apart, 1), 0)
        return cls(bad, reasons, at, left, right, share)

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return self._at.size > 0

    @property
    def indices(self) -> tuple[int, ...]:
        """Of the bad pixels, from 0 on."""
        return tuple(int(i) for i in self._at)

    def bridge(self, values: Array) -> None:
        """Draw a straight line in wavelength across the bad pixels of values (P,)."""
        at, share = self._at, self._share
        values[at] = (1 - share) * values[self._left] + share * values[self._right]

    def bridge_variance(self, variance: Array) -> None:
        """The same to variances (P,) of values whose errors are independent."""
        at, share = self._at, self._share
        variance[at] = (1 - share) ** 2 * variance[self._left] + share**2 * variance[self._right]


def in_words(reasons: dict[str, Mask], axis_nm: Array) -> str:
    """Every bad pixel by index and wavelength, as far as a reader cares: eight of each kind."""
    told = []
    for why, mask in reasons.items():
        at = np.flatnonzero(mask)
        if at.size:
            named = ", ".join(f"{i} ({axis_nm[i]:.1f} nm)" for i in at[:8])
            more = f" and {at.size - 8} more" if at.size > 8 else ""
            told.append(f"{why} {named}{more}")
    return "; ".join(told) or "none"


def _runs(at: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    return np.split(at, np.flatnonzero(np.diff(at) > 1) + 1) if at.size else []
