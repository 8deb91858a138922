"""What a method is fitted to, read and checked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..inputs import Inputs, labels_of, pairs_of
from ..problem import LEAST_UNPAIRED, Problem, TransferError, library_rows, matrix

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Given:
    """Training data on one axis of L channels; N source spectra, n transfer samples, m properties.

    source: (N, L); y: (N, m); pairs_source: (n, L), or (0, L) where the transfer samples were
    measured on the target alone; pairs_target: (n, L); labels: (n, m) references of the transfer
    samples, NaN where unknown; unpaired: (u, L) target spectra of other samples; standards_source,
    standards_target: (k, L) standards that are no samples; one_property: whether y was a vector.
    """

    source: Array
    y: Array
    pairs_source: Array
    pairs_target: Array
    labels: Array
    unpaired: Array
    standards_source: Array
    standards_target: Array
    one_property: bool

    @property
    def has(self) -> frozenset[str]:
        """Of "pairs", "labels" (of three transfer samples), "unpaired" and "standards", what is
        there.
        """
        there = {
            "pairs": len(self.pairs_source) > 0,
            "labels": int(self.labelled.sum()) >= 3,
            "unpaired": len(self.unpaired) >= LEAST_UNPAIRED,
            "standards": len(self.standards_source) > 0,
        }
        return frozenset(name for name, given in there.items() if given)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(n,) transfer samples whose references are all known."""
        known: NDArray[np.bool_] = np.all(np.isfinite(self.labels), axis=1)
        return known

    def without(self, pair: int) -> Given:
        """All but one of the transfer samples."""
        kept = np.arange(len(self.pairs_target)) != pair
        return replace(
            self,
            pairs_source=self.pairs_source[kept],
            pairs_target=self.pairs_target[kept],
            labels=self.labels[kept],
        )

    def problem(self) -> Problem:
        """As the modules of `spektron_edge.transfer` take it; positions are channel numbers."""
        return Problem(
            self.source,
            self.y,
            np.arange(self.source.shape[1], dtype=np.float64),
            self.pairs_source,
            self.pairs_target,
            self.labels,
            library_rows(self.source, self.pairs_source),
            self.unpaired,
        )


def read(
    source_X: ArrayLike,
    source_y: ArrayLike,
    pairs_source: ArrayLike | None,
    pairs_target: ArrayLike | None,
    labels: ArrayLike | None,
    unpaired: ArrayLike | None,
    standards: tuple[ArrayLike | None, ArrayLike | None],
) -> Given:
    """Raises TransferError for anything that cannot be used, with what to do about it."""
    source = matrix("source_X", source_X)
    channels = source.shape[1]
    if channels < 8:
        raise TransferError(f"source_X has {channels} channels; at least eight are needed")
    axis = np.arange(channels, dtype=np.float64)
    inputs = Inputs.read(source, axis, source_y, None)
    nothing = np.empty((0, channels))
    if pairs_source is None and pairs_target is not None and labels is not None:
        s, t = nothing, _spectra("pairs_target", pairs_target, channels)
        known = labels_of(inputs, t, labels, library_labels=False)
    else:
        for name, spectra in (("pairs_source", pairs_source), ("pairs_target", pairs_target)):
            if spectra is not None:
                _spectra(name, spectra, channels)
        s, t = pairs_of(inputs, pairs_source, pairs_target, None)
        known = labels_of(inputs, s, labels, library_labels=True)
    others = nothing if unpaired is None else _spectra("unpaired", unpaired, channels)
    on_source, on_target = _standards(standards, channels)
    return Given(inputs.x, inputs.y, s, t, known, others, on_source, on_target, inputs.one_property)


def _spectra(name: str, value: ArrayLike, channels: int) -> Array:
    spectra = matrix(name, value)
    if spectra.shape[1] != channels:
        raise TransferError(
            f"{name} has {spectra.shape[1]} channels and the source {channels}; bring both "
            "instruments to one axis first"
        )
    return spectra


def _standards(
    standards: tuple[ArrayLike | None, ArrayLike | None], channels: int
) -> tuple[Array, Array]:
    source, target = standards
    if (source is None) != (target is None):
        raise TransferError("give standards_source and standards_target both, or neither")
    if source is None or target is None:
        return np.empty((0, channels)), np.empty((0, channels))
    s = _spectra("standards_source", source, channels)
    t = _spectra("standards_target", target, channels)
    if len(s) != len(t):
        raise TransferError(
            f"standards_source holds {len(s)} spectra and standards_target {len(t)}; row i of both "
            "must be the same standard"
        )
    return s, t
