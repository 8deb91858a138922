"""The last sound spectra of the instrument, for a sample that an operator says lies in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.clock import Stamp, age_s
from spektron_edge.faults import Fault, Faults

KEPT = 64
MAX_AGE_S = 60.0


@dataclass(frozen=True, eq=False)
class RecentSpectrum:
    """absorbance (P,) on axis_nm (P,); boot_id and number: the instrument's own of the scan."""

    serial: str
    boot_id: int
    number: int
    axis_nm: NDArray[np.float64]
    absorbance: NDArray[np.float64]
    taken: Stamp


class Recent:
    """The last 64 of them, of one instrument."""

    def __init__(self) -> None:
        self._spectra: deque[RecentSpectrum] = deque(maxlen=KEPT)

    def put(self, spectrum: RecentSpectrum) -> None:
        """Add one; those of another instrument, or on another axis, are forgotten."""
        if self._spectra:
            last = self._spectra[-1]
            if last.serial != spectrum.serial or not np.array_equal(last.axis_nm, spectrum.axis_nm):
                self._spectra.clear()
        self._spectra.append(spectrum)

    def take(
        self, serial: str, count: int, now: Stamp, served: Collection[tuple[int, int]]
    ) -> list[RecentSpectrum]:
        """The last `count` of an instrument that are not older than a minute.

        served: boot id and number of scans that belong to a sample already. Raises
        Fault(SAMPLE_REFUSED) where there are fewer, saying how many are missing.
        """
        found = [
            spectrum
            for spectrum in self._spectra
            if spectrum.serial == serial
            and (spectrum.boot_id, spectrum.number) not in served
            and (age := age_s(spectrum.taken, now)) is not None
            and age <= MAX_AGE_S
        ]
        if len(found) < count:
            raise Fault(
                Faults.SAMPLE_REFUSED,
                f"{len(found)} sound spectra of the last {MAX_AGE_S:.0f} s belong to no sample "
                f"yet, and {count} are needed: put the sample in place, wait for "
                f"{count - len(found)} more scans of {serial}, then add it again",
            )
        return found[-count:]
