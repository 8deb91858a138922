"""Training at test time: a few bounded steps of Adam on the adaptable parameters theta.

Sun, Wang, Liu, Miller, Efros and Hardt, ICML 2020, for training on what is to be predicted; Adam:
Kingma and Ba, ICLR 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..problem import TransferError

Vector = NDArray[np.float32]
# theta (P,) -> loss and its gradient (P,).
Slope = Callable[[Vector], tuple[float, NDArray[np.floating]]]
_MEMORY = (0.9, 0.999)
_SMALL = 1e-8


@dataclass(frozen=True)
class Budget:
    """steps: at most; rate: of Adam, or of each entry of theta (P,); cap: how far any entry may get
    from its start.
    """

    steps: int
    rate: float | NDArray[np.floating]
    cap: float


@dataclass(frozen=True, eq=False)
class Adapted:
    """theta (P,) of the least loss that was seen; losses: of each step, the start's first."""

    theta: Vector
    losses: tuple[float, ...]


def adapt(theta0: Vector, slope: Slope, budget: Budget) -> Adapted:
    """Descend from theta0 (P,) within the budget; the start stays where nothing is better.

    Raises TransferError for a loss at the start, or a gradient, that is not finite or does not fit.
    """
    theta = theta0.astype(np.float64)
    best, least = theta0.copy(), np.inf
    first, second = np.zeros(theta.size), np.zeros(theta.size)
    losses = []
    for step in range(budget.steps + 1):
        loss, gradient = slope(theta.astype(np.float32))
        if gradient.shape != theta0.shape:
            raise TransferError(
                f"the gradient has shape {gradient.shape} and theta {theta0.shape}; use the "
                "gradient of the same bundle"
            )
        if not (np.isfinite(loss) and np.all(np.isfinite(gradient))):
            raise TransferError(
                "adaptation met a loss that is not finite; check the target's spectra"
            )
        losses.append(float(loss))
        if loss < least:
            best, least = theta.astype(np.float32), float(loss)
        first = _MEMORY[0] * first + (1 - _MEMORY[0]) * gradient
        second = _MEMORY[1] * second + (1 - _MEMORY[1]) * np.square(gradient, dtype=np.float64)
        mean = first / (1 - _MEMORY[0] ** (step + 1))
        size = np.sqrt(second / (1 - _MEMORY[1] ** (step + 1)))
        theta = theta - budget.rate * mean / (size + _SMALL)
        theta = np.clip(theta, theta0 - budget.cap, theta0 + budget.cap)
    return Adapted(best, tuple(losses))


def spans(rows: int, channels: int, share: float, seed: int) -> Vector:
    """(rows, channels) masks, 0 where a channel is hidden: spans over `share` of each spectrum."""
    rng = np.random.default_rng(seed)
    width = max(1, channels // 20)
    blocks = -(-channels // width)
    hidden = np.argsort(rng.random((rows, blocks)), axis=1) < round(share * blocks)
    keep: Vector = 1 - np.repeat(hidden, width, axis=1)[:, :channels].astype(np.float32)
    return keep
