"""Spectra of source and target made comparable, so that a cup can be recognised.

Second derivatives on the shared channels, the target's scaled and shifted by what the pairs so far
show. The shift is a median over pairs: one wrong cup among three does not move it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults
from spektron_edge.transfer import TransferError
from spektron_edge.transfer.axes import Overlap, overlap
from spektron_edge.transfer.filters import Filter, filters_for
from spektron_edge.transfer.quantity import convert, find_conversion

from .distances import nearest
from .own_spectrum import OwnSpectrum, own_spectrum, structure
from .source import Source

Array = NDArray[np.float64]
# Of the structure of whole source spectra: in shared channels with less, shapes tell nothing.
_TELLING = 0.2


@dataclass(frozen=True, eq=False)
class Footing:
    """plain, filtered: (N, L) and (N, C) source spectra on the shared channels and filtered.

    samples: (N,) their ids; telling: whether the shared channels hold enough of the source's bands
    that one spectrum's shape says something.
    """

    samples: tuple[str, ...]
    shared: Overlap
    filter: Filter
    plain: Array
    filtered: Array
    telling: bool

    @cached_property
    def loneliest(self) -> float:
        """The largest distance of a filtered source spectrum to its nearest neighbour."""
        return float(np.sqrt(nearest(self.filtered).max()))

    @classmethod
    def of(cls, source: Source, target_axis: Array) -> Footing:
        """target_axis: (P,) nm. Raises Fault(TRANSFER_INPUT) where the axes do not overlap."""
        try:
            shared = overlap(source.axis, target_axis)
        except TransferError as error:
            raise Fault(Faults.TRANSFER_INPUT, str(error)) from None
        plain = shared.source(source.x)
        filter_ = filters_for(plain.shape[1])[2]
        whole, seen = structure(source.x.mean(axis=0)), structure(plain.mean(axis=0))
        telling = seen > _TELLING * whole
        return cls(source.samples, shared, filter_, plain, filter_.apply(plain), telling)

    def own(self, row: int | None, target: Array) -> OwnSpectrum:
        """Of a target spectrum (P,) that is said to be of source sample `row`, or of a new one."""
        known = self.plain.mean(axis=0) if row is None else self.plain[row]
        found = own_spectrum(known, self.shared.target(target[None])[0], self.shared.axis)
        return found if self.telling or found.flat else OwnSpectrum(1.0)

    def moved(self, target: Array, rows: list[int], pairs: Array) -> Array:
        """(k, P) target spectra -> (k, C), comparable to `filtered`.

        rows: (n,) source rows of the pairs; pairs: (n, P) their target spectra, one at least.
        """
        on_shared, paired = self.shared.target(target), self.shared.target(pairs)
        conversion = find_conversion(self.plain[rows], paired)
        # What has no logarithm stays as it is: it is unlike everything then, and shows as that.
        with contextlib.suppress(TransferError):
            on_shared, paired = convert(on_shared, conversion), convert(paired, conversion)
        filtered, seen = self.filter.apply(on_shared), self.filter.apply(paired)
        known = self.filtered[rows]
        size = np.linalg.norm(seen, axis=1)
        scale = float(np.median(np.linalg.norm(known, axis=1) / np.where(size > 0, size, 1.0)))
        shift = np.median(known - scale * seen, axis=0)
        comparable: Array = scale * filtered + shift
        return comparable
