"""Calibration transfer by low-rank adapters, from a few labelled samples of the new instrument.

A baseline to be beaten: full knowledge of references, gradient descent, no physics.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from spektron_train.model.encoder import Encoder
from spektron_train.model.lora import LoraAdapters, add_lora

Array = NDArray[np.float64]
_FOLDS = 5
_LEAST_SAMPLES = 4


def lora_transfer(
    encoder: Encoder, x: Array, y: Array, *, rank: int, rate: float, steps: int, seed: int
) -> LoraAdapters:
    """Adapters fitted to spectra x (n, L) with references y (n, m), left active on the encoder.

    Minimises the squared error of the encoder's y, each property in units of its spread in `y`,
    with Adam at a constant `rate` over full batches; the offset of y is solved for at each step.
    How many of at most `steps` to take is what five-fold cross-validation on these samples finds
    best (leave-one-out below six samples); at 0 only the offset of y is new. This costs six fits.
    Deterministic; no other weight changes. Raises ValueError for fewer than 4 samples, shapes that
    are not the encoder's, or an encoder whose y does not depend on its Transformer.
    """
    config = encoder.config
    if len(x) < _LEAST_SAMPLES:
        raise ValueError(f"{len(x)} transfer samples; at least {_LEAST_SAMPLES} are needed")
    if x.shape[1:] != (config.points,) or y.shape != (len(x), config.properties):
        raise ValueError(f"spectra {x.shape} and references {y.shape} do not fit the encoder")
    if not bool((encoder.residual_scale != 0).any()):
        raise ValueError("the residual's scale is zero: the Transformer has no share in y")
    adapters = add_lora(encoder, rank, alpha=rank, seed=seed)
    start = adapters.state()
    fit = _Fit(encoder, adapters, x, y, rate)
    fold = np.random.default_rng(seed).permutation(len(x)) % min(_FOLDS, len(x))
    error = np.zeros(steps + 1)
    for k in range(int(fold.max()) + 1):
        error += fit.run(steps, held=fold == k)
        adapters.load(start)
    # A run that diverged is no minimum.
    best = int(np.argmin(np.where(np.isfinite(error), error, np.inf)))
    fit.run(best, held=np.zeros(len(x), bool))
    return adapters


class _Fit:
    """Runs of gradient descent on the same samples."""

    def __init__(
        self, encoder: Encoder, adapters: LoraAdapters, x: Array, y: Array, rate: float
    ) -> None:
        self._encoder, self._adapters, self._rate = encoder, adapters, rate
        device = encoder.theta.device
        self._x = torch.from_numpy(x).float().to(device)
        self._y = torch.from_numpy(y).float().to(device)
        spread = self._y.std(dim=0)
        self._unit = torch.where(spread > 0, spread, 1.0)

    def run(self, steps: int, held: NDArray[np.bool_]) -> Array:
        """Take `steps` from where the adapters are, and set their offset.

        held: (n,) samples that are not learned from. Returns (steps + 1,) the sum of their squared
        errors in units of the spread, after each number of steps.
        """
        out = torch.from_numpy(held).to(self._x.device)
        optimiser = torch.optim.Adam([*self._adapters.down, *self._adapters.up], lr=self._rate)
        course = np.zeros(steps + 1)
        for step in range(steps + 1):
            # Rows do not see each other, so one pass serves both kinds of sample.
            error = self._y - self._encoder(self._x, self._encoder.theta)[0]
            offset = error[~out].mean(dim=0)
            left = (error - offset) / self._unit
            course[step] = float(left[out].detach().square().sum())
            if step < steps:
                optimiser.zero_grad()
                left[~out].square().mean().backward()
                optimiser.step()
        with torch.no_grad():
            self._adapters.offset += offset
        return course
