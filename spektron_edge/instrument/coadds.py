"""Scans of one kind averaged on the host, with what they scatter by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_bridge.coadding import Coadd
from spektron_edge.spectra.scan import Scan


class Coadds:
    """`wanted` scans become one; each but the last is used up by that."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._scans: list[Scan] = []
        self._coadd: Coadd | None = None

    def add(self, scan: Scan) -> Scan | None:
        """The mean, once enough are together: numbered and stamped as the last of them, as
        saturated as the worst, its lamp as warm as the coldest."""
        if self._wanted == 1:
            return scan
        if self._coadd is None:
            self._coadd = Coadd(scan.counts.size)
        self._coadd.add(scan.counts)
        # Of the others nobody needs the counts any more.
        self._scans.append(replace(scan, counts=scan.counts[:0]))
        if self._coadd.count < self._wanted:
            return None
        coadd, scans = self._coadd, self._scans
        self._coadd, self._scans = None, []
        full = [s.full for s in scans if s.full is not None]
        return replace(
            scan,
            counts=coadd.mean,
            variance=coadd.variance_of_mean,
            averages=sum(s.averages for s in scans),
            lamp=min(s.lamp for s in scans),
            saturated=max(s.saturated for s in scans),
            full=np.any(full, axis=0) if full else None,
            temperature_c=float(np.mean([s.temperature_c for s in scans])),
            dark_level=float(np.mean([s.dark_level for s in scans])),
        )
