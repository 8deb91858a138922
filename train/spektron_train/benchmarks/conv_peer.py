"""A published 1-D CNN for NIR calibration as a peer, written from its description.

Cui and Fearn, Chemom. Intell. Lab. Syst. 182 (2018) 9: standardised spectra, one convolution with
one filter, three dense layers of 36, 18 and 12, ELU, He initialisation, L2 penalty on the weights,
Adam with a learning rate that falls when validation stalls.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float64]
KERNEL = 5
DENSE = (36, 18, 12)


@dataclass(frozen=True)
class Recipe:
    """Searched settings, and when to stop: epochs; `patience` epochs without gain halve the rate.

    The run ends after twice the patience without gain. Best weights are kept.
    """

    learning_rates: tuple[float, ...] = (3e-3, 1e-2)
    penalties: tuple[float, ...] = (1e-3, 1e-2)
    validation: float = 0.2
    batch: int = 32
    epochs: int = 600
    patience: int = 40


@dataclass(frozen=True, eq=False)
class _Part:
    x: torch.Tensor
    y: torch.Tensor


def cui_fearn(
    x_train: Array,
    y_train: Array,
    x_test: Array,
    rng: np.random.Generator,
    recipe: Recipe | None = None,
) -> Array:
    """(n, L), (n, m), (k, L) -> (k, m): one network a property, raw spectra.

    Learning rate and penalty are chosen per property by a part of the training samples, which also
    stops the training; the chosen network is the one that was trained beside it.
    """
    recipe = recipe or Recipe()
    order = rng.permutation(len(x_train))
    held, kept = np.split(order, [round(recipe.validation * len(x_train))])
    centre, width = x_train[kept].mean(axis=0), x_train[kept].std(axis=0)
    columns = []
    for j in range(y_train.shape[1]):
        mean, deviation = y_train[kept, j].mean(), y_train[kept, j].std()

        def part(
            rows: NDArray[np.int64], j: int = j, m: float = mean, d: float = deviation
        ) -> _Part:
            x, y = (x_train[rows] - centre) / width, (y_train[rows, [j]] - m) / d
            return _Part(torch.from_numpy(x).float(), torch.from_numpy(y).float()[:, None])

        seed = int(rng.integers(2**31))
        trials = [
            _train(part(kept), part(held), rate, penalty, recipe, seed)
            for rate in recipe.learning_rates
            for penalty in recipe.penalties
        ]
        model = min(trials, key=lambda trial: trial[0])[1]
        with torch.inference_mode():
            out = model(torch.from_numpy((x_test - centre) / width).float()).double().numpy()
        columns.append(mean + deviation * out)
    return np.concatenate(columns, axis=1)


def network(channels: int) -> nn.Sequential:
    """(B, channels) -> (B, 1)."""
    sizes = (channels, *DENSE)
    layers: list[nn.Module] = [
        nn.Unflatten(1, (1, -1)),
        nn.Conv1d(1, 1, KERNEL, padding="same"),
        nn.Flatten(),
        nn.ELU(),
    ]
    for inputs, outputs in zip(sizes, DENSE, strict=False):
        layers += [nn.Linear(inputs, outputs), nn.ELU()]
    layers.append(nn.Linear(DENSE[-1], 1))
    for layer in layers:
        if isinstance(layer, nn.Conv1d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return nn.Sequential(*layers)


def _train(
    kept: _Part, held: _Part, rate: float, penalty: float, recipe: Recipe, seed: int
) -> tuple[float, nn.Sequential]:
    """Validation error (mean squared, standardised) and the network that reached it."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = network(kept.x.shape[1])
    weights = [p for p in model.parameters() if p.ndim > 1]
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    best, best_state, since, waited = float("inf"), copy.deepcopy(model.state_dict()), 0, 0
    for _ in range(recipe.epochs):
        order = torch.randperm(len(kept.x), generator=generator)
        for rows in torch.split(order, recipe.batch):
            optimiser.zero_grad()
            loss = torch.mean((model(kept.x[rows]) - kept.y[rows]) ** 2)
            for weight in weights:
                loss = loss + penalty / 2 * weight.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            error = float(torch.mean((model(held.x) - held.y) ** 2))
        since, waited = since + 1, waited + 1
        if error < best:
            best, best_state, since, waited = error, copy.deepcopy(model.state_dict()), 0, 0
        if waited >= recipe.patience:
            optimiser.param_groups[0]["lr"] /= 2
            waited = 0
        if since >= 2 * recipe.patience:
            break
    model.load_state_dict(best_state)
    return best, model
