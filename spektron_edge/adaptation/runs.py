"""Spectra come in runs: a sample lies in the beam for a while, and is one observation.

A spectrum belongs to the run whose first one it is like; a sample that drifts away from it begins a
new one. Of each run one spectrum counts, when the run has become half as long as runs usually
are: what is seen while samples are changed is shorter, and never counts.
"""

from __future__ import annotations

import statistics
from collections import deque

import numpy as np

from .gauge import Gauge

# Of the source's median distance to the nearest other sample. Repeats at 1e-4 absorbance scatter by
# a twentieth of it on corn, where the closest two samples are 0.43 apart.
_LIKE = 0.4
_USUAL_OF = 16
# Autocorrelation from which on it is thinned, and to which (`make bench NAME=adapt_drift`).
_RELATED, _THINNED_TO = 0.15, 0.1
_MOST_PASSED = 12
_REMEMBERED = 32


class Runs:
    """Follows one stream."""

    def __init__(self, spacing: float, q_limit: float) -> None:
        """spacing: of the source's scores, whitened; q_limit: of Q, squared filtered absorbance."""
        self._near, self._q_limit = _LIKE * spacing, q_limit
        self._first: Gauge | None = None
        self._lengths: deque[int] = deque(maxlen=_USUAL_OF)
        self.length = 0

    def take(self, measured: Gauge) -> bool:
        """Whether this spectrum counts as an observation."""
        if self._first is None or not self._like(self._first, measured):
            if self._first is not None:
                self._lengths.append(self.length)
            self._first, self.length = measured, 0
        self.length += 1
        usual = statistics.median(self._lengths) if self._lengths else 1.0
        return self.length == max(1, int(np.ceil(usual / 2)))

    def _like(self, first: Gauge, later: Gauge) -> bool:
        scores = float(np.sum((first.scores - later.scores) ** 2))
        rest = float(np.sum((first.residual - later.residual) ** 2))
        # Noise shows in the residual of both; a NaN is like nothing.
        return scores <= self._near**2 and rest <= self._q_limit


class Thinned:
    """Samples that follow each other tell less than as many independent ones: some are passed over.

    How much they do is seen in the mean squared step from one to the next, against that between
    two of the source. A stream that varies much less than the source is taken for such a one.
    """

    def __init__(self) -> None:
        self._last: Gauge | None = None
        self._step = 1.0
        self._waited = 0

    def take(self, measured: Gauge) -> bool:
        """Whether a distinct sample counts."""
        if self._last is not None:
            step = float(np.mean((measured.scores - self._last.scores) ** 2)) / 2
            # One sample far away is one step out and one back, and must not hide the rest.
            self._step += (min(step, 2.0) - self._step) / _REMEMBERED
        self._last = measured
        self._waited += 1
        if self._waited < self.every:
            return False
        self._waited = 0
        return True

    @property
    def every(self) -> int:
        """Of so many samples one counts."""
        related = 1.0 - self._step
        if related <= _RELATED:
            return 1
        related = min(related, 0.99)
        return min(_MOST_PASSED, int(np.ceil(np.log(_THINNED_TO) / np.log(related))))
