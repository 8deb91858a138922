"""Ridge on several blocks of features at once, with leave-one-out weights in place of choices.

Which block to trust (derivative spectrum, what simulation says of its directions, the latent) and
how strongly to shrink cannot be chosen well from ten samples, so nothing is chosen: every setting
is fitted, and their predictions are averaged with weights that fall off with the leave-one-out
error. A sum of linear models is one linear model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PENALTIES = np.geomspace(1e-8, 1.0, 25)
# The fewer samples, the less a leave-one-out error says: settings that are worse than the best by
# this over the number of samples, relative to it, count 1/e as much.
_TEMPERATURE = 20.0


@dataclass(frozen=True)
class JointRidge:
    """y = y_mean + sum over blocks of (block - mean) coefficients; block b is (n, p_b), y (n, m).

    share (blocks, m): mean weight of each block in the kernel.
    """

    y_mean: Array
    means: tuple[Array, ...]
    coefficients: tuple[Array, ...]
    share: Array

    def predict(self, *blocks: Array) -> Array:
        """(n, p_b) each -> (n, m)."""
        y = self.y_mean
        for block, mean, coefficients in zip(blocks, self.means, self.coefficients, strict=True):
            y = y + (block - mean) @ coefficients
        return y


def fit_joint_ridge(
    blocks: Sequence[Array],
    y: Array,
    shares: Array,
    *,
    again: Sequence[Array] | None = None,
    penalties: Array = PENALTIES,
) -> JointRidge:
    """Fit; blocks are scaled to a mean squared norm of one, penalties are relative to that.

    shares (settings, blocks): shares of the blocks in the kernel to try, each row with sum one.
    again: blocks (k, n, p_b) of k further scans of each sample. What a setting makes of their
    scatter counts as error too: the best one for noiseless spectra amplifies noise. Raises
    ValueError for fewer than four samples or shapes that do not fit.
    """
    n = len(y)
    if n < 4 or y.ndim != 2 or not blocks or any(len(block) != n for block in blocks):
        raise ValueError("expected blocks (n, p) and y (n, m) with n of at least 4")
    if shares.ndim != 2 or shares.shape[1] != len(blocks):
        raise ValueError(f"expected shares (settings, {len(blocks)}), not {shares.shape}")
    means = tuple(block.mean(axis=0) for block in blocks)
    y_mean = y.mean(axis=0)
    units = [_unit(block - mean) for block, mean in zip(blocks, means, strict=True)]
    scaled = [(b - m) / u for b, m, u in zip(blocks, means, units, strict=True)]
    grams = np.stack([block @ block.T for block in scaled])
    scatter = None
    if again is not None:
        deltas = zip(again, blocks, scaled, units, strict=True)
        scatter = np.stack([(more - block) @ s.T / u for more, block, s, u in deltas])
    duals, errors = [], []
    for share in shares:
        dual, error = _paths(np.tensordot(share, grams, 1), y - y_mean, penalties)
        if scatter is not None:
            moved = np.einsum("kin,gnm->gkim", np.tensordot(share, scatter, 1), dual)
            error = error + np.mean(moved**2, axis=(1, 2))
        duals.append(dual)
        errors.append(error)
    error = np.stack(errors)
    worse = error / np.maximum(error.min(axis=(0, 1)), 1e-300) - 1
    weights = np.exp(-worse * n / _TEMPERATURE)
    weights /= weights.sum(axis=(0, 1))
    per_share = np.einsum("sgm,sgnm->snm", weights, np.stack(duals))
    return JointRidge(
        y_mean=y_mean,
        means=means,
        coefficients=tuple(
            block.T @ np.einsum("s,snm->nm", shares[:, b], per_share) / unit
            for b, (block, unit) in enumerate(zip(scaled, units, strict=True))
        ),
        share=np.einsum("sb,sgm->bm", shares, weights),
    )


def _unit(centred: Array) -> float:
    unit = float(np.sqrt(np.mean(np.sum(centred**2, axis=1))))
    return unit if unit > 0 else 1.0


def _paths(gram: Array, y: Array, penalties: Array) -> tuple[Array, Array]:
    """Dual coefficients (g, n, m) and mean squared leave-one-out errors (g, m) per penalty."""
    n = len(y)
    # The mean is fitted too. Its direction, which centred blocks leave empty, is filled far beyond
    # all others, so that it takes no part in what follows.
    full = np.trace(gram)
    values, vectors = np.linalg.eigh(gram + full / n)
    inverse = 1 / (np.clip(values, 0.0, None) + penalties[:, None])
    dual = np.einsum("ij,gj,jm->gim", vectors, inverse, vectors.T @ y)
    # Left-out error = residual / (1 - leverage); both vanish with the penalty, this ratio does not.
    own = np.einsum("ij,gj,ij->gi", vectors, inverse, vectors) - 1 / (
        n * (full + penalties[:, None])
    )
    left_out = dual / own[:, :, None]
    return dual, np.mean(left_out**2, axis=1)
