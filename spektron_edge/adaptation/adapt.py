"""The candidate of a batch: what the instrument did is undone, then theta takes a few steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle import Bundle, BundleError
from spektron_edge.inference import Model, load_gradient
from spektron_edge.transfer_session.source import source_of

from .candidate import Adapted, Batch, Candidate
from .correction import Correction
from .explanation import SCALE, Explanation, explain
from .ground import Ground
from .population import TODAY, Population
from .samples import Samples, samples_of
from .steps import Steps

Array = NDArray[np.float64]
# Mean square of what is left of the mean, in units of what it should be; beyond it the change is
# none that instruments drift by (corn: 0.5 to 1.0 after drifts, 200 on another instrument).
_MOST_MISFIT = 2.0
# Fine structure shows in T2 and Q, which are of derivatives.
_MOST_APART = 1.5
# Composition that is anywhere within the source's: to tell instruments from samples.
_ANYWHERE = 1.0


@dataclass(frozen=True, eq=False)
class Material:
    """x (N, L): source spectra on axis_nm (L,); steps: None for a product without gradient."""

    ground: Ground
    x: Array
    axis_nm: Array
    population: Population
    steps: Steps | None


def material(ground: Ground) -> Material:
    """What adapting needs of a bundle.

    Raises Fault(TRANSFER_IMPOSSIBLE) where its spectra were left out: without them nothing tells a
    change of the instrument from one of the samples; BundleError for a damaged gradient graph.
    """
    source = source_of(ground.bundle, ground.model.product, ground.config.state_dir)
    steps = steps_of(ground.bundle, ground.model)
    return Material(ground, source.x, source.axis, Population.of(source.x), steps)


def steps_of(bundle: Bundle, model: Model) -> Steps | None:
    """What theta's steps need; None for a product without gradient. Raises BundleError."""
    product = model.product
    if product.adapt is None:
        return None
    arrays = bundle.arrays(product.source)
    try:
        sizes = np.asarray(arrays["theta_sizes"]).tolist()
        layout = dict(zip(np.asarray(arrays["theta_names"]).tolist(), sizes, strict=True))
        z_chem = np.asarray(arrays["z_chem"], np.float64)
    except (KeyError, ValueError) as error:
        raise BundleError(f"{product.source} lacks what adapting needs: {error}") from None
    return Steps.of(load_gradient(bundle, product.name), model.theta, z_chem, layout)


def adapt(given: Material, batch: Batch, seed: int) -> Candidate:
    """The same batch and seed give the same candidate, to the last bit on one machine.

    Where no drift of an instrument explains the batch, means are made equal: that is what can be
    done after an exchange, and `guard.py` asks for evidence of one.
    """
    of_batch = samples_of(batch.spectra, given.x)
    samples = of_batch.means
    found = explain(samples, of_batch.noise, given.population, given.axis_nm)
    figures = _figures(given, of_batch, found)
    correction = found.correction
    if found.misfit > _MOST_MISFIT or apart(given, correction.apply(samples)) > _MOST_APART:
        residual = given.population.mean - samples.mean(axis=0)
        none = Correction.none(given.axis_nm)
        correction = Correction(none.coefficients, residual, none.axis_nm)
        figures["equalised"] = 1.0
    theta = given.ground.model.theta
    if given.steps is not None:
        theta, told = given.steps.taken(correction.apply(samples), seed)
        figures |= told
    return Candidate(Adapted(correction, theta), figures)


def apart(given: Material, corrected: Array) -> float:
    """Mean of T2 and Q of spectra (n, L), each over its limit; about 0.6 within the calibration."""
    found = [given.ground.model.applicability.assess(spectrum) for spectrum in corrected]
    return float(np.mean([a.t2 / a.t2_limit + a.q / a.q_limit for a in found]))


def _figures(given: Material, samples: Samples, found: Explanation) -> dict[str, float]:
    """terms_...: the same by terms alone; form_...: with samples of any composition, besides."""

    def by_terms(today: float) -> Explanation:
        source, axis_nm = given.population, given.axis_nm
        return explain(
            samples.means, samples.noise, source, axis_nm, today=today, residuals=False, near=found
        )

    terms, form = by_terms(TODAY), by_terms(_ANYWHERE)
    return {
        "samples": float(len(samples.means)),
        "noise": samples.noise,
        "gained": found.gained,
        "misfit": found.misfit,
        "terms_gained": terms.gained,
        "terms_by_one": terms.by_one,
        "terms_by_scale": max(0.0, terms.alone[SCALE]),
        "terms_misfit": terms.misfit,
        "form_gained": form.gained,
        "line_shape_nm2": found.line_shape,
        "residual_rms": float(np.sqrt(np.mean(found.correction.residual**2))),
        **found.correction.named,
    }
