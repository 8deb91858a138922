"""What `fit` was given, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .axes import Overlap, overlap
from .problem import (
    LEAST_PAIRS,
    LEAST_SOURCE,
    Differences,
    TransferError,
    axis_values,
    library_rows,
    matrix,
    references,
    varying,
)
from .quantity import CONVERSIONS, Conversion, find_conversion

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class History:
    """Pairs of the source with another instrument, or standards measured on source and target.

    source: (k, S) on the source's axis; other: (k, P) on `axis` (P,) of the other instrument.
    """

    source: ArrayLike
    other: ArrayLike
    axis: ArrayLike


@dataclass(frozen=True, eq=False)
class Inputs:
    """The source (N, S) with references (N, m), and the target's axis (P,)."""

    x: Array
    source_axis: Array
    y: Array
    target_axis: Array
    one_property: bool

    @classmethod
    def read(
        cls,
        source_X: ArrayLike,
        source_axis: ArrayLike,
        source_y: ArrayLike,
        target_axis: ArrayLike | None,
    ) -> Inputs:
        """Raises TransferError for anything that cannot be calibrated with."""
        axis = axis_values("source_axis", source_axis)
        x = matrix("source_X", source_X, axis.size)
        if len(x) < LEAST_SOURCE:
            raise TransferError(
                f"source_X holds {len(x)} spectra; a calibration needs at least {LEAST_SOURCE}"
            )
        y = references("source_y", source_y, len(x), gaps=False)
        if np.any(y.std(axis=0) == 0):
            column = int(np.argmax(y.std(axis=0) == 0))
            raise TransferError(
                f"property {column} of source_y is the same for all samples; leave it out"
            )
        if np.all(np.ptp(x, axis=0) == 0):
            raise TransferError(
                "source_X holds the same spectrum throughout; nothing can be learned"
            )
        target = axis if target_axis is None else axis_values("target_axis", target_axis)
        return cls(x, axis, y, target, np.ndim(source_y) == 1)


def check_kinds(
    fleet: object, standards: object, quantity: object, *, library_labels: object, seed: object
) -> None:
    """What type hints ask for, of callers that do not check them. Raises TransferError."""
    if not isinstance(fleet, list | tuple) or not all(isinstance(h, History) for h in fleet):
        raise TransferError("fleet must be a list of History(source, other, axis)")
    if standards is not None and not isinstance(standards, History):
        raise TransferError("standards must be a History(source, other, axis), or None")
    if not isinstance(quantity, str):
        raise TransferError(f"quantity must be a word, not {quantity!r:.40}")
    if not isinstance(library_labels, bool | np.bool_):
        raise TransferError(f"library_labels must be True or False, not {library_labels!r:.40}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TransferError(f"seed must be a whole number, not {seed!r:.40}")


def pairs_of(
    inputs: Inputs,
    pairs_source: ArrayLike | None,
    pairs_target: ArrayLike | None,
    standards: History | None,
) -> tuple[Array, Array]:
    """(n, S) and (n, P) spectra; standards where there are no pairs. Raises TransferError."""
    if (pairs_source is None) != (pairs_target is None):
        missing = "pairs_source" if pairs_source is None else "pairs_target"
        raise TransferError(f"{missing} is missing; give both, row i the same sample, or neither")
    if pairs_source is None or pairs_target is None:
        if standards is None:
            return np.empty((0, inputs.source_axis.size)), np.empty((0, inputs.target_axis.size))
        pairs_source, pairs_target = standards.source, standards.other
    s = matrix("pairs_source", pairs_source, inputs.source_axis.size)
    t = matrix("pairs_target", pairs_target, inputs.target_axis.size)
    if len(s) != len(t):
        raise TransferError(
            f"pairs_source holds {len(s)} spectra and pairs_target {len(t)}; row i of both must be "
            "the same sample"
        )
    if len(s) < LEAST_PAIRS:
        raise TransferError(
            f"{len(s)} pairs are too few to know whether a transfer works; measure at least "
            f"{LEAST_PAIRS} samples on both instruments"
        )
    return s, varying("pairs_target", t)


def labels_of(
    inputs: Inputs, pairs: Array, labels: ArrayLike | None, *, library_labels: bool
) -> Array:
    """(n, m): as given, else from the source where a pair is one of its samples."""
    found = np.full((len(pairs), inputs.y.shape[1]), np.nan)
    if labels is not None:
        found = references("labels", labels, len(pairs), gaps=True)
        if found.shape[1] != inputs.y.shape[1]:
            raise TransferError(
                f"labels has {found.shape[1]} properties and source_y {inputs.y.shape[1]}; give "
                "the same ones in the same order"
            )
    elif library_labels:
        rows = library_rows(inputs.x, pairs)
        found[rows >= 0] = inputs.y[rows[rows >= 0]]
    return found


def others_labels(inputs: Inputs, others: Array, labels: ArrayLike | None) -> Array:
    """(u, m) references of unpaired target spectra, NaN where unknown. Raises TransferError."""
    if labels is None:
        return np.full((len(others), inputs.y.shape[1]), np.nan)
    found = references("unpaired_labels", labels, len(others), gaps=True)
    if found.shape[1] != inputs.y.shape[1]:
        raise TransferError(
            f"unpaired_labels has {found.shape[1]} properties and source_y {inputs.y.shape[1]}; "
            "give the same ones in the same order"
        )
    return found


def history_difference(name: str, history: History, inputs: Inputs, shared: Overlap) -> Differences:
    """On the shared channels, NaN where the other does not reach. Raises TransferError."""
    axis = axis_values(f"{name} axis", history.axis)
    source = matrix(f"{name} source", history.source, inputs.source_axis.size)
    other = matrix(f"{name} other", history.other, axis.size)
    if len(source) != len(other):
        raise TransferError(f"{name} holds {len(source)} and {len(other)} spectra; they must pair")
    own = overlap(inputs.source_axis, axis)
    difference = np.full(source.shape, np.nan)
    difference[:, own.channels] = own.source(source) - own.target(other)
    return Differences(shared.source(source), difference[:, shared.channels])


def conversion_of(
    quantity: Conversion | Literal["find"],
    inputs: Inputs,
    shared: Overlap,
    s: Array,
    t: Array,
    others: Array,
) -> Conversion:
    """As given, or found from pairs or mean spectra. Raises TransferError."""
    if quantity != "find":
        if quantity not in CONVERSIONS:
            known = ", ".join((*CONVERSIONS, "find"))
            raise TransferError(f"quantity {quantity!r} is not known; choose one of {known}")
        return quantity
    if len(s):
        return find_conversion(shared.source(s), shared.target(t))
    return find_conversion(
        shared.source(inputs.x).mean(axis=0, keepdims=True),
        shared.target(others).mean(axis=0, keepdims=True),
    )
