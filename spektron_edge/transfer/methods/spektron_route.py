"""The whole route: training at test time, transport in z_chem, z_inst dropped, ridge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .latent_method import LatentMethod, read_latents
from .method import positive
from .test_time import Adapted, Budget, adapt, spans

Array = NDArray[np.float64]
Vector = NDArray[np.float32]
_HIDDEN = 0.4


class Encoder(Protocol):
    """Spectra (k, L) and theta (P,) -> z_chem (k, d)."""

    def __call__(self, spectra: Array, theta: Vector, /) -> NDArray[np.floating]:
        """z_inst is not among what comes back: it says which instrument it was."""
        ...


class LatentGradient(Protocol):
    """Loss and gradient (P,) at theta (P,) of what an instrument adapts to.

    x (k, L): spectra; keep (k, L): 0 where a channel is hidden; centre, spread (d,): mean and
    standard deviation of the source's z_chem.
    """

    def __call__(
        self, x: Vector, keep: Vector, theta: Vector, centre: Vector, spread: Vector, /
    ) -> tuple[float, NDArray[np.floating]]:
        """Evaluate once."""
        ...


@dataclass(kw_only=True, eq=False)
class SpektronRoute(LatentMethod):
    """Transport between latents of an encoder that was adapted to the target's spectra first.

    encoder, gradient, theta0 (P,): of a bundle (`bundled.spektron_route`). steps, rate, cap: see
    `test_time.Budget`; batch: spectra that a step sees, which bounds memory; seed: of the channels
    that are hidden. The source is always read at theta0. adapted_: theta and losses. Everything
    else is `LatentMethod`'s.
    """

    key = "spektron_route"
    needs = frozenset({"latents", "gradient"})
    encoder: Encoder
    gradient: LatentGradient
    theta0: Vector
    steps: int = 10
    rate: float = 1e-3
    cap: float = 0.02
    batch: int = 8
    seed: int = 0

    def _prototypes(self, source: Array, target: Array) -> Array:
        positive(self, rate=self.rate, cap=self.cap, steps=self.steps, batch=self.batch)
        prototypes = self._encoded(source, self.theta0)
        self.adapted_ = self._adapt(target, prototypes)
        return prototypes

    def _adapt(self, target: Array, prototypes: Array) -> Adapted:
        x = _spread_out(target, self.batch).astype(np.float32)
        keep = spans(len(x), x.shape[1], _HIDDEN, self.seed)
        centre = prototypes.mean(axis=0).astype(np.float32)
        spread = prototypes.std(axis=0, ddof=1).astype(np.float32)

        def slope(theta: Vector) -> tuple[float, NDArray[np.floating]]:
            return self.gradient(x, keep, theta, centre, spread)

        return adapt(self.theta0, slope, Budget(self.steps, self.rate, self.cap))

    def _encoded(self, spectra: Array, theta: Vector) -> Array:
        return read_latents(self.encoder(spectra, theta), len(spectra))

    def _read(self, spectra: Array) -> Array:
        return self._encoded(spectra, self.adapted_.theta)


def _spread_out(spectra: Array, rows: int) -> Array:
    """At most so many rows, evenly from the lightest to the darkest, whatever their order was."""
    order = np.lexsort((spectra[:, 0], spectra.mean(axis=1)))
    if len(order) > rows:
        order = order[np.linspace(0, len(order) - 1, rows).round().astype(np.int64)]
    chosen: Array = spectra[order]
    return chosen
