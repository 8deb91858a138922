"""Geometry optimisation: quasi-Newton, with the first Hessian from internal coordinates."""

from __future__ import annotations

import numpy as np

from spektron_train.physics.internal import b_matrix
from spektron_train.physics.molecule import Array, Molecule
from spektron_train.physics.primitives import primitives

from .engine import Engine, QuantumError

# Rough force constants in atomic units, as in Schlegel, Theor. Chim. Acta 66, 333 (1984).
_FORCE = {"stretch": 0.45, "bend": 0.15, "torsion": 0.02, "out-of-plane": 0.05, "linear bend": 0.1}
_LONGEST = 0.3  # bohr


def optimised(
    engine: Engine, molecule: Molecule, tolerance: float = 5e-6, steps: int = 100
) -> Molecule:
    """The nearest stationary point: no element of the gradient above `tolerance` (hartree/bohr).

    BFGS in Cartesian coordinates, started from B^T F B of rough valence forces, moving along
    vibrations only: a symmetric start stays symmetric. Raises QuantumError after `steps`.
    """
    coordinates = primitives(molecule)
    x = molecule.positions
    b = b_matrix(coordinates, x)
    hessian = b.T @ (np.array([_FORCE[c.kind] for c in coordinates])[:, None] * b)
    g = _internal_part(engine.gradient(x)[1], b)
    for _ in range(steps):
        if np.abs(g).max() < tolerance:
            return molecule.moved(x)
        step = _step(hessian, g)
        x = x + step.reshape(x.shape)
        before, g = g, _internal_part(engine.gradient(x)[1], b_matrix(coordinates, x))
        change = g - before
        # Without this, the update could leave a direction that leads uphill.
        if step @ change > 1e-12:
            pushed = hessian @ step
            hessian = (
                hessian
                + np.outer(change, change) / (step @ change)
                - np.outer(pushed, pushed) / (step @ pushed)
            )
    raise QuantumError(
        f"the geometry did not converge in {steps} steps: gradient {np.abs(g).max():.1e}"
    )


def _internal_part(gradient: Array, b: Array) -> Array:
    # A grid of integration that moves with the atoms leaves a push on the whole molecule.
    solved, *_ = np.linalg.lstsq(b.T, gradient.reshape(-1), rcond=1e-8)
    part: Array = b.T @ solved
    return part


def _step(hessian: Array, gradient: Array) -> Array:
    levels, modes = np.linalg.eigh(hessian)
    soft = levels < 1e-4
    levels[soft] = np.inf
    step: Array = -modes @ ((modes.T @ gradient) / levels)
    return step * min(1.0, _LONGEST / max(float(np.linalg.norm(step)), 1e-300))
