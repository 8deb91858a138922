"""Whether a candidate may be used, and whether by itself: the last word before anything changes.

A common shift may be of the product or of the instrument. Spectra alone decide it only where the
mean moved as instruments move it and as no composition does; elsewhere a person has to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle.manifest import Property
from spektron_edge.said import Sayings

from .adapt import Material, apart
from .candidate import Adapted, Batch, Candidate, Verdict
from .correction import TERMS, Correction, units
from .evidence import Evidence, Stability
from .explanation import misfit
from .samples import Samples, samples_of
from .steps import CAP

Array = NDArray[np.float64]
# Caps of the coefficients, in their `units`; of the residual, in the source's mean absorbance.
_CAPS = {"offset": 2.0, "slope": 0.5, "curvature": 0.5, "cubic": 0.5}
_CAPS |= {"gain": 0.3, "gain_slope": 0.1, "shift": 3.0, "stretch": 3.0, "stray": 0.1}
_CAPS |= {f"linearity_{power}": 0.5 for power in range(5)}
_CAPS |= {"water_1450_shift": 3.0, "water_1930_shift": 3.0}
_CAPS |= {"water_1450_width": 60.0, "water_1930_width": 60.0}
_RESIDUAL = 0.2
# That of the steps, and rounding.
_THETA = 1.005 * CAP
# Logarithms of the evidence. Without a change 15 were gained at most (corn, 60 batches of 10 to 20
# samples).
_WORTH = 20.0
_FORM_WORTH = 3.0
# What one group of terms may leave to others and to a residual: 15 at most after eight kinds of
# drift, or 6 in 100 after that of the detector's linearity; half of it where samples were warmer.
_UNSAID, _UNSAID_SHARE = 15.0, 0.06
_TERMS_MISFIT = 5.0
# What is no improvement, but chance among few held-out spectra.
_SLACK = 0.1
# RMS change of a prediction of a source spectrum, in RMSEP.
_MOST_MOVED = 0.5
_FEWEST_SAMPLES = 10
# Mean of T2 and Q over their limits, with equal means of instruments that differ otherwise, too.
_MOST_APART = 3.0
_SEED = 7


@dataclass(frozen=True, eq=False)
class _Seen:
    """Of held-out spectra: see `explanation.misfit` and `adapt.apart`; loss: of the gradient graph,
    where there is one."""

    misfit: float
    apart: float
    loss: float


def judge(
    given: Material,
    held_out: Batch,
    candidate: Candidate,
    evidence: Evidence,
    stability: Sequence[Stability],
) -> Verdict:
    """held_out: spectra that the candidate was not made from."""
    model = given.ground.model
    start = given.ground.start or Adapted(Correction.none(given.axis_nm), model.theta)
    held = samples_of(held_out.spectra, given.x)
    before, after = (_seen(given, held, adapted) for adapted in (start, candidate.adapted))
    moved = _moved(given, candidate.adapted)
    figures = candidate.metrics
    refusals = []
    if not figures.get("gained", 0.0) > _WORTH:
        refusals.append(str(Sayings.NOT_MOVED.of()))
    if figures.get("samples", 0.0) < _FEWEST_SAMPLES:
        refusals.append(str(Sayings.FEW_SAMPLES.of(samples=figures.get("samples", 0.0))))
    if not after.misfit < before.misfit:
        refusals.append(str(Sayings.NO_NEARER.of()))
    if not after.apart < before.apart + _SLACK:
        refusals.append(str(Sayings.FARTHER.of()))
    if not after.loss <= before.loss * (1 + _SLACK):
        refusals.append(str(Sayings.OBJECTIVE_WORSE.of()))
    refusals += _beyond_caps(given, candidate.adapted)
    worst = max(moved, key=lambda name: moved[name])
    if not moved[worst] < _MOST_MOVED:
        refusals.append(str(Sayings.SOURCE_WOULD_MOVE.of(property=worst, rmsep=moved[worst])))
    refusals += _outside(given, candidate.adapted, stability)
    told = {
        "misfit_before": before.misfit,
        "misfit_after": after.misfit,
        "apart_before": before.apart,
        "apart_after": after.apart,
        "loss_before": before.loss,
        "loss_after": after.loss,
        "source_moved": moved[worst],
        "stability_samples": float(len(stability)),
    }
    return Verdict(tuple(refusals), _doubts(figures, evidence, after.apart), told)


def _doubts(found: Mapping[str, float], evidence: Evidence, beyond: float) -> tuple[str, ...]:
    doubts = []
    if found.get("equalised", 0.0) > 0:
        if not evidence.services:
            doubts.append(str(Sayings.NO_DRIFT_EXPLAINS.of()))
    elif not (evidence.services or evidence.astray):
        if not _of_instrument(found, evidence):
            doubts.append(str(Sayings.OF_SAMPLES_PERHAPS.of()))
        elif found["terms_by_one"] - found["terms_by_scale"] < _UNSAID:
            doubts.append(str(Sayings.ANOTHER_SCALE.of()))
    if not beyond < _MOST_APART:
        doubts.append(str(Sayings.STILL_BEYOND.of()))
    if evidence.growing:
        doubts.append(evidence.growing)
    return tuple(doubts)


def _of_instrument(found: Mapping[str, float], evidence: Evidence) -> bool:
    """Whether the spectra say so: one cause explains what everything together does, nearly as well,
    and the stream points to the instrument, or that cause does what compositions cannot."""
    unsaid = found["gained"] - found["terms_by_one"]
    explained = unsaid < max(_UNSAID, _UNSAID_SHARE * found["gained"])
    if not (explained and found["terms_misfit"] < _TERMS_MISFIT):
        return False
    return evidence.of_instrument or found["form_gained"] > _FORM_WORTH


def _seen(given: Material, held: Samples, adapted: Adapted) -> _Seen:
    corrected = adapted.correction.apply(held.means)
    return _Seen(
        misfit(held.means, held.noise, given.population, adapted.correction),
        apart(given, corrected),
        0.0 if given.steps is None else given.steps.loss(corrected, adapted.theta, _SEED),
    )


def _moved(given: Material, adapted: Adapted) -> dict[str, float]:
    """By property, RMS change of what the source's spectra predict to, in RMSEP: as the instrument
    would read them now, corrected."""
    model, product = given.ground.model, given.ground.model.product
    back = adapted.correction.apply(adapted.correction.undo(given.x))
    change = model.infer(back, adapted.theta).y - model.infer(given.x).y
    figures = product.evaluation.figures[model.graph.precision]
    return {p.name: _rms(change, p) / figures[p.name].rmsep for p in product.properties}


def _rms(change: NDArray[np.float32], one: Property) -> float:
    return float(np.sqrt(np.mean(change[:, one.column].astype(np.float64) ** 2)))


def _beyond_caps(given: Material, adapted: Adapted) -> list[str]:
    correction = adapted.correction
    level = given.population.level
    in_units = units(level, correction.step_nm)
    caps = {name: _CAPS[name] * unit for name, unit in zip(TERMS, in_units, strict=True)}
    refusals = [
        str(Sayings.TERM_BEYOND.of(term=name, value=correction.named[name], cap=caps[name]))
        for name in TERMS
        if not abs(correction.named[name]) <= caps[name]
    ]
    residual = float(np.sqrt(np.mean(correction.residual**2)))
    if not residual <= _RESIDUAL * level:
        refusals.append(str(Sayings.RESIDUAL_BEYOND.of(value=residual, cap=_RESIDUAL * level)))
    theta = float(np.max(np.abs(adapted.theta - given.ground.model.theta), initial=0.0))
    if not theta <= _THETA:
        refusals.append(str(Sayings.THETA_BEYOND.of(value=theta, cap=_THETA)))
    return refusals


def _outside(given: Material, adapted: Adapted, stability: Sequence[Stability]) -> list[str]:
    """Stability samples that would not predict to what they have to."""
    refusals = []
    for sample in stability:
        corrected = adapted.correction.apply(sample.spectrum[None])
        y = given.ground.model.infer(corrected, adapted.theta).y[0].astype(np.float64)
        columns = [p.column for p in given.ground.model.product.properties]
        if not np.all(np.abs(y[columns] - sample.value) <= sample.half_width):
            refusals.append(str(Sayings.SAMPLE_WOULD_LEAVE.of(sample=sample.name)))
    return refusals
