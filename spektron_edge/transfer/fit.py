"""`fit`: a calibration for a new instrument from a handful of samples, or the news of none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .agreement import LEAST_AGREEMENT
from .averaging import Average
from .axes import Overlap, overlap
from .paired import Chosen, choose
from .problem import (
    LEAST_PAIRS,
    LEAST_SOURCE,
    LEAST_UNPAIRED,
    Problem,
    TransferError,
    axis_values,
    library_rows,
    matrix,
    references,
)
from .quantity import CONVERSIONS, Conversion, convert, find_conversion
from .result import Transfer
from .uncertainty import Expected, expected
from .unpaired import choose_unpaired

Array = NDArray[np.float64]
# A calibration whose expected error is this share of the references' spread tells little.
_USELESS = 0.9


@dataclass(frozen=True, eq=False)
class History:
    """Pairs of the source with another instrument, or standards measured on source and target.

    source: (k, S) on the source's axis; other: (k, P) on `axis` (P,) of the other instrument.
    """

    source: ArrayLike
    other: ArrayLike
    axis: ArrayLike


def fit(
    source_X: ArrayLike,
    source_axis: ArrayLike,
    source_y: ArrayLike,
    pairs_source: ArrayLike | None = None,
    pairs_target: ArrayLike | None = None,
    target_axis: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    *,
    unpaired: ArrayLike | None = None,
    fleet: Sequence[History] = (),
    standards: History | None = None,
    sel: ArrayLike | None = None,
    quantity: Conversion | Literal["find"] = "find",
    library_labels: bool = True,
    seed: int = 0,
) -> Transfer:
    """Transfer a calibration to a target instrument.

    source_X: (N, S) spectra on source_axis (S,) with references source_y (N, m) or (N,).
    pairs_source (n, S), pairs_target (n, P) on target_axis (P,): row i the same sample on both,
    three at least; labels: (n, m) their references, NaN where unknown. Without pairs, unpaired:
    (u, P) spectra of other samples of the same population, eight at least, better twenty or more.
    fleet: what pairs with other instruments showed; standards: glass or wavelength standards on
    both (used as pairs where there are no others). sel: (m,) standard error of the reference
    method. quantity: what turns target spectra into the source's quantity, or "find".
    library_labels: whether pairs that are samples of source_X have their reference from there.
    seed: nothing is drawn, and it changes nothing; it is recorded.

    Raises TransferError, a ValueError, with what to do about it.
    """
    inputs = _Inputs.read(source_X, source_axis, source_y, target_axis)
    standard = None if standards is None else _history("standards", standards, inputs)
    s, t = _pairs(inputs, pairs_source, pairs_target, standards)
    others = np.empty((0, inputs.target_axis.size))
    if unpaired is not None:
        others = matrix("unpaired", unpaired, inputs.target_axis.size)
    if not len(s) and len(others) < LEAST_UNPAIRED:
        raise TransferError(
            f"there are no pairs and {len(others)} unpaired target spectra; measure at least "
            f"{LEAST_PAIRS} samples on both instruments, or {LEAST_UNPAIRED} on the target"
        )
    shared = overlap(inputs.source_axis, inputs.target_axis)
    conversion = _conversion(quantity, inputs, shared, s, t, others)
    problem = Problem(
        shared.source(inputs.x),
        inputs.y,
        shared.axis,
        shared.source(s),
        shared.target(convert(t, conversion)),
        _labels(inputs, s, labels, library_labels=library_labels),
        library_rows(inputs.x, s),
        shared.target(convert(others, conversion)),
        tuple(
            difference[:, shared.channels]
            for difference in [_history("fleet", h, inputs) for h in fleet]
            if np.all(np.isfinite(difference[:, shared.channels]))
        )
        + (() if standard is None or pairs_source is None else (standard[:, shared.channels],)),
    )
    return _solved(problem, inputs, shared, conversion, sel, seed)


def _solved(
    problem: Problem,
    inputs: _Inputs,
    shared: Overlap,
    conversion: Conversion,
    sel: ArrayLike | None,
    seed: int,
) -> Transfer:
    report: dict[str, Any] = {
        "pairs": problem.pairs,
        "unpaired": len(problem.unpaired),
        "labelled": int(np.isfinite(problem.labels).all(axis=1).sum()),
        "channels": int(problem.axis.size),
        "range": (float(problem.axis[0]), float(problem.axis[-1])),
        "quantity": conversion,
        "seed": seed,
    }
    alike = True
    if problem.pairs:
        chosen = choose(problem)
        mixed, methods = chosen.average, chosen.gate
        expectation = expected(mixed, chosen.trust)
        report |= _told(chosen)
        alike = chosen.agreement > LEAST_AGREEMENT
    else:
        unpaired = choose_unpaired(problem)
        # Two finite samples of one population differ in their means by chance.
        chance = problem.y.var(axis=0) * (1 / len(problem.source) + 1 / len(problem.unpaired))
        mixed = _with_guess(unpaired.average, 2 * unpaired.excess + chance)
        methods = (mixed.name,) * problem.y.shape[1]
        expectation = expected(mixed, np.ones(1), paired=False)
    spread = problem.y.std(axis=0, ddof=1)
    valid = (expectation.rmsep < _USELESS * spread) & alike
    report |= _figures(expectation, spread, sel)
    return Transfer(
        methods,
        valid,
        expectation,
        report,
        mixed.predictor,
        shared,
        conversion,
        inputs.target_axis,
        inputs.one_property,
    )


def _with_guess(average: Average, excess: Array) -> Average:
    """Excess scatter, and chance in the means, stand where pairs would say what moving adds."""
    return Average(
        average.name,
        average.predictor,
        average.share,
        average.source_error,
        np.sqrt(excess)[None],
        np.full((1, excess.size), np.nan),
    )


def _told(chosen: Chosen) -> dict[str, Any]:
    return {
        "set_aside": [int(i) for i in np.flatnonzero(chosen.trust == 0)],
        "agreement_of_pairs": chosen.agreement,
        "baselines": {k: v.tolist() for k, v in chosen.baselines.items()},
        "tried": {k: v.tolist() for k, v in chosen.tried.items()},
    }


def _figures(expectation: Expected, spread: Array, sel: ArrayLike | None) -> dict[str, Any]:
    """Expected errors as plain values; against the true value where the SEL is known."""
    found: dict[str, Any] = {
        "predicted_rmsep": expectation.rmsep.tolist(),
        "predicted_rmsep_low": expectation.low.tolist(),
        "predicted_rmsep_high": expectation.high.tolist(),
        "reference_spread": spread.tolist(),
        "interval_half_width": expectation.half_width.tolist(),
        "interval_basis": expectation.basis,
    }
    if sel is not None:
        errors = np.atleast_1d(np.asarray(sel, dtype=np.float64))
        if errors.shape != spread.shape or not np.all(errors >= 0):
            raise TransferError(
                f"sel has shape {errors.shape}; give one standard error, zero or above, for each "
                f"of the {spread.size} properties"
            )
        true = np.sqrt(np.maximum(expectation.rmsep**2 - errors**2, 0.0))
        found["predicted_error_against_true_value"] = true.tolist()
    return found


@dataclass(frozen=True, eq=False)
class _Inputs:
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
    ) -> _Inputs:
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


def _pairs(
    inputs: _Inputs,
    pairs_source: ArrayLike | None,
    pairs_target: ArrayLike | None,
    standards: History | None,
) -> tuple[Array, Array]:
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
    return s, t


def _labels(
    inputs: _Inputs, pairs: Array, labels: ArrayLike | None, *, library_labels: bool
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


def _history(name: str, history: History, inputs: _Inputs) -> Array:
    """(k, S) differences source - other, NaN where the other does not reach."""
    axis = axis_values(f"{name} axis", history.axis)
    source = matrix(f"{name} source", history.source, inputs.source_axis.size)
    other = matrix(f"{name} other", history.other, axis.size)
    if len(source) != len(other):
        raise TransferError(f"{name} holds {len(source)} and {len(other)} spectra; they must pair")
    shared = overlap(inputs.source_axis, axis)
    difference = np.full(source.shape, np.nan)
    difference[:, shared.channels] = shared.source(source) - shared.target(other)
    return difference


def _conversion(
    quantity: Conversion | Literal["find"],
    inputs: _Inputs,
    shared: Overlap,
    s: Array,
    t: Array,
    others: Array,
) -> Conversion:
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
