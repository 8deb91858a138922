"""Two theorems on what spectra can tell, as checks on molecules; proofs are in docs/physics.md.

1. Fields that a symmetry operation carries into each other have one spectrum; and where a molecule
   has silent modes, fields that differ in them alone have one spectrum.
2. In a molecule with a centre of inversion no mode is seen by both techniques, and from three atoms
   on the two together see more than either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from spektron_train.physics.molecule import Array, Molecule
from spektron_train.physics.surface import Surface

from .activity import Activity, activity
from .fields import Levels, levels, random_surface, symmetrised
from .modes import displacements, projectors

# Relative: rounding of eigenvalues, and what counts as no intensity.
SAME: Final = 1e-9
DARK: Final = 1e-14
# By how much the silent part of a field is made stiffer.
STIFFER: Final = 1.21


@dataclass(frozen=True)
class Invariance:
    """Theorem 1, first part: one random field without symmetry, and all its images.

    images: how many operations. field_apart: the largest relative difference of an image
    from the field. spectrum_apart: the largest relative difference of their spectra.
    """

    images: int
    field_apart: float
    spectrum_apart: float

    @property
    def holds(self) -> bool:
        """One spectrum for all images."""
        return self.spectrum_apart < SAME


@dataclass(frozen=True)
class Fibre:
    """Theorem 1, second part: a symmetric field, and one whose silent part is stiffer.

    silent: silent degrees of freedom. parameters: independent constants of symmetric fields that
    the spectrum does not see. field_apart, spectrum_apart: relative differences. shift: of the
    silent levels' wavenumbers, relative.
    """

    silent: int
    parameters: int
    field_apart: float
    spectrum_apart: float
    shift: float

    @property
    def holds(self) -> bool:
        """Different fields with one spectrum; nothing to find without silent modes."""
        apart = self.field_apart > 1e-3 and abs(self.shift - (STIFFER**0.5 - 1)) < SAME
        return self.spectrum_apart < SAME and apart == (self.silent > 0)


@dataclass(frozen=True)
class Exclusion:
    """Theorem 2, for one molecule with a centre of inversion.

    infrared, raman, both: degrees of freedom. overlap: the largest product of relative
    intensities of one level, in a random field. gain: how many more degrees of freedom the
    two together see than the better one alone.
    """

    infrared: int
    raman: int
    both: int
    overlap: float
    gain: int
    atoms: int

    @property
    def holds(self) -> bool:
        """Nothing in common, and a strict gain from three atoms on."""
        excluded = self.both == 0 and self.overlap < DARK
        return excluded and (self.gain > 0) == (self.atoms > 2)


@dataclass(frozen=True)
class Theorems:
    """What was found for one molecule; `exclusion` is None without a centre of inversion."""

    group: str
    invariance: Invariance
    fibre: Fibre
    exclusion: Exclusion | None

    @property
    def holds(self) -> bool:
        """All that applies."""
        return (
            self.invariance.holds
            and self.fibre.holds
            and (self.exclusion is None or self.exclusion.holds)
        )


def check(molecule: Molecule, rng: np.random.Generator) -> Theorems:
    """Both theorems on one molecule, with a surface drawn anew. Raises SymmetryError."""
    found = activity(molecule)
    surface = random_surface(found.symmetry, rng)
    symmetric = replace(surface, hessian=symmetrised(found.symmetry, surface.hessian))
    return Theorems(
        found.group.name,
        _invariance(found, surface),
        _fibre(found, symmetric),
        _exclusion(found, symmetric) if found.symmetry.centrosymmetric else None,
    )


def silent_stiffened(found: Activity, field: Array) -> Array:
    """A symmetric field (3N, 3N) with its silent part `STIFFER` times as stiff: another field, of
    the same spectrum."""
    dark = {one.irrep for one in found.species if one.silent}
    whole = projectors(found.symmetry, found.irreps)
    parts = [p for p, one in zip(whole, found.irreps, strict=True) if one.name in dark]
    silent = np.sum(parts, axis=0) if parts else np.zeros_like(field)
    return np.asarray(field + (STIFFER - 1) * silent @ field @ silent)


def _invariance(found: Activity, surface: Surface) -> Invariance:
    first = levels(surface)
    field_apart = spectrum_apart = 0.0
    for operation in displacements(found.symmetry):
        image = operation @ surface.hessian @ operation.T
        field_apart = max(field_apart, _apart(surface.hessian, image))
        other = levels(replace(surface, hessian=image))
        spectrum_apart = max(spectrum_apart, _spectra_apart(_seen(first), _seen(other)))
    return Invariance(len(found.symmetry.matrices), field_apart, spectrum_apart)


def _fibre(found: Activity, symmetric: Surface) -> Fibre:
    field = silent_stiffened(found, symmetric.hessian)
    first, second = levels(symmetric), levels(replace(symmetric, hessian=field))
    dark = [one for one in found.species if one.silent]
    before, after = _unseen(first), _unseen(second)
    return Fibre(
        found.silent,
        sum(one.fundamentals * (one.fundamentals + 1) // 2 for one in dark),
        _apart(symmetric.hessian, field),
        _spectra_apart(_seen(first), _seen(second)),
        float(after[-1] / before[-1] - 1) if len(before) else 0.0,
    )


def _exclusion(found: Activity, symmetric: Surface) -> Exclusion:
    spectrum = levels(symmetric)
    both = sum(one.freedom for one in found.species if one.infrared and one.raman)
    together = found.vibrations - found.silent
    return Exclusion(
        found.infrared,
        found.raman,
        both,
        float((spectrum.infrared * spectrum.raman).max()),
        together - max(found.infrared, found.raman),
        len(found.symmetry.molecule.symbols),
    )


def _seen(spectrum: Levels) -> Array:
    """Lines that at least one technique shows: wavenumber, infrared, Raman, (L, 3)."""
    lines = np.stack([spectrum.wavenumbers, spectrum.infrared, spectrum.raman], axis=1)
    return np.asarray(lines[(spectrum.infrared > DARK) | (spectrum.raman > DARK)])


def _unseen(spectrum: Levels) -> Array:
    dark = (spectrum.infrared <= DARK) & (spectrum.raman <= DARK)
    return np.asarray(spectrum.wavenumbers[dark])


def _apart(first: Array, second: Array) -> float:
    return float(np.linalg.norm(first - second) / np.linalg.norm(first))


def _spectra_apart(first: Array, second: Array) -> float:
    if first.shape != second.shape:
        return np.inf
    return float((np.abs(first - second).max(axis=0) / np.abs(first).max(axis=0).clip(1e-9)).max())
