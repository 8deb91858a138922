"""Absorbance or reflectance: bringing a target's quantity to the source's."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .problem import TransferError

Array = NDArray[np.float64]
Conversion = Literal["none", "-log10", "10^-"]
CONVERSIONS: tuple[Conversion, ...] = get_args(Conversion)
# What a conversion has to save of the misfit, so that scatter alone does not ask for one.
_CLEAR = 0.5


def convert(spectra: Array, conversion: Conversion) -> Array:
    """(k, P) in the other quantity. Raises TransferError for a logarithm of nothing."""
    if conversion == "none":
        return spectra
    if conversion == "10^-":
        return np.power(10.0, -np.clip(spectra, -10.0, 10.0))
    if np.any(spectra <= 0):
        row, column = np.argwhere(spectra <= 0)[0]
        raise TransferError(
            f"spectrum {row} of the target has {spectra[row, column]:g} at channel {column}, which "
            "has no logarithm; leave it out, or give the target's spectra as absorbance"
        )
    return -np.log10(spectra)


def find_conversion(source: Array, target: Array) -> Conversion:
    """The conversion after which target spectra (n, L) follow source spectra best, if clearly.

    Judged by the share of the target's differences between channels and between samples that a
    multiple of the source's leaves over; a negative multiple counts against it.
    """
    misfits: dict[Conversion, float] = {"none": _misfit(source, target)}
    if np.all(target > 0):
        misfits["-log10"] = _misfit(source, convert(target, "-log10"))
    if np.all(np.abs(target) < 10):
        misfits["10^-"] = _misfit(source, convert(target, "10^-"))
    best = min(misfits, key=lambda name: misfits[name])
    return best if misfits[best] < _CLEAR * misfits["none"] else "none"


def _misfit(source: Array, target: Array) -> float:
    s, t = np.diff(source, axis=1), np.diff(target, axis=1)
    cross, power = float(np.sum(s * t)), float(np.sum(s * s)) * float(np.sum(t * t))
    return 1.0 if power <= 0 else 1 - cross * abs(cross) / power
