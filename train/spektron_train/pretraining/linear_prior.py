"""What simulation says of regression vectors before a single label: the linear path's pretraining.

Many simulated products are each seen through an instrument of their own, and each of their
constituents gets its ridge regression vector on the derivative spectrum. Together these vectors are
a sample of what calibrations look like; ridge with their covariance as its metric prefers such
vectors to all others that fit a few labels equally well (the prior covariance of linear empirical
Bayes; Rasmussen and Williams, Gaussian Processes for Machine Learning, section 2.1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spektron_edge.spectra.preprocessing import FIRST_DERIVATIVE, correlate_valid
from spektron_train.data.simulate.domain import Domain
from spektron_train.data.simulate.families import FAMILIES
from spektron_train.data.simulate.matter import Matter
from spektron_train.data.simulate.optics import random_instrument
from spektron_train.reference.ridge import fit_ridge

Array = NDArray[np.float64]
PRODUCTS, SAMPLES = 360, 48
_NAMES = tuple(FAMILIES)
# From smooth, timid vectors to sharp ones: which serve best depends on how true the simulation is.
PENALTIES = (1e-1, 1e-2, 1e-3)
SPREAD, RANK = 0.3, 64
# Constituents that vary less than this mass fraction in a product have no calibration.
_LEAST_SPREAD = 3e-3


def linear_prior(
    domain: Domain,
    first: int,
    points: int,
    *,
    seed: int = 0,
    products: int | None = None,
) -> Array:
    """(points - 14, RANK) so that features F of the derivative spectrum become F @ prior.

    For the window of `points` channels of the domain's grid that begins at channel `first`.
    """
    rng = np.random.default_rng([seed, first, points])
    matter = Matter.within(domain)
    vectors = []
    for number in range(PRODUCTS if products is None else products):
        samples = matter.draw(SAMPLES, rng, _NAMES[number % len(_NAMES)])
        spectra = random_instrument(domain, rng, SPREAD).measure(samples.absorbance, rng)
        features = correlate_valid(spectra[:, first : first + points], FIRST_DERIVATIVE)
        varied = samples.composition[:, samples.composition.std(axis=0) > _LEAST_SPREAD]
        if varied.shape[1] == 0:
            continue
        target = (varied - varied.mean(axis=0)) / varied.std(axis=0)
        deviation = features - features.mean(axis=0)
        for penalty in PENALTIES:
            relative = np.full(target.shape[1], penalty)
            fitted = fit_ridge(features, target, relative).coefficients
            # Equal say for each: its response has the size of the product's own variation.
            response = np.linalg.norm(deviation @ fitted, axis=0)
            vectors.append(fitted * np.linalg.norm(deviation) / response)
    left, size, _ = np.linalg.svd(np.concatenate(vectors, axis=1), full_matrices=False)
    prior: Array = left[:, :RANK] * (size[:RANK] / size[0])
    return prior
