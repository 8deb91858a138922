"""What others do with a batch of unlabelled spectra: peers of the adaptation.

Each is fitted to the source's spectra and the window of the new state, which peers, unlike the
adaptation, are told the beginning of, and then predicts what comes later. Settings stand here as
published or were fixed before anything was measured.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from sklearn.covariance import ledoit_wolf

from spektron_edge.inference import Objective, OnnxGradient, load_gradient
from spektron_edge.inference.gradient import TERMS
from spektron_edge.transfer.sinkhorn import sinkhorn

from .adapt_streams import Source, predict

Fitted = Callable[[np.ndarray], np.ndarray]
COMPONENTS = 5
# Entropy over the median cost, as the unpaired peers of the transfer have it at first.
RELATIVE_EPSILON = 0.03
# TENT's Adam at its rate (Wang et al., ICLR 2021), ten steps on one batch instead of one on each.
RATE, STEPS, BATCH = 1e-3, 10, 10


def none(source: Source, window: np.ndarray) -> Fitted:
    """The frozen model."""
    return lambda x: predict(source, x)


def mean_matching(source: Source, window: np.ndarray) -> Fitted:
    """The window's mean onto the source's, channel by channel."""
    d = source.x.mean(axis=0) - window.mean(axis=0)
    return lambda x: predict(source, x + d)


def coral(source: Source, window: np.ndarray) -> Fitted:
    """Whitened by the window's covariance and recoloured by the source's (Sun, Feng and Saenko,
    AAAI 2016) in the source's principal components, means matched; both covariances as Ledoit and
    Wolf shrink them. What lies outside the components stays.
    """
    scores = _Scores(source, window)
    new, old = (_root(ledoit_wolf(z)[0]) for z in (scores.window, scores.source))
    turn = np.linalg.solve(new, old)
    return lambda x: predict(source, scores.replaced(x, lambda z: z @ turn))


def sinkhorn_pot(source: Source, window: np.ndarray) -> Fitted:
    """Barycentric map of the window onto the source, as POT does it for new points too."""
    import ot

    scores = _Scores(source, window)
    model = ot.da.SinkhornTransport(reg_e=RELATIVE_EPSILON, norm="median", max_iter=500)
    with warnings.catch_warnings():
        # The plan is the same to three digits long before POT's own tolerance.
        warnings.simplefilter("ignore")
        model.fit(Xs=scores.window, Xt=scores.source)
    return lambda x: predict(source, scores.replaced(x, lambda z: model.transform(Xs=z)))


def sinkhorn_ours(source: Source, window: np.ndarray) -> Fitted:
    """The same by this project's Sinkhorn; a new point goes by the potential of the source."""
    scores = _Scores(source, window)
    cost = _squares(scores.window, scores.source)
    unit = float(np.median(cost))
    a, b = (np.full(n, 1 / n) for n in cost.shape)
    g = sinkhorn(a, b, cost / unit, RELATIVE_EPSILON, tolerance=1e-7).g

    def moved(z):
        exponent = (g - _squares(z, scores.source) / unit) / RELATIVE_EPSILON
        weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        return weights @ scores.source / weights.sum(axis=1, keepdims=True)

    return lambda x: predict(source, scores.replaced(x, moved))


def layer_norm_statistics(source: Source, window: np.ndarray) -> Fitted:
    """Gains and biases of the layer norms, by Adam, until z_chem has the source's mean and spread:
    what is left of TENT and AdaBN where an output has no entropy and nothing is normalised over a
    batch. A bundle without gradient graph stays frozen.
    """
    if source.model.product.adapt is None:
        return none(source, window)
    arrays = source.bundle.arrays(source.model.product.source)
    free = np.repeat([n != "adapter" for n in arrays["theta_names"]], arrays["theta_sizes"])
    z, theta0 = arrays["z_chem"], source.model.theta
    weights = np.array([float(name in ("centre", "spread")) for name in TERMS], np.float32)
    objective = Objective(theta0, z.mean(axis=0), z.std(axis=0, ddof=1), weights)
    rows = np.linspace(0, len(window) - 1, min(BATCH, len(window))).round().astype(np.int64)
    x = window[rows].astype(np.float32)
    theta, first, second = theta0.copy(), np.zeros(theta0.shape), np.zeros(theta0.shape)
    engine = _engine(source)
    for step in range(1, STEPS + 1):
        gradient = engine.step(x, np.ones_like(x), theta, objective).gradient * free
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        size = np.sqrt(second / (1 - 0.999**step)) + 1e-8
        theta = (theta - RATE * first / (1 - 0.9**step) / size).astype(np.float32)
    return lambda x: source.model.backend.infer(x.astype(np.float32), theta).y.astype(np.float64)


PEERS: dict[str, Callable[[Source, np.ndarray], Fitted]] = {
    "none": none,
    "mean matching": mean_matching,
    "CORAL": coral,
    "layer-norm statistics": layer_norm_statistics,
    "Sinkhorn OT": sinkhorn_ours,
    "Sinkhorn OT (POT)": sinkhorn_pot,
}


# With what the instrument itself recorded before the change in the source's place. Where the same
# samples come back it is as good as told of pairs: a yardstick of that, and no peer.
YARDSTICK = "mean matching to history"


def to_history(source: Source, before: np.ndarray, window: np.ndarray) -> Fitted:
    """Mean matching of the window to the spectra (k, L) before the change."""
    return mean_matching(replace(source, x=before), window)


class _Scores:
    """Principal components of the source, and the window's scores once its mean is the source's."""

    def __init__(self, source: Source, window: np.ndarray) -> None:
        self._mean, self._shift = source.x.mean(axis=0), window.mean(axis=0)
        centred = source.x - self._mean
        self._rows = np.linalg.svd(centred, full_matrices=False)[2][:COMPONENTS]
        self.source = centred @ self._rows.T
        self.window = (window - self._shift) @ self._rows.T

    def replaced(self, x: np.ndarray, move: Fitted) -> np.ndarray:
        """(k, L) with their scores moved and the window's mean shift taken away."""
        scores = (x - self._shift) @ self._rows.T
        return x - self._shift + self._mean + (move(scores) - scores) @ self._rows


def _root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values)) @ vectors.T


def _squares(a, b):
    """(n, m) squared distances."""
    return ((a[:, None] - b[None]) ** 2).sum(axis=2)


@lru_cache(maxsize=8)
def _engine(source: Source) -> OnnxGradient:
    return load_gradient(source.bundle)
