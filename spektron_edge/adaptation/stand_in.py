"""Stands in for `adapt.py` and `guard.py` until they are there: an offset spectrum, and the
gradient steps that the real one takes, so that the child's time and memory are like its.

Not a method: it takes every common change for the instrument's, and proposes nothing by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.inference.gradient import Objective, OnnxGradient, load_gradient

from .candidate import Adapted, Batch, Candidate, Verdict
from .correction import Correction
from .evidence import Evidence, Stability
from .ground import Ground

Array = NDArray[np.float64]
STEPS, ROWS, RATE, HIDDEN = 10, 8, 1e-4, 0.25


@dataclass(frozen=True, eq=False)
class Material:
    """mean: (L,) of the source spectra."""

    ground: Ground
    gradient: OnnxGradient
    mean: Array
    objective: Objective


class StandIn:
    """See the module."""

    def material(self, ground: Ground) -> Material:
        """Raises BundleError where the product cannot adapt."""
        product, bundle = ground.model.product, ground.bundle
        arrays = bundle.arrays(product.source)
        gradient = load_gradient(bundle, product.name)
        latent = np.asarray(arrays["z_chem"], np.float32)
        weights = np.array([1.0, 1e-3, 0.1, 0.1, 1.0], np.float32)
        objective = Objective(ground.model.theta, latent.mean(0), latent.std(0) + 1e-6, weights)
        return Material(ground, gradient, arrays["x"].mean(axis=0).astype(np.float64), objective)

    def adapt(self, material: Any, batch: Batch, seed: int) -> Candidate:
        """The batch's mean is made the source's, then ten steps at the rest."""
        rng = np.random.default_rng(seed)
        product = material.ground.model.product
        residual = material.mean - batch.spectra.mean(axis=0)
        none = Correction.none(product.grid.points, product.grid.step_nm)
        correction = Correction(none.coefficients, residual, none.step_nm)
        theta = material.objective.theta0.copy()
        loss = 0.0
        for _ in range(STEPS):
            rows = rng.permutation(len(batch.spectra))[:ROWS]
            x = correction.apply(batch.spectra[rows]).astype(np.float32)
            keep = (rng.random(x.shape) > HIDDEN).astype(np.float32)
            step = material.gradient.step(x, keep, theta, material.objective)
            size = float(np.linalg.norm(step.gradient))
            theta = (theta - RATE * step.gradient / max(size, 1e-12)).astype(np.float32)
            loss = step.loss
        return Candidate(Adapted(correction, theta), {"loss": loss, "steps": float(STEPS)})

    def judge(
        self,
        material: Any,
        held_out: Batch,
        candidate: Candidate,
        evidence: Evidence,
        stability: Sequence[Stability],
    ) -> Verdict:
        """Refuses what does not bring held-out spectra nearer; always has a doubt."""
        assess = material.ground.model.applicability.assess
        correction = candidate.adapted.correction
        before = float(np.median([assess(x).q for x in held_out.spectra]))
        after = float(np.median([assess(x).q for x in correction.apply(held_out.spectra)]))
        refusals = () if after < before else ("held-out spectra come no nearer to the source",)
        doubts = ["made by a stand-in, which is no method"]
        if not evidence.of_instrument:
            doubts.append("nothing says that the instrument changed, and not the samples")
        figures = {"q_before": before, "q_after": after, "stability_samples": float(len(stability))}
        return Verdict(refusals, tuple(doubts), figures)
