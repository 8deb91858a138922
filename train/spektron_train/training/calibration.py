"""A product's calibration on a foundation, without gradient descent.

A value is linear in three blocks: the derivative spectrum, what simulated products say of its
directions, and `z_chem` of the frozen foundation. The first two fold into the encoder's linear
path, the third into its residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from spektron_edge.spectra.preprocessing import FIRST_DERIVATIVE, correlate_valid
from spektron_train.data.instrument_noise import DetectorNoise
from spektron_train.data.simulate.domain import NIR
from spektron_train.evaluation import run_encoder
from spektron_train.model import Encoder
from spektron_train.model.linear_path import unfilter
from spektron_train.model.rounding import rounded_as_int8
from spektron_train.model.transplant import on_axis
from spektron_train.pretraining.linear_prior import linear_prior
from spektron_train.reference.joint_ridge import JointRidge, fit_joint_ridge

Array = NDArray[np.float64]
BLOCKS = ("derivative spectrum", "simulated prior", "z_chem")
# Shares of the prior and of z_chem in the kernel that are tried; the derivative spectrum has the
# rest. Never less than that: a block that alone fits few samples well misleads leave-one-out.
_PRIOR, _CHEM = (0.0, 0.25, 0.5), (0.0, 0.1)
# A value should not depend on the precision it was computed in: rounding counts as so much larger.
_ROUNDING = 4.0


@dataclass(frozen=True, eq=False)
class Basis:
    """What a value is linear in beside the derivative spectrum. prior: (L - w + 1, r)."""

    prior: Array
    encoder: Encoder

    def blocks(self, x: Array) -> list[Array]:
        """Of spectra (n, L): (n, p) each, in the order of `BLOCKS`."""
        return blocks(x, self.prior, self.encoder)


def blocks(x: Array, prior: Array | None, encoder: Encoder | None) -> list[Array]:
    """`Basis.blocks`; None leaves a block out."""
    found: list[Array] = [correlate_valid(x, FIRST_DERIVATIVE)]
    if prior is not None:
        found.append(found[0] @ prior)
    if encoder is not None:
        found.append(run_encoder(encoder, x)[1])
    return found


def shares(*, prior: bool, chem: bool) -> Array:
    """(settings, blocks) for the blocks that there are."""
    grid = product(_PRIOR if prior else (0.0,), _CHEM if chem else (0.0,))
    kept = [True, prior, chem]
    return np.array([(1 - p - z, p, z) for p, z in grid])[:, kept]


def basis_on(foundation: Encoder, start: float, points: int, properties: int) -> Basis:
    """The near-infrared foundation and the prior on the grid that begins at `start` (nm).

    Raises ValueError when the grid is not within the foundation's.
    """
    own, step, _ = NIR.grid
    encoder = on_axis(foundation, start, step, points, properties)
    return Basis(linear_prior(NIR, round((start - own) / step), points), encoder)


def calibrate(
    basis: Basis, x: Array, y: Array, *, noise: DetectorNoise, scans: int, rng: np.random.Generator
) -> JointRidge:
    """Fit references y (n, m) on spectra x (n, L) and install the result in the basis's encoder.

    `scans` noisy scans of each sample say what a setting makes of noise, and of the rounding of
    INT8. Raises ValueError for fewer than four samples.
    """
    noisy = [noise.add(x, rng) for _ in range(scans)]
    again = [basis.blocks(scan) for scan in noisy]
    with rounded_as_int8(basis.encoder, torch.from_numpy(np.concatenate([x, *noisy])).float()):
        for known, scan in zip(again, noisy, strict=True):
            known[-1] += _ROUNDING * (run_encoder(basis.encoder, scan)[1] - known[-1])
    known = basis.blocks(x)
    fitted = fit_joint_ridge(
        known,
        y,
        shares(prior=True, chem=True),
        again=[np.stack(b) for b in zip(*again, strict=True)],
    )
    derivative, prior, chem = fitted.coefficients
    encoder = basis.encoder
    weight = unfilter(derivative + basis.prior @ prior, FIRST_DERIVATIVE)
    encoder.linear.set(x.mean(axis=0), weight, fitted.y_mean)
    unit = np.maximum((known[-1] @ chem).std(axis=0), np.finfo(np.float32).tiny)
    with torch.no_grad():
        encoder.residual.weight.copy_(torch.from_numpy(chem / unit))
        encoder.residual.bias.copy_(torch.from_numpy(-fitted.means[-1] @ chem / unit))
        encoder.residual_scale.copy_(torch.from_numpy(unit))
    return fitted
