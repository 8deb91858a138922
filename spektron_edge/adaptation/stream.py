"""One instrument's spectra as they come: which are sound, which may be learned from, and whether
they drift. Costs a millisecond a scan at most, and never touches a file."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault
from spektron_edge.spectra.scan import Scan

from .drift import Drift, DriftWatch, Nearest
from .gauge import Gauge, gauge
from .growing import growing
from .ring import Entry, Ring
from .runs import Runs, Thinned
from .seen import Seen
from .soundness import Stillness, empty
from .yardstick import Yardstick

Array = NDArray[np.float64]
# Scans of the sample in the beam that a stability sample may be made of.
_IN_BEAM = 10


@dataclass(frozen=True, eq=False)
class InBeam:
    """A sound scan of the sample that lies in the beam now. values: (m,) as published."""

    boot_id: int
    number: int
    spectrum: Array
    values: Array


class Stream:
    """Since the last change of bundle, instrument, axis or of what is in use."""

    def __init__(self, yardstick: Yardstick) -> None:
        limits = yardstick.domain.applicability
        self._yardstick = yardstick
        self._runs = Runs(yardstick.spacing, limits.q_limit)
        self._thinned = Thinned()
        self._stillness = Stillness()
        self._watch = DriftWatch(yardstick.ranks)
        self._run = 0
        self.ring = Ring(limits.t2_limit, limits.q_limit)
        self.in_beam: deque[InBeam] = deque(maxlen=_IN_BEAM)
        self.sound = 0
        self.samples = 0

    def take(self, scan: Scan, seen: Seen, values: Array) -> Fault | Gauge | None:
        """A scan that could be evaluated: what is wrong with it, or where it lies if it is the
        observation of a distinct sample, else None."""
        measured = gauge(self._yardstick.domain, seen.corrected, seen.z_inst)
        fault = self._stillness.take(scan) or empty(measured)
        if fault is not None or not np.all(np.isfinite(seen.measured)):
            self.in_beam.clear()
            return fault
        self.sound += 1
        new = self._runs.length
        counts = self._runs.take(measured)
        if self._runs.length <= new or new == 0:
            self._run += 1
            self.in_beam.clear()
        self.in_beam.append(InBeam(scan.boot_id, scan.number, seen.measured, values))
        limits = self._yardstick.domain.applicability
        entry = Entry(
            scan.boot_id,
            scan.number,
            self.sound,
            self._run,
            seen.measured,
            measured,
            not (measured.t2 <= limits.t2_limit and measured.q <= limits.q_limit),
            seen.z_inst,
            seen.z_chem,
        )
        self.ring.put(entry, counts=counts)
        if not counts:
            return None
        self.samples += 1
        if self._thinned.take(measured):
            self._watch.take(measured, (scan.boot_id, scan.number), self.sound)
        return measured

    @property
    def drift(self) -> Drift | None:
        """The drift that goes on."""
        return self._watch.drift

    @property
    def nearest(self) -> Nearest | None:
        """How far the statistic is that is farthest."""
        return self._watch.nearest

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What an adaptation may learn from: since the drift began, if there is one."""
        drift = self.drift
        begun = 0 if drift is None else drift.order
        return tuple(entry for entry in self.ring.entries if entry.order >= begun)

    @property
    def growing(self) -> str:
        """Why the change is not over; empty where it stands or is not known."""
        return growing(self.entries) if self.drift is not None else ""
