"""The forward map in torch: masses and force constants to lines, batched and differentiable.

Leading dimensions are batches and broadcast. Geometry, hence B, is the caller's and stays fixed.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .units import ACTIVITY, INTENSITY, WAVENUMBER

# Levels nearer than this share of the largest are one degenerate level.
_DEGENERATE = 1e-9


class TorchModes(NamedTuple):
    """wavenumbers: (..., m) in cm-1, softest first. displacements: dx/dQ, (..., m, 3N)."""

    wavenumbers: Tensor
    displacements: Tensor


class TorchLines(NamedTuple):
    """One line per mode, (..., m) each: cm-1, km/mol, A4/u. As in `lines.Lines`."""

    wavenumbers: Tensor
    infrared: Tensor
    raman: Tensor


def torch_modes(b: Tensor, masses: Tensor, f: Tensor) -> TorchModes:
    """Solve det(GF - lambda I) = 0.

    b: (..., m, 3N) of independent coordinates. masses: (..., N) in u. f: (..., m, m), symmetric.

    Derivatives are exact to first order, and finite where levels are degenerate: there, of what
    does not depend on how the degenerate modes are mixed (sums over them) they are the derivatives.
    """
    lighter = b / masses.repeat_interleave(3, dim=-1)[..., None, :]
    c = torch.linalg.cholesky(lighter @ b.mT)
    level, vectors = _eigen(c.mT @ f @ c)
    # M^-1 B^T G^-1 C V, and G^-1 C = C^-T.
    moved = torch.linalg.solve_triangular(c, lighter.expand(*c.shape[:-1], -1), upper=False)
    wavenumbers = torch.sign(level) * torch.sqrt(torch.abs(level)) * WAVENUMBER
    return TorchModes(wavenumbers, vectors.mT @ moved)


def torch_lines(modes: TorchModes, dipole: Tensor, polarisability: Tensor) -> TorchLines:
    """Intensities from dmu/dx, (..., 3N, 3), and dalpha/dx, (..., 3N, 3, 3), in atomic units."""
    moved = modes.displacements
    moment = moved @ dipole
    tensor = (moved @ polarisability.flatten(-2)).unflatten(-1, (3, 3))
    mean = tensor.diagonal(dim1=-2, dim2=-1).mean(dim=-1)
    deviator = tensor - mean[..., None, None] * torch.eye(3, dtype=tensor.dtype)
    anisotropic = 1.5 * deviator.square().sum(dim=(-2, -1))
    return TorchLines(
        modes.wavenumbers,
        moment.square().sum(dim=-1) * INTENSITY,
        (45 * mean.square() + 7 * anisotropic) * ACTIVITY,
    )


def _eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    # First-order perturbation theory about the solution: torch's own derivative of vectors divides
    # by differences of levels, and is not a number where two are equal.
    level, vectors = torch.linalg.eigh(matrix.detach())
    turned = vectors.mT @ matrix @ vectors
    gap = level[..., None, :] - level[..., :, None]
    scale = level.abs().amax(dim=-1)[..., None, None]
    same = gap.abs() <= _DEGENERATE * scale
    mixing = torch.where(same, 0.0, turned / torch.where(same, 1.0, gap))
    # Off the diagonal, `turned` is zero but for its derivative.
    mixing = mixing - mixing.detach()
    return turned.diagonal(dim1=-2, dim2=-1), vectors + vectors @ mixing
