"""A sample's axis beside the instrument's: the daemon uses a transfer on the latter alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults
from spektron_edge.spectra.resampling import same_axis

Array = NDArray[np.float64]
# What one decimal rounds to, and of a step between channels.
_ROUNDED_NM, _OF_STEP = 0.051, 0.1


def on_instrument(axis: Array, known: Array | None, serial: str) -> Array:
    """The axis (P,) nm that a sample counts as measured on: the instrument's, where it is known.

    Raises Fault(TRANSFER_INPUT) where rounding does not explain the difference.
    """
    if known is None:
        return axis
    if axis.shape != known.shape:
        detail = f"{axis.size} wavelengths were given, and {serial} has {known.size} channels"
        raise Fault(Faults.TRANSFER_INPUT, detail)
    apart = np.abs(axis - known)
    if np.any(apart > min(_ROUNDED_NM, _OF_STEP * float(np.diff(known).min()))):
        at = int(np.argmax(apart))
        raise Fault(
            Faults.TRANSFER_INPUT,
            f"{axis[at]:g} nm is {known[at]:.3f} nm on {serial}: give the wavelengths as the "
            "instrument has them, to 0.001 nm",
        )
    return known


def check_axis(axis: Array, known: Array | None, serial: str) -> None:
    """Before the fit. Raises Fault(TRANSFER_FAILED) where the daemon would refuse what is made."""
    if known is not None and not same_axis(axis, known):
        raise Fault(
            Faults.TRANSFER_FAILED,
            f"the samples are on another wavelength axis than {serial} has, which could not use "
            "what is made of them: discard and start again, with wavelengths to 0.001 nm",
        )
