"""Train one arm of the tokenizer benchmark until validation samples stop to gain from it.

The same for both arms: AdamW, batches of augmented spectra, an exponential mean of the weights
(Polyak and Juditsky, SIAM J. Control Optim. 30 (1992) 838), and the best mean of the run. The
splits of a data set are trained side by side as one batched model, which saves half of the time;
they share nothing but the steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call, stack_module_state, vmap

from .arms import Arm, Grid, Regressor, build

Array = NDArray[np.float64]
Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Augmentation:
    """Standard deviations of what is added to a spectrum; no gain, which would change content.

    offset, slope (reached at either end) and noise: shares of the training spectra's standard
    deviation, mean over wavelengths; shift: in channels.
    """

    offset: float
    slope: float
    shift: float = 0.05
    noise: float = 0.001


@dataclass(frozen=True)
class Choice:
    """What is searched, for each arm and data set alike."""

    learning_rate: float
    weight_decay: float
    augmentation: Augmentation


@dataclass(frozen=True)
class Budget:
    """Limits of one training, in steps; each of `batch` spectra.

    The learning rate rises over `warm_up` steps and falls to zero by a half cosine over `most`.
    validation: share of the training samples kept for stopping; every: steps between looks at
    them; patience: steps without a better look after which it stops; average: decay of the mean
    weights.
    """

    batch: int = 8
    validation: float = 0.2
    every: int = 50
    patience: int = 1000
    warm_up: int = 100
    most: int = 5000
    average: float = 0.99


@dataclass(frozen=True, eq=False)
class Samples:
    """Training samples of one split: x (n, L) absorbance, y (n, m), and the seed of its draws."""

    x: Array
    y: Array
    seed: int


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained arm. validation: root mean squared error there in standard deviations, of the best
    mean weights, reached at step `best` of `steps`.

    losses: (steps,) mean squared error of each batch, properties standardised.
    """

    model: Regressor
    centre: torch.Tensor
    scale: torch.Tensor
    y_mean: Array
    y_std: Array
    validation: float
    best: int
    steps: int
    losses: Array

    def predict(self, x: Array) -> Array:
        """(n, L) absorbance -> (n, m) in the properties' units."""
        with torch.inference_mode():
            z = (torch.from_numpy(x).float() - self.centre) * self.scale
            y: Array = self.model(z).double().numpy()
        return self.y_mean + self.y_std * y

    @property
    def flatness(self) -> float:
        """Training loss of the last tenth of the steps over that of the tenth before; 1 is flat."""
        tenth = max(len(self.losses) // 10, 1)
        last, before = self.losses[-tenth:], self.losses[-2 * tenth : -tenth]
        return float(last.mean() / before.mean()) if before.size else float("nan")


@dataclass(frozen=True, eq=False)
class _Parts:
    """K splits side by side: x (K, n, L), y (K, n, m) standardised, held (K, h, ...) likewise."""

    x: torch.Tensor
    y: torch.Tensor
    held_x: torch.Tensor
    held_y: torch.Tensor
    centre: torch.Tensor
    scale: torch.Tensor
    y_mean: Array
    y_std: Array


def _parts(samples: Sequence[Samples], validation: float) -> _Parts:
    kept, held, means, deviations = [], [], [], []
    for s in samples:
        order = np.random.default_rng(s.seed).permutation(len(s.x))
        out, rest = np.split(order, [round(validation * len(s.x))])
        means.append(s.y[rest].mean(axis=0))
        deviations.append(s.y[rest].std(axis=0))
        y = (s.y - means[-1]) / deviations[-1]
        kept.append((s.x[rest], y[rest]))
        held.append((s.x[out], y[out]))
    x, y, held_x, held_y = (
        torch.from_numpy(np.stack([pair[i] for pair in pairs])).float()
        for pairs in (kept, held)
        for i in (0, 1)
    )
    centre, scale = x.mean(dim=1, keepdim=True), 1 / x.std(dim=1, keepdim=True)
    watched = (held_x - centre) * scale
    return _Parts(x, y, watched, held_y, centre, scale, np.array(means), np.array(deviations))


def _batches(
    parts: _Parts, size: int, settings: Augmentation, seeds: Sequence[int]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Without end (K, size, L) augmented and standardised, and (K, size, m).

    Each spectrum comes once an epoch. A split's draws depend on its own seed only.
    """
    count, n, points = parts.x.shape
    u = torch.linspace(-1.0, 1.0, points)
    spread = (1 / parts.scale).mean(dim=2, keepdim=True)
    slopes = torch.gradient(parts.x, dim=2)[0]
    which = torch.arange(count)[:, None]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    while True:
        order = torch.stack([torch.randperm(n, generator=g) for g in generators])
        for rows in torch.split(order, size, dim=1):
            shape = rows.shape[1], 3 + points
            draws = torch.stack([torch.randn(shape, generator=g) for g in generators])
            offset, slope, shift, noise = torch.split(draws, [1, 1, 1, points], dim=2)
            baseline = settings.offset * offset + settings.slope * slope * u
            x = parts.x[which, rows] + settings.shift * shift * slopes[which, rows]
            x = x + spread * (baseline + settings.noise * noise)
            yield (x - parts.centre) * parts.scale, parts.y[which, rows]


def fit(
    arm: Arm, grid: Grid, samples: Sequence[Samples], choice: Choice, budget: Budget
) -> list[Fitted]:
    """Train on each split's samples, all of one number, stopping by a part of the same samples."""
    parts = _parts(samples, budget.validation)
    models = [build(arm, grid, s.seed) for s in samples]
    weights, buffers = stack_module_state(models)

    def forward(weights: Weights, buffers: Weights, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = functional_call(models[0], (weights, buffers), (x,))
        return out

    together = vmap(forward)
    optimiser = torch.optim.AdamW(
        list(weights.values()),
        lr=choice.learning_rate,
        weight_decay=choice.weight_decay,
        fused=True,
    )
    mean = {name: value.detach().clone() for name, value in weights.items()}
    best_mean = {name: value.clone() for name, value in mean.items()}
    best = torch.full((len(samples),), math.inf)
    best_step = torch.zeros(len(samples), dtype=torch.long)
    losses: list[torch.Tensor] = []
    seeds = [s.seed for s in samples]
    batches = _batches(parts, budget.batch, choice.augmentation, seeds)
    for step, (x, wanted) in enumerate(batches, start=1):
        optimiser.param_groups[0]["lr"] = choice.learning_rate * _share(step, budget)
        optimiser.zero_grad()
        loss = torch.mean((together(weights, buffers, x) - wanted) ** 2, dim=(1, 2))
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.detach())
        # The first means would otherwise be the initial weights.
        share = 1 - min(budget.average, step / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(mean.values()), list(weights.values()), share)
        if step % budget.every and step < budget.most:
            continue
        with torch.no_grad():
            error = (together(mean, buffers, parts.held_x) - parts.held_y).square().mean(dim=(1, 2))
        better = (error < best) & (step - best_step <= budget.patience)
        best, best_step = error.where(better, best), best_step.where(~better, torch.tensor(step))
        for name, value in best_mean.items():
            value[better] = mean[name][better]
        if step >= budget.most or bool(torch.all(step - best_step >= budget.patience)):
            break
    curves = torch.stack(losses).double().numpy()
    fits = []
    for k, model in enumerate(models):
        model.load_state_dict({name: value[k] for name, value in best_mean.items()}, strict=False)
        steps = min(int(best_step[k]) + budget.patience, len(losses))
        fits.append(
            Fitted(
                model=model,
                centre=parts.centre[k, 0],
                scale=parts.scale[k, 0],
                y_mean=parts.y_mean[k],
                y_std=parts.y_std[k],
                validation=float(best[k]) ** 0.5,
                best=int(best_step[k]),
                steps=steps,
                losses=curves[:steps, k],
            )
        )
    return fits


def _share(step: int, budget: Budget) -> float:
    """Of the learning rate, at `step` of 1 to `most`."""
    fall = 0.5 * (1 + math.cos(math.pi * (step - 1) / budget.most))
    return min(1.0, step / budget.warm_up) * fall
