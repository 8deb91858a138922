"""What a wider or narrower line shape makes of a spectrum: light is averaged, not absorbance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Channels that a spectrum is continued by, and the noise that Wiener's filter reckons with.
_BEYOND = 64
_WIENER = 0.01
_STEP = 0.05
_DARKEST = 1e-6


def broadened(spectrum: Array, variance: float) -> Array:
    """(L,) absorbance with a Gaussian of that variance (channels squared) added to the line shape.

    A negative variance is taken away, by Wiener's filter. Beyond the ends light goes on
    point-symmetrically.
    """
    if not variance:
        return spectrum
    light = 10.0**-spectrum
    beyond = min(_BEYOND, spectrum.size - 1)
    padded = np.pad(light, beyond, mode="reflect", reflect_type="odd")
    # A straight line takes the step from one end to the other away, which is no frequency.
    line = np.linspace(padded[0], padded[-1], padded.size)
    squares = np.square(2 * np.pi * np.fft.rfftfreq(padded.size), dtype=np.float64)
    wide = np.fft.irfft(np.fft.rfft(padded - line) * _response(squares, variance), padded.size)
    wide = (wide + line)[beyond : beyond + spectrum.size]
    absorbance: Array = -np.log10(np.maximum(wide, _DARKEST))
    return absorbance


def broadening(spectrum: Array, variance: float) -> Array:
    """(L,) change of `broadened` per channel squared, at that variance."""
    there, here = (broadened(spectrum, variance + step) for step in (_STEP, -_STEP))
    change: Array = (there - here) / (2 * _STEP)
    return change


def _response(squares: Array, variance: float) -> Array:
    blur = np.exp(-0.5 * abs(variance) * squares)
    response: Array = blur if variance > 0 else (1 + _WIENER) * blur / (blur**2 + _WIENER)
    return response
