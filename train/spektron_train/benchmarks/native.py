"""The encoder on the instrument it was calibrated on, beside PLS, ridge, SVR and a published CNN.

Corn on m5, mp5 and mp6 (60 samples to train on, 20 to test) and tablets (400 and 212). The encoder
is the foundation; linear path and residual are a joint ridge on derivative spectrum, simulated
prior and `z_chem`, weighted by leave-one-out on the training samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spektron_train.model import Encoder
from spektron_train.pretraining.foundation import load_foundation
from spektron_train.pretraining.shipped import FOUNDATION
from spektron_train.reference.joint_ridge import fit_joint_ridge
from spektron_train.training.calibration import basis_on, shares
from spektron_train.training.progress import Advance

from . import peers
from .conv_peer import cui_fearn
from .report import Figure, Report, row
from .sets import CORN_NOTES, TABLET_NOTES, LabelledSet, corn, tablets
from .splits import paired, quoted

Array = NDArray[np.float64]
Method = Callable[[Array, Array, Array, np.random.Generator], Array]
MODEL, RIDGE, PLS = "encoder", "ridge", "PLS"


def run(*, splits: int | None, advance: Advance) -> Report:
    """All methods on the quoted splits."""
    foundation, _ = load_foundation(FOUNDATION)
    seeds = quoted(splits)
    errors = {}
    sets = [*corn("m5", "mp5", "mp6"), tablets()]
    for source in sets:
        errors[source.name] = _errors(source, _methods(source, foundation), seeds, advance)
    figures = [_r2_margin(sets[0], errors), _tablets_ratio(errors), _cells(sets[1:3], errors)]
    return Report(
        "native",
        tuple(figures),
        tuple(
            row(source.name, name, method, v, unit=source.data.units[0])
            for source in sets
            for method, (rmsep, _) in errors[source.name].items()
            for name, v in zip(source.data.properties, rmsep.T, strict=True)
        ),
        (*CORN_NOTES, *TABLET_NOTES),
    )


def _methods(source: LabelledSet, foundation: Encoder) -> dict[str, Method]:
    basis = basis_on(foundation, source.start, source.x.shape[1], source.y.shape[1])

    def model(x: Array, y: Array, test: Array, rng: np.random.Generator) -> Array:  # noqa: ARG001
        tried = shares(prior=True, chem=True)
        return fit_joint_ridge(basis.blocks(x), y, tried).predict(*basis.blocks(test))

    return {
        MODEL: model,
        RIDGE: peers.ridge,
        PLS: peers.pls,
        "SVR": peers.svr,
        "CNN (Cui and Fearn)": cui_fearn,
    }


def _errors(
    source: LabelledSet, methods: dict[str, Method], seeds: tuple[int, ...], advance: Advance
) -> dict[str, tuple[Array, Array]]:
    """Method -> RMSEP and R2, both (splits, m)."""
    found: dict[str, list[tuple[Array, Array]]] = {name: [] for name in methods}
    for seed in seeds:
        split = source.split(seed)
        truth = source.y[split.test]
        for name, method in methods.items():
            rng = np.random.default_rng([seed, 5])
            x, y = source.x[split.train], source.y[split.train]
            square = np.mean((method(x, y, source.x[split.test], rng) - truth) ** 2, axis=0)
            found[name].append((np.sqrt(square), 1 - square / truth.var(axis=0)))
            advance(f"{source.name}, {name}, split {seed}")
    return {
        name: (np.stack([r for r, _ in v]), np.stack([r2 for _, r2 in v]))
        for name, v in found.items()
    }


def _r2_margin(m5: LabelledSet, errors: dict[str, dict[str, tuple[Array, Array]]]) -> Figure:
    of = errors[m5.name]
    margins = {
        name: float(np.median(of[MODEL][1][:, j]) - np.median(of[RIDGE][1][:, j]))
        for j, name in enumerate(m5.data.properties)
    }
    worst = min(margins, key=lambda name: margins[name])
    told = ", ".join(
        f"{name} {np.median(of[MODEL][1][:, j]):.4f} v {np.median(of[RIDGE][1][:, j]):.4f}"
        for j, name in enumerate(m5.data.properties)
    )
    return Figure(
        "native_r2_margin_m5",
        margins[worst],
        "R2",
        "higher",
        None,
        f"encoder less tuned ridge, median R2 over splits, worst of four ({worst}): {told}",
    )


def _tablets_ratio(errors: dict[str, dict[str, tuple[Array, Array]]]) -> Figure:
    of = errors["tablets"]
    ratio = of[MODEL][0][:, 0] / of[PLS][0][:, 0]
    low, high = np.percentile(ratio, (25, 75))
    return Figure(
        "native_rmsep_over_pls_tablets",
        float(of[MODEL][0].mean() / of[PLS][0].mean()),
        "1",
        "lower",
        float(high - low) / 2,
        f"mean RMSEP of the encoder over that of tuned PLS: {of[MODEL][0].mean():.3f} and "
        f"{of[PLS][0].mean():.3f} mg",
    )


def _cells(sets: list[LabelledSet], errors: dict[str, dict[str, tuple[Array, Array]]]) -> Figure:
    """How many of the eight cells are better than ridge by more than one standard error."""
    told, won = [], 0
    for source in sets:
        of = errors[source.name]
        for j, name in enumerate(source.data.properties):
            gain = paired(of[MODEL][1][:, j], of[RIDGE][1][:, j])
            won += gain.mean > gain.standard_error
            told.append(f"{source.name} {name} {gain.mean:+.3f} ({gain.standard_error:.3f})")
    return Figure(
        "native_cells_better_than_ridge",
        float(won),
        "of 8",
        "higher",
        None,
        "cells of mp5 and mp6 whose mean R2 gain over ridge exceeds its standard error: "
        + ", ".join(told),
    )
