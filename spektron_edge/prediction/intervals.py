"""Intervals of a bundle's own values: from what it was measured to be worth, never from a guess."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from spektron_edge.inference import Model
from spektron_edge.publishing.records import Basis

COVERAGE = 0.90
BASIS: Basis = "held_out_rmsep_90"
# Fewer held-out samples say next to nothing about their own spread.
LEAST_SAMPLES = 5


def half_widths(model: Model) -> NDArray[np.float64]:
    """(n_properties,) of the 90 % intervals; NaN where the bundle was not measured for that.

    Student's t times RMSEP: the mean square of n held-out errors is what is known of the next one,
    bias included. It holds for samples of the calibration's domain, on the instrument and in the
    precision that were measured.
    """
    product, precision = model.product, model.graph.precision
    figures = product.evaluation.figures.get(precision, {})
    samples = product.evaluation.samples
    if samples < LEAST_SAMPLES:
        return np.full(len(product.properties), np.nan)
    t = student_t(0.5 + COVERAGE / 2, samples)
    return np.array(
        [
            t * figures[p.name].rmsep
            if p.name in figures and 0 < figures[p.name].rmsep < math.inf
            else np.nan
            for p in product.properties
        ]
    )


def basis_in_words(model: Model) -> str | None:
    """What the bundle's own intervals rest on; None where there are none."""
    if np.all(np.isnan(half_widths(model))):
        return None
    evaluation = model.product.evaluation
    return (
        f"{BASIS}: value +- {student_t(0.5 + COVERAGE / 2, evaluation.samples):.3g} x RMSEP of "
        f"{evaluation.samples} held-out samples ({evaluation.data})"
    )


def student_t(share: float, freedom: int) -> float:
    """Quantile of Student's t, to a thousandth from five degrees of freedom on.

    Cornish and Fisher's expansion, Abramowitz and Stegun 26.7.5.
    """
    z, n = NormalDist().inv_cdf(share), freedom
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )
