"""Supervised training of the encoder on paired views of a few samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spektron_train.data.instrument_noise import DetectorNoise, Nuisance
from spektron_train.model import Encoder
from spektron_train.model.theta import ADAPTER

from .objective import AuxiliaryHeads, Batch, Objective, Weights
from .progress import Advance

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """Optimisation: AdamW, linear warm-up, cosine decay to zero."""

    epochs: int = 200
    batch: int = 12
    rate: float = 1e-3
    decay: float = 0.05
    warmup: float = 0.05
    clip: float = 1.0
    blend_reach: float = 0.25

    def factor(self, progress: float) -> float:
        """Share of the rate at `progress` in [0, 1]."""
        if progress < self.warmup:
            return progress / self.warmup
        return 0.5 * (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup)))

    def steps(self, samples: int) -> int:
        """Steps in all."""
        return self.epochs * -(-samples // self.batch)


@dataclass(frozen=True)
class Views:
    """The same samples on several instruments, the source first: (v, n, L); rest as in Batch."""

    spectra: Array
    targets: Array
    residuals: Array

    def take(self, rows: NDArray[np.int64]) -> Views:
        """The chosen samples."""
        return Views(self.spectra[:, rows], self.targets[rows], self.residuals[rows])

    def mix(self, weights: Array) -> Views:
        """Blends of the samples, weights (k, n) with rows that sum to one.

        To first order absorbance and content of a blend are both the weighted means of its parts
        (Beer and Lambert), so a blend is a sample with a known reference. Cf. Zhang et al., ICLR
        2018.
        """
        blended = np.einsum("kn,vnl->vkl", weights, self.spectra)
        return Views(blended, weights @ self.targets, weights @ self.residuals)


def blend_weights(order: NDArray[np.int64], reach: float, rng: np.random.Generator) -> Array:
    """(n, n): sample order[i] with a random partner; shares reach a little beyond [0, 1]."""
    n = len(order)
    share = rng.uniform(-reach, 1 + reach, n)
    weights = np.zeros((n, n))
    np.add.at(weights, (np.arange(n), order), share)
    np.add.at(weights, (np.arange(n), rng.integers(n, size=n)), 1 - share)
    return weights


@dataclass(frozen=True)
class Trained:
    """What training leaves beside the encoder: its auxiliary heads, the terms of the last step."""

    heads: AuxiliaryHeads
    last_terms: dict[str, float]


def train(
    encoder: Encoder,
    views: Views,
    *,
    schedule: Schedule,
    weights: Weights,
    noise: DetectorNoise,
    nuisance: Nuisance,
    rng: np.random.Generator,
    seed: int,
    advance: Advance,
) -> Trained:
    """Train in place. The adapter stays the identity."""
    count, samples, _ = views.spectra.shape
    heads = AuxiliaryHeads(encoder, count)
    generator = torch.Generator().manual_seed(seed)
    objective = Objective(encoder, heads, weights, generator)
    optimiser = torch.optim.AdamW(
        [*encoder.parameters(), *heads.parameters()],
        lr=schedule.rate,
        weight_decay=schedule.decay,
    )
    last: dict[str, float] = {}
    total, step = schedule.steps(samples), 0
    encoder.train()
    for _ in range(schedule.epochs):
        blends = blend_weights(rng.permutation(samples), schedule.blend_reach, rng)
        for start in range(0, samples, schedule.batch):
            progress = step / total
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate * schedule.factor(progress)
            chosen = views.mix(blends[start : start + schedule.batch])
            batch = _batch(chosen, noise, nuisance, encoder.config.step, rng)
            terms = objective.terms(batch, progress)
            loss = torch.stack(list(terms.values())).sum()
            optimiser.zero_grad()
            loss.backward()
            freeze_adapter(encoder)
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), schedule.clip)
            optimiser.step()
            last = {name: float(term.detach()) for name, term in terms.items()}
            step += 1
            advance(f"loss {sum(last.values()):.3f}")
    encoder.eval()
    return Trained(heads.eval(), last)


def _batch(
    views: Views, noise: DetectorNoise, nuisance: Nuisance, step_nm: float, rng: np.random.Generator
) -> Batch:
    scans = [noise.add(nuisance.add(x, step_nm, rng), rng) for x in views.spectra]
    return Batch(
        x=torch.from_numpy(np.concatenate(scans)).float(),
        targets=torch.from_numpy(views.targets).float(),
        residuals=torch.from_numpy(views.residuals).float(),
        views=len(views.spectra),
    )


def freeze_adapter(encoder: Encoder) -> None:
    """Take the adapter out of theta's gradient; weight decay cannot move it: it starts at zero."""
    if encoder.theta.grad is not None:
        encoder.theta.grad[: len(ADAPTER)] = 0
