"""Close what is left of the instrument in `z_chem`, on simulated pairs.

Training makes `z_chem` agree between instruments, not equal, and a linear classifier needs but a
trace. Afterwards a pool of samples is shown to many training instruments, and of the latent's 128
directions only those are kept in which nearly all of the spread comes from the samples. It is the
idea of external parameter orthogonalisation (Roger, Chauchard and Bellon-Maurel, Chemom. Intell.
Lab. Syst. 66 (2003) 191) applied to the latent, with directions ranked as linear discriminant
analysis of the samples ranks them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh

from spektron_train.data.simulate.domain import Domain, wavenumber
from spektron_train.data.simulate.matter import Matter
from spektron_train.data.simulate.optics import random_instrument
from spektron_train.model import Encoder

Array = NDArray[np.float64]
POOL, SEEN = 192, 40


@dataclass(frozen=True)
class Closed:
    """kept: directions left of `z_chem`; lost: share of the spread that is not the samples'."""

    kept: int
    lost: tuple[float, ...]


def close_instrument_directions(
    encoder: Encoder, domain: Domain, seed: int, *, instruments: int, budget: float
) -> Closed:
    """Project the mean of `z_chem` in place, inside its head's weights.

    Directions are kept, the best first, while the sum of their lost shares stays within `budget`.
    """
    z, which = _views(encoder, domain, seed, instruments)
    samples = _means_by_sample(z, which)
    moved = (z - samples[which]).reshape(-1, z.shape[2])
    chemistry = np.cov(samples.T)
    total = chemistry + moved.T @ moved / len(moved)
    total += 1e-6 * np.trace(total) / len(total) * np.eye(len(total))
    share, directions = eigh(chemistry, total)
    lost, directions = 1 - share[::-1], directions[:, ::-1]
    kept = max(1, int(np.searchsorted(np.cumsum(lost), budget)))
    chosen = directions[:, :kept]
    # Directions have unit spread in all: back to the latent's own coordinates.
    _fold(encoder, chosen @ chosen.T @ total, samples.mean(axis=0))
    return Closed(kept, tuple(float(value) for value in lost[:kept]))


def _views(
    encoder: Encoder, domain: Domain, seed: int, instruments: int
) -> tuple[Array, NDArray[np.int64]]:
    """Means of `z_chem` (v, SEEN, 128) of samples from a pool, and which samples (v, SEEN).

    Every instrument sees samples of its own, so that as many of both are drawn as time allows.
    """
    rng = np.random.default_rng(seed)
    pool = Matter(wavenumber(domain.fine_axis(), domain.unit)).draw(POOL, rng).absorbance
    which = np.stack([rng.choice(POOL, SEEN, replace=False) for _ in range(instruments)])
    seen = []
    with torch.inference_mode():
        for rows in which:
            x = random_instrument(domain, rng).measure(pool[rows], rng)
            latent = encoder.encode(torch.from_numpy(x).float(), encoder.theta)
            seen.append(latent.chem.double().numpy())
    return np.stack(seen), which


def _means_by_sample(z: Array, which: NDArray[np.int64]) -> Array:
    """(POOL, 128) mean over the instruments that saw a sample; the overall mean if none did."""
    total = np.zeros((POOL, z.shape[2]))
    np.add.at(total, which, z)
    count = np.bincount(which.ravel(), minlength=POOL)[:, None]
    means: Array = np.where(count > 0, total / np.maximum(count, 1), z.mean(axis=(0, 1)))
    return means


def _fold(encoder: Encoder, project: Array, mean: Array) -> None:
    """z -> (z - mean) project, as new weights of the head."""
    head = encoder.chem.mean
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(head.weight.double().numpy() @ project))
        bias = (head.bias.double().numpy() - mean) @ project
        head.bias.copy_(torch.from_numpy(bias))
