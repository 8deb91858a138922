"""One detector's imperfections as far as they are known, and how counts are freed of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bad_pixels import BadPixels, Mask, dead, hot, noisy
from .linearity import PROPORTIONAL, Linearity

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Detector:
    """linearity: of its response; bad: pixels that others stand in for, None without any."""

    linearity: Linearity = PROPORTIONAL
    bad: BadPixels | None = None


PLAIN = Detector()


@dataclass(frozen=True, eq=False)
class Seen:
    """What a pair of references shows: counts (P,), their variances (P,) in counts squared where
    known, and the mean of how many exposures each is at least."""

    dark: Array
    white: Array
    dark_variance: Array | None
    white_variance: Array | None
    exposures: int


def found(seen: Seen, configured: Mask, full_scale: float) -> dict[str, Mask]:
    """Why -> (P,) which pixels: what the configuration names, and what the references show."""
    known = configured | hot(seen.dark, configured, full_scale)
    reasons = {"configured": configured, "hot": known & ~configured}
    reasons["dead"] = dead(seen.dark, seen.white, known, full_scale)
    known = known | reasons["dead"]
    unsteady = np.zeros(known.size, np.bool_)
    for variance in (seen.dark_variance, seen.white_variance):
        if variance is not None:
            unsteady |= noisy(variance, known | unsteady, seen.exposures, full_scale)
    reasons["noisy"] = unsteady
    return reasons
