"""The Savitzky-Golay step before a laboratory's model, folded into its coefficients.

Filtering is linear, so a model of filtered spectra is one of absorbance with other coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.spectra.preprocessing import correlate_valid, savgol_kernel
from spektron_train.model.linear_path import unfilter

from ..errors import ExportError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Savgol:
    """An odd window in channels, the polynomial's order, and the derivative, per channel."""

    window: int
    order: int
    derivative: int

    @classmethod
    def parse(cls, text: str) -> Savgol:
        """Read WINDOW,ORDER,DERIVATIVE. Raises ValueError."""
        try:
            window, order, derivative = (int(part) for part in text.split(","))
        except ValueError:
            raise ValueError(f"{text!r} is not WINDOW,ORDER,DERIVATIVE, three numbers") from None
        if min(window, order, derivative) < 0:
            raise ValueError(f"{text!r} has a negative number")
        savgol_kernel(window, order, derivative)
        return cls(window, order, derivative)

    @property
    def kernel(self) -> Array:
        """(window,) as `savgol_kernel` gives it."""
        return savgol_kernel(self.window, self.order, self.derivative)


@dataclass(frozen=True)
class Filtering:
    """What a model's features are, made from absorbance over `points` channels.

    whole: the ends are kept, fitted with the window's polynomial as scipy.signal.savgol_filter
    does by default; else half a window is lost at either end. savgol None: absorbance itself.
    """

    savgol: Savgol | None
    points: int
    whole: bool = False

    @classmethod
    def to(cls, savgol: Savgol | None, points: int, features: int) -> Filtering:
        """The filtering that gives that number of features. Raises ExportError."""
        if savgol is None:
            if features != points:
                raise ExportError(
                    f"the model takes {features} features and the spectra have {points} channels; "
                    "if it was fitted on filtered spectra, say --savgol WINDOW,ORDER,DERIVATIVE"
                )
            return cls(None, points)
        if savgol.window > points:
            raise ExportError(
                f"--savgol has a window of {savgol.window}; there are {points} points"
            )
        if features not in (points, points - savgol.window + 1):
            raise ExportError(
                f"the model takes {features} features; filtering {points} channels over "
                f"{savgol.window} gives {points}, or {points - savgol.window + 1} without the ends"
            )
        return cls(savgol, points, whole=features == points)

    @property
    def kernel(self) -> Array:
        """(w,) what the applicability model filters with: it sees what the model sees."""
        return np.ones(1) if self.savgol is None else self.savgol.kernel

    def apply(self, x: Array) -> Array:
        """(n, L) absorbance -> (n, p) features."""
        if self.savgol is None:
            return x
        if not self.whole:
            return correlate_valid(x, self.kernel)
        from scipy.signal import savgol_filter

        s = self.savgol
        filtered: Array = savgol_filter(x, s.window, s.order, s.derivative, axis=-1)
        return filtered

    def fold(self, weights: Array) -> Array:
        """(p, m) coefficients of features -> (L, m) of absorbance."""
        if self.savgol is None:
            return weights
        if not self.whole:
            return unfilter(weights, self.kernel)
        # Row i of the matrix is what channel i alone becomes.
        return self.apply(np.eye(self.points)) @ weights
