"""Take apart what is left of the instrument in `z_chem` and of the sample in `z_inst`.

Training makes `z_chem` agree between instruments, not equal, and a linear classifier needs but a
trace; nothing keeps the sample out of `z_inst`. Afterwards a pool of samples is shown to many
training instruments, and of what both latents are read from only those directions are kept whose
spread is their own: for `z_chem` the samples', for `z_inst` the instruments'. It is the idea of
external parameter orthogonalisation (Roger, Chauchard and Bellon-Maurel, Chemom. Intell. Lab. Syst.
66 (2003) 191) with directions ranked as linear discriminant analysis ranks them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh

from spektron_train.data.simulate.domain import Domain
from spektron_train.data.simulate.matter import Matter
from spektron_train.data.simulate.optics import random_instrument
from spektron_train.model import Encoder
from spektron_train.model.transformer import Projection

Array = NDArray[np.float64]
POOL, SEEN = 192, 40
# Share of the mean variance added to every direction: some hardly vary at all.
_SHRINKAGE = 3e-4


@dataclass(frozen=True)
class Closed:
    """Of one latent. kept: directions left; lost: the share of each one's spread not its own."""

    kept: int
    lost: tuple[float, ...]


@dataclass(frozen=True)
class Budgets:
    """The most that the lost shares of a latent's directions may sum up to."""

    chem: float
    inst: float


def close_latents(
    encoder: Encoder, domain: Domain, seed: int, *, instruments: int, budgets: Budgets
) -> tuple[Closed, Closed]:
    """Replace the weights of both heads' means by what they predict from directions of their own.

    Directions are kept, the best first, while the sum of their lost shares stays within budget.
    """
    pooled, which = _views(encoder, domain, seed, instruments)
    sample, instrument = _means_by_sample(pooled, which), pooled.mean(axis=1)
    return (
        _close(encoder.chem.mean, sample, pooled - sample[which], budgets.chem),
        _close(encoder.inst.mean, instrument, pooled - instrument[:, None], budgets.inst),
    )


def _close(head: Projection, own: Array, moved: Array, budget: float) -> Closed:
    """own (k, d): what the latent should tell apart; moved (v, n, d): what is left beside it."""
    moved = moved.reshape(-1, own.shape[1])
    spread = np.cov(own.T) + moved.T @ moved / len(moved)
    total = spread + _SHRINKAGE * np.trace(spread) / len(spread) * np.eye(len(spread))
    share, directions = eigh(np.cov(own.T), total)
    lost, directions = 1 - share[::-1], directions[:, ::-1]
    kept = max(1, int(np.searchsorted(np.cumsum(lost), budget)))
    chosen = directions[:, :kept]
    # What the latent was, as far as it is linear in the chosen directions, of unit spread each.
    with torch.no_grad():
        weight = chosen @ chosen.T @ spread @ head.weight.double().numpy()
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(-own.mean(axis=0) @ weight))
    return Closed(kept, tuple(float(value) for value in lost[:kept]))


def _views(
    encoder: Encoder, domain: Domain, seed: int, instruments: int
) -> tuple[Array, NDArray[np.int64]]:
    """What the latents are read from (v, SEEN, d) of samples from a pool, and which (v, SEEN).

    Every instrument sees samples of its own, so that as many of both are drawn as time allows.
    """
    rng = np.random.default_rng(seed)
    pool = Matter.within(domain).draw(POOL, rng).absorbance
    which = np.stack([rng.choice(POOL, SEEN, replace=False) for _ in range(instruments)])
    seen = []
    with torch.inference_mode():
        for rows in which:
            x = random_instrument(domain, rng).measure(pool[rows], rng)
            latent = encoder.encode(torch.from_numpy(x).float(), encoder.theta)
            seen.append(latent.pooled.double().numpy())
    return np.stack(seen), which


def _means_by_sample(z: Array, which: NDArray[np.int64]) -> Array:
    """(POOL, d) mean over the instruments that saw a sample; the overall mean if none did."""
    total = np.zeros((POOL, z.shape[2]))
    np.add.at(total, which, z)
    count = np.bincount(which.ravel(), minlength=POOL)[:, None]
    means: Array = np.where(count > 0, total / np.maximum(count, 1), z.mean(axis=(0, 1)))
    return means
