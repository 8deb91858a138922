"""Geometry optimisation: quasi-Newton, with the first Hessian from internal coordinates."""

from __future__ import annotations

import numpy as np

from spektron_train.physics.internal import b_matrix
from spektron_train.physics.modes import rigid_directions
from spektron_train.physics.molecule import Array, Molecule
from spektron_train.physics.primitives import primitives

from .engine import Engine, QuantumError

# Rough force constants in atomic units, as in Schlegel, Theor. Chim. Acta 66, 333 (1984).
_FORCE = {"stretch": 0.45, "bend": 0.15, "torsion": 0.02, "out-of-plane": 0.05, "linear bend": 0.1}
_LONGEST = 0.5  # bohr
# A methyl group turns on a force constant of 1e-5 hartree/bohr2, or less beyond a triple bond.
_SOFTEST = 2e-6
# Energies of one geometry differ by less, in hartree.
_NOISE = 1e-7


def optimised(
    engine: Engine, molecule: Molecule, tolerance: float = 5e-6, steps: int = 200
) -> Molecule:
    """The nearest stationary point: no element of the gradient above `tolerance` (hartree/bohr).

    BFGS in Cartesian coordinates, started from B^T F B of rough valence forces, moving along
    vibrations only: a symmetric start stays symmetric. Raises QuantumError after `steps`.
    """
    coordinates = primitives(molecule)
    b = b_matrix(coordinates, molecule.positions)
    hessian = b.T @ (np.array([_FORCE[c.kind] for c in coordinates])[:, None] * b)
    energy, g = _inside(engine, molecule)
    reach = _LONGEST
    for _ in range(steps):
        if np.abs(g).max() < tolerance:
            return molecule
        step = _step(hessian, g, rigid_directions(molecule), reach)
        moved = molecule.moved(molecule.positions + step.reshape(-1, 3))
        above, ahead = _inside(engine, moved)
        hessian = _updated(hessian, step, ahead - g)
        if above > energy + _NOISE:
            reach = float(np.linalg.norm(step)) / 4
            continue
        molecule, energy, g = moved, above, ahead
        reach = min(2 * reach, _LONGEST)
    raise QuantumError(
        f"the geometry did not converge in {steps} steps: gradient {np.abs(g).max():.1e}"
    )


def _inside(engine: Engine, molecule: Molecule) -> tuple[float, Array]:
    # A grid of integration that moves with the atoms leaves a push on the whole molecule.
    energy, gradient = engine.gradient(molecule.positions)
    rigid = rigid_directions(molecule)
    flat = gradient.reshape(-1)
    return energy, flat - (rigid @ flat) @ rigid


def _step(hessian: Array, gradient: Array, rigid: Array, reach: float) -> Array:
    inside = np.linalg.svd(rigid)[2][len(rigid) :]
    levels, modes = np.linalg.eigh(inside @ hessian @ inside.T)
    modes = inside.T @ modes
    step: Array = -modes @ ((modes.T @ gradient) / np.maximum(levels, _SOFTEST))
    return step * min(1.0, reach / max(float(np.linalg.norm(step)), 1e-300))


def _updated(hessian: Array, step: Array, change: Array) -> Array:
    # BFGS, damped so that no direction comes to lead uphill (Powell, 1978).
    pushed = hessian @ step
    stiff, found = step @ pushed, step @ change
    if stiff <= 0:
        return hessian
    if found < 0.2 * stiff:
        share = 0.8 * stiff / (stiff - found)
        change = share * change + (1 - share) * pushed
    updated: Array = (
        hessian + np.outer(change, change) / (step @ change) - np.outer(pushed, pushed) / stiff
    )
    return updated
