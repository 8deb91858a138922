"""Whether the stream has left the source: a rank CUSUM a statistic, told at a known error rate.

Observations are distinct samples (`runs.py`). Memory does not grow with the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spektron_edge.said import Sayings

from .cusum import Ranks
from .gauge import Gauge

EvidenceKind = Literal["instrument", "unknown"]
ScanKey = tuple[int, int]
# A change of the samples raises them as well: measured on corn with contents 4 standard deviations
# away. A wavelength error is never seen there.
_OF_SAMPLES = ("t2", "neighbour")
_WAVELENGTH = ("wavelength_up", "wavelength_down")
_SAID: dict[tuple[bool, EvidenceKind], Sayings] = {
    (True, "instrument"): Sayings.DRIFT_NM_INSTRUMENT,
    (True, "unknown"): Sayings.DRIFT_NM,
    (False, "instrument"): Sayings.DRIFT_INSTRUMENT,
    (False, "unknown"): Sayings.DRIFT,
}
# A sum stops here, so that a long drift is forgotten as fast as a short one.
_CAP = 2.0


@dataclass(frozen=True)
class Drift:
    """statistic: the first that told; since: boot id and number of the scan where it began, order:
    the same as the stream counts; size: mean since then, in nm for a wavelength, else over the
    source's median; evidence_kind: whether it points to the instrument; telling: all that tell now.
    """

    statistic: str
    since: ScanKey
    order: int
    size: float
    evidence_kind: EvidenceKind
    telling: tuple[str, ...]

    @property
    def told(self) -> str:
        """In a sentence."""
        said = _SAID[self.statistic in _WAVELENGTH, self.evidence_kind]
        telling = ", ".join(self.telling)
        return str(
            said.of(statistic=self.statistic, size=self.size, scan=self.since[1], telling=telling)
        )


@dataclass
class _Sum:
    ranks: Ranks
    now: float = 0.0
    since: ScanKey = (0, 0)
    order: int = 0
    total: float = 0.0
    count: int = 0
    tells: bool = False

    def take(self, value: float, scan: ScanKey, order: int) -> None:
        after = self.now + self.ranks.step(value)
        if after <= 0.0:
            self.now, self.total, self.count, self.tells = 0.0, 0.0, 0, False
            return
        if self.now == 0.0:
            self.since, self.order = scan, order
        self.now = min(after, _CAP * self.ranks.threshold)
        self.total += value if np.isfinite(value) else 0.0
        self.count += 1
        self.tells = self.tells or self.now > self.ranks.threshold


@dataclass(frozen=True)
class Nearest:
    """The statistic of which a drift would be told next. share: its sum over its threshold."""

    statistic: str
    share: float


class DriftWatch:
    """Follows one instrument's stream since the last reset."""

    def __init__(self, ranks: Mapping[str, Ranks]) -> None:
        self._sums = {name: _Sum(of) for name, of in ranks.items()}
        self._order: list[str] = []

    def take(self, measured: Gauge, scan: ScanKey, order: int = 0) -> Drift | None:
        """One distinct sample, `order` of the stream; the drift that goes on, if any."""
        for name, value in measured.statistics.items():
            # Not known is not far: a stream without z_inst is judged by the rest.
            if name != "z_inst" or np.isfinite(value):
                self._sums[name].take(value, scan, order)
        telling = [name for name, of in self._sums.items() if of.tells]
        self._order = [n for n in self._order if n in telling]
        self._order += [n for n in telling if n not in self._order]
        return self.drift

    @property
    def drift(self) -> Drift | None:
        """The drift that goes on now."""
        if not self._order:
            return None
        first = self._order[0]
        of = self._sums[first]
        mean = of.total / max(of.count, 1)
        usual = 1.0 if first in _WAVELENGTH else float(np.median(of.ranks.values))
        kind: EvidenceKind = "instrument" if self._of_instrument() else "unknown"
        return Drift(first, of.since, of.order, mean / usual, kind, tuple(self._order))

    @property
    def nearest(self) -> Nearest | None:
        """The largest sum; None where there is no statistic."""
        shares = [Nearest(name, of.now / of.ranks.threshold) for name, of in self._sums.items()]
        return max(shares, key=lambda one: one.share, default=None)

    def _of_instrument(self) -> bool:
        told = set(self._order)
        return bool(told & set(_WAVELENGTH)) or ("z_inst" in told and not told & set(_OF_SAMPLES))
