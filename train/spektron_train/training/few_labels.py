"""Train an encoder on a handful of labelled spectra."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from spektron_train.data.instrument_noise import DetectorNoise, Nuisance
from spektron_train.model import Encoder
from spektron_train.model.theta import ADAPTER
from spektron_train.model.transformer import Projection

Array = NDArray[np.float64]


def train_on_few(
    encoder: Encoder,
    x: Array,
    y: Array,
    *,
    steps: int,
    rate: float,
    seed: int,
    reach: float = 0.25,
) -> None:
    """Train in place to predict y (n, m) from z_chem of x (n, L), for `steps` of all samples.

    The regression's head is new and dropped afterwards. Every step sees the samples once, blended
    in pairs, with detector noise and a slow baseline added.
    """
    if steps == 0:
        return
    rng = np.random.default_rng(seed)
    noise, nuisance = DetectorNoise(), Nuisance()
    target = (y - y.mean(axis=0)) / np.maximum(y.std(axis=0), 1e-12)
    head = Projection(encoder.config.z_chem, y.shape[1], 0.1)
    optimiser = torch.optim.AdamW(
        [*encoder.parameters(), *head.parameters()], lr=rate, weight_decay=0.02
    )
    encoder.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
        weights = blend_weights(rng.permutation(len(x)), reach, rng)
        scans = noise.add(nuisance.add(weights @ x, encoder.config.step, rng), rng)
        z = encoder.encode(torch.from_numpy(scans).float(), encoder.theta).chem
        loss = functional.smooth_l1_loss(head(z), torch.from_numpy(weights @ target).float())
        optimiser.zero_grad()
        loss.backward()
        _freeze_adapter(encoder)
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimiser.step()
    encoder.eval()


def blend_weights(order: NDArray[np.int64], reach: float, rng: np.random.Generator) -> Array:
    """(n, n): sample order[i] with a random partner; shares reach a little beyond [0, 1].

    To first order absorbance and content of a blend are both the weighted means of its parts (Beer
    and Lambert), so a blend is a sample with a known reference. Cf. Zhang et al., ICLR 2018.
    """
    n = len(order)
    share = rng.uniform(-reach, 1 + reach, n)
    weights = np.zeros((n, n))
    np.add.at(weights, (np.arange(n), order), share)
    np.add.at(weights, (np.arange(n), rng.integers(n, size=n)), 1 - share)
    return weights


def _freeze_adapter(encoder: Encoder) -> None:
    """Take the adapter out of theta's gradient; weight decay cannot move it: it starts at zero."""
    if encoder.theta.grad is not None:
        encoder.theta.grad[: len(ADAPTER)] = 0
