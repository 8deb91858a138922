"""Close what is left of the instrument in `z_chem`, on simulated pairs.

Training makes `z_chem` agree between instruments, not equal. Afterwards the same samples are shown
to many training instruments, and of the latent's 128 directions only those are kept in which the
samples differ far more than the instruments' mean views of them do. It is the idea of external
parameter orthogonalisation (Roger, Chauchard and Bellon-Maurel, Chemom. Intell. Lab. Syst. 66
(2003) 191) applied to the latent, with directions ranked as linear discriminant analysis does.
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


@dataclass(frozen=True)
class Closed:
    """kept: directions left of `z_chem`; ratios: instrument over sample variance in each."""

    kept: int
    ratios: tuple[float, ...]


def close_instrument_directions(
    encoder: Encoder,
    domain: Domain,
    seed: int,
    *,
    instruments: int,
    samples: int,
    budget: float,
) -> Closed:
    """Project the mean of `z_chem` in place, inside its head's weights.

    Directions are kept, the best first, while the sum of their ratios stays within `budget`: the
    squared distance between two instruments that a linear classifier could use, in units of the
    samples' spread.
    """
    z = _views(encoder, domain, seed, instruments, samples)
    mean = z.mean(axis=(0, 1))
    between = np.cov(z.mean(axis=1).T)
    chemistry = np.cov(z.mean(axis=0).T)
    rest = z - z.mean(axis=0) - z.mean(axis=1, keepdims=True) + mean
    inside = chemistry + np.cov(rest.reshape(-1, z.shape[2]).T)
    inside += 1e-6 * np.trace(inside) / len(inside) * np.eye(len(inside))
    ratio, directions = eigh(between, inside)
    kept = max(1, int(np.searchsorted(np.cumsum(np.clip(ratio, 0, None)), budget)))
    chosen = directions[:, :kept]
    # Directions have unit spread within an instrument: back to the latent's own coordinates.
    _fold(encoder, chosen @ chosen.T @ inside, mean)
    return Closed(kept, tuple(float(value) for value in ratio[:kept]))


def _views(encoder: Encoder, domain: Domain, seed: int, instruments: int, samples: int) -> Array:
    """(v, n, 128) means of `z_chem` of the same samples through `instruments`."""
    rng = np.random.default_rng(seed)
    matter = Matter(wavenumber(domain.fine_axis(), domain.unit)).draw(samples, rng)
    seen = []
    with torch.inference_mode():
        for _ in range(instruments):
            x = random_instrument(domain, rng).measure(matter.absorbance, rng)
            latent = encoder.encode(torch.from_numpy(x).float(), encoder.theta)
            seen.append(latent.chem.double().numpy())
    return np.stack(seen)


def _fold(encoder: Encoder, project: Array, mean: Array) -> None:
    """z -> (z - mean) project, as new weights of the head."""
    head = encoder.chem.mean
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(head.weight.double().numpy() @ project))
        bias = (head.bias.double().numpy() - mean) @ project
        head.bias.copy_(torch.from_numpy(bias))
