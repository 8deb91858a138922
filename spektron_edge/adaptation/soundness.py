"""Spectra that look like none: a detector that stands still, a beam with nothing in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults
from spektron_edge.spectra.scan import Scan

from .gauge import Gauge

# Noise changes a count from scan to scan; a count that stays for so many scans is not measured.
_STILL_SCANS = 10
# Where there is hardly light, noise can be below one count in a few channels.
_STILL_SHARE = 0.05
# Features of a sound spectrum, over those of the source's mean (0.9 to 1.1 on corn and its other
# instruments).
_FEATURE = (0.3, 3.0)


@dataclass
class Stillness:
    """Follows the counts of one instrument."""

    _last: NDArray[np.float64] | None = None
    _since: NDArray[np.int64] | None = None

    def take(self, scan: Scan) -> Fault | None:
        """The fault that channels do not change any more, if so."""
        counts = np.asarray(scan.counts, np.float64)
        last, self._last = self._last, counts
        if last is None or self._since is None or last.shape != counts.shape:
            self._since = np.zeros(counts.shape, np.int64)
            return None
        self._since = np.where(counts == last, self._since + 1, 0)
        still = self._since >= _STILL_SCANS
        if still.mean() < _STILL_SHARE:
            return None
        detail = (
            f"{int(still.sum())} of {still.size} channels gave the same count in the last "
            f"{_STILL_SCANS + 1} scans, to scan {scan.number}: noise must move them"
        )
        return Fault(Faults.DETECTOR_STUCK, detail)


def empty(measured: Gauge) -> Fault | None:
    """The fault that a spectrum has hardly any of the source's features, or far too large ones."""
    low, high = _FEATURE
    if low <= measured.feature <= high:
        return None
    detail = f"the spectrum's features are {measured.feature:.2f} times the source's"
    return Fault(Faults.NO_SAMPLE, detail)
