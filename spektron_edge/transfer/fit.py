"""`fit`: a calibration for a new instrument from a handful of samples, or the news of none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .agreement import LEAST_AGREEMENT, LEAST_LIKENESS, likeness
from .averaging import Average
from .axes import Overlap, overlap
from .domain import domain
from .inputs import (
    History,
    Inputs,
    check_kinds,
    conversion_of,
    history_difference,
    labels_of,
    others_labels,
    pairs_of,
)
from .paired import Chosen, choose
from .problem import (
    LEAST_PAIRS,
    LEAST_UNPAIRED,
    Problem,
    TransferError,
    flat,
    labelled,
    library_rows,
    matrix,
    numbers,
    varying,
)
from .quantity import Conversion, convert
from .result import Transfer
from .uncertainty import Expected, expected, expected_of_labelled
from .unpaired import choose_unpaired
from .unpaired_labels import LEAST_LABELLED, choose_labelled

Array = NDArray[np.float64]
# A calibration whose expected error is this share of the references' spread tells little.
_USELESS = 0.9


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
    unpaired_labels: ArrayLike | None = None,
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
    (u, P) spectra of other samples of the same population, eight at least, better twenty or more;
    unpaired_labels: (u, m) their references, NaN where unknown: five or more make the population's
    means of no matter, and five spectra are then enough (used where there are no pairs).
    fleet: what pairs with other instruments showed; standards: glass or wavelength standards on
    both (used as pairs where there are no others). sel: (m,) standard error of the reference
    method. quantity: what turns target spectra into the source's quantity, or "find".
    library_labels: whether pairs that are samples of source_X have their reference from there.
    seed: nothing is drawn, and it changes nothing; it is recorded.

    Raises TransferError, a ValueError, with what to do about it.
    """
    check_kinds(fleet, standards, quantity, library_labels=library_labels, seed=seed)
    inputs = Inputs.read(source_X, source_axis, source_y, target_axis)
    s, t = pairs_of(inputs, pairs_source, pairs_target, standards)
    others = np.empty((0, inputs.target_axis.size))
    if unpaired is not None:
        others = matrix("unpaired", unpaired, inputs.target_axis.size)
    others_y = others_labels(inputs, others, unpaired_labels)
    enough = len(others) >= LEAST_UNPAIRED or labelled(others_y) >= LEAST_LABELLED
    if not len(s) and not enough:
        raise TransferError(
            f"there are no pairs and {len(others)} unpaired target spectra; measure at least "
            f"{LEAST_PAIRS} samples on both instruments, {LEAST_UNPAIRED} on the target, or "
            f"{LEAST_LABELLED} on the target with references"
        )
    varying("unpaired", others)
    shared = overlap(inputs.source_axis, inputs.target_axis)
    conversion = conversion_of(quantity, inputs, shared, s, t, others)
    told = [history_difference("fleet", h, inputs, shared) for h in fleet]
    if standards is not None and pairs_source is not None:
        told.append(history_difference("standards", standards, inputs, shared))
    # One that does not cover the shared channels cannot say how they differ.
    heard = [shown for shown in told if np.all(np.isfinite(shown.difference))]
    problem = Problem(
        shared.source(inputs.x),
        inputs.y,
        shared.axis,
        shared.source(s),
        shared.target(convert(t, conversion)),
        labels_of(inputs, s, labels, library_labels=library_labels),
        library_rows(inputs.x, s),
        shared.target(convert(others, conversion)),
        tuple(heard),
    )
    noted = (len(told) - len(heard), seed)
    return _solved(problem, others_y, inputs, shared, conversion, sel, noted)


def _solved(
    problem: Problem,
    others_y: Array,
    inputs: Inputs,
    shared: Overlap,
    conversion: Conversion,
    sel: ArrayLike | None,
    noted: tuple[int, int],
) -> Transfer:
    """Choose and describe; noted: histories left out, and the seed."""
    report: dict[str, Any] = {
        "pairs": problem.pairs,
        "unpaired": len(problem.unpaired),
        "labelled": labelled(problem.labels),
        "unpaired_labelled": labelled(others_y),
        "channels": int(problem.axis.size),
        "range": (float(problem.axis[0]), float(problem.axis[-1])),
        "quantity": conversion,
        "histories": len(problem.fleet),
        "histories_left_out": noted[0],
        "seed": noted[1],
    }
    alike: NDArray[np.bool_] | bool = True
    trust = np.ones(problem.pairs)
    if problem.pairs:
        chosen = choose(problem)
        mixed, methods = chosen.average, chosen.gate
        trust = chosen.trust
        expectation = expected(mixed, trust)
        report |= _told(chosen)
        alike = chosen.agreement > LEAST_AGREEMENT
    elif labelled(others_y) >= LEAST_LABELLED:
        mixed = choose_labelled(problem, others_y)
        methods = (mixed.name,) * problem.y.shape[1]
        expectation = expected_of_labelled(mixed)
        report["held_out_errors"] = _held_out(mixed)
        # A constant meets such references: nothing shows that the calibration does better.
        alike = ~flat(others_y, problem.y)
    else:
        unpaired = choose_unpaired(problem)
        # Two finite samples of one population differ in their means by chance.
        chance = problem.y.var(axis=0) * (1 / len(problem.source) + 1 / len(problem.unpaired))
        mixed = _with_guess(unpaired.average, 2 * unpaired.excess + chance)
        methods = (mixed.name,) * problem.y.shape[1]
        expectation = expected(mixed, np.ones(1), paired=False)
        report["likeness_of_means"] = likeness(problem)
        alike = report["likeness_of_means"] > LEAST_LIKENESS
    spread = problem.y.std(axis=0, ddof=1)
    valid = (expectation.rmsep < _USELESS * spread) & alike
    report |= _figures(expectation, spread, sel)
    return Transfer(
        methods,
        valid,
        expectation,
        report,
        mixed.predictor,
        domain(problem, trust),
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
        "held_out_errors": _held_out(chosen.average),
        "baselines": {k: v.tolist() for k, v in chosen.baselines.items()},
        "tried": {k: v.tolist() for k, v in chosen.tried.items()},
    }


def _held_out(average: Average) -> list[list[float | None]]:
    """Of pairs, or of unpaired spectra with references: reference less the prediction of a fit that
    had not seen it, None without a reference."""
    return [[float(e) if np.isfinite(e) else None for e in row] for row in average.target_error]


def _figures(expectation: Expected, spread: Array, sel: ArrayLike | None) -> dict[str, Any]:
    """Expected errors as plain values; against the true value where the SEL is known."""
    found: dict[str, Any] = {
        "predicted_rmsep": expectation.rmsep.tolist(),
        "predicted_rmsep_low": expectation.low.tolist(),
        "predicted_rmsep_high": expectation.high.tolist(),
        "reference_spread": spread.tolist(),
        "interval_half_width": expectation.half_width.tolist(),
        "interval_basis": expectation.basis,
        "interval_widened_by": [int(row) if row >= 0 else None for row in expectation.widest],
    }
    if sel is not None:
        errors = np.atleast_1d(numbers("sel", sel))
        if errors.shape != spread.shape or not np.all(errors >= 0):
            raise TransferError(
                f"sel has shape {errors.shape}; give one standard error, zero or above, for each "
                f"of the {spread.size} properties"
            )
        true = np.sqrt(np.maximum(expectation.rmsep**2 - errors**2, 0.0))
        found["predicted_error_against_true_value"] = true.tolist()
    return found
