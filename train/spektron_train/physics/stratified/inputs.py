"""Lines as an instrument of either technique shows them: bands on one axis, without a unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from spektron_train.physics.molecule import Array
from spektron_train.physics.shapes import gauss

Technique = Literal["infrared", "raman"]
TECHNIQUES: Final[tuple[Technique, ...]] = ("infrared", "raman")

# The same range and resolution for both, so that only what each sees differs. cm-1.
START: Final = 100.0
STEP: Final = 10.0
POINTS: Final = 384
_WIDTH: Final = 30.0

# What theory and an instrument differ by: cm-1, and of an intensity's natural logarithm.
_SHIFT: Final = 25.0
_SPREAD: Final = 0.7


def bands(lines: Sequence[Array]) -> dict[Technique, Array]:
    """(molecules, POINTS) for each technique: roots of intensities, each spectrum of norm one.

    lines: (n, 3) a molecule, as `Entry.lines`. The norm takes away the absolute scale, which few
    instruments tell; the root keeps weak bands in sight.
    """
    axis = START + STEP * np.arange(POINTS)
    found: dict[Technique, Array] = {}
    for column, technique in enumerate(TECHNIQUES, start=1):
        rows = [gauss(axis[:, None] - one[:, 0], _WIDTH) @ one[:, column] for one in lines]
        roots = np.sqrt(np.maximum(np.array(rows), 0))
        found[technique] = roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12)
    return found


def measured_again(lines: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """The same molecules, every line moved by about 25 cm-1, intensities by factors of about 2."""
    again = []
    for one in lines:
        moved = one.copy()
        moved[:, 0] += rng.normal(0, _SHIFT, len(one))
        moved[:, 1:] *= np.exp(rng.normal(0, _SPREAD, (len(one), 2)))
        again.append(moved)
    return again
