"""What an infrared or Raman instrument can see of a molecule, and what it cannot.

Harmonic fundamentals by GFN2-xTB: no overtones, no surroundings. Its wavenumbers are off by a few
per cent, so what is said of a range's edge is a hint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from .internal import Coordinate
from .lines import lines
from .molecule import Array
from .smiles import Drawn
from .surface import compute
from .symmetry.activity import Activity, activity
from .symmetry.modes import Assignment, assign
from .wilson import energy_distribution, internals, solve, straight_force_constants

Technique = Literal["infrared", "raman"]
Fate = Literal["seen", "overlapped", "weak", "outside", "inactive"]
FATES: Final[tuple[Fate, ...]] = ("seen", "overlapped", "weak", "outside", "inactive")

# Of the strongest band: what is weaker drowns in the foot of others.
WEAK: Final = 0.01
# Share of a level's energy in the stretching of one kind of bond from which it stands for the kind.
CARRIES: Final = 0.3
# Intensity of the strongest below which nothing is (km/mol, A4/u): rounding.
_NOTHING: Final = 1e-6


@dataclass(frozen=True)
class Instrument:
    """technique, and in cm-1 the range and the resolution. Raises ValueError."""

    technique: Technique
    low: float
    high: float
    resolution: float

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high:
            raise ValueError(f"a range of {self.low:g} to {self.high:g} cm-1 is empty")
        if not self.resolution > 0:
            raise ValueError("a resolution is above 0 cm-1")


@dataclass(frozen=True)
class Level:
    """One fundamental.

    wavenumber: cm-1, negative if imaginary. species: irreducible representation, empty if of
    none. intensity: relative to the molecule's strongest, by the instrument's technique.
    stretches: bonds whose stretching holds most of its energy, with their share. fate: seen, or
    why not.
    """

    wavenumber: float
    species: str
    degeneracy: int
    intensity: float
    stretches: dict[str, float]
    fate: Fate


@dataclass(frozen=True)
class Group:
    """Bonds of one kind: the wavenumbers of their stretching that are seen, and that are lost."""

    bond: str
    bonds: int
    seen: tuple[float, ...]
    lost: tuple[float, ...]


@dataclass(frozen=True)
class Observability:
    """Levels, softest first, and bonds of a molecule, before one instrument."""

    instrument: Instrument
    method: str
    activity: Activity
    levels: tuple[Level, ...]
    groups: tuple[Group, ...]

    def freedom(self, fate: Fate) -> int:
        """Vibrational degrees of freedom of one fate."""
        return sum(level.degeneracy for level in self.levels if level.fate == fate)

    @property
    def note(self) -> str:
        """One sentence."""
        counts = ", ".join(f"{self.freedom(fate)} {fate}" for fate in FATES if self.freedom(fate))
        at = self.instrument
        return (
            f"{at.technique} {at.low:g}-{at.high:g} cm-1 at {at.resolution:g} cm-1: of "
            f"{self.activity.vibrations} vibrational degrees of freedom {counts} ({self.method})"
        )


def observability(drawn: Drawn, instrument: Instrument) -> Observability:
    """Compute the spectrum and sort it. Raises MoleculeError, CoordinateError, QuantumError,
    SymmetryError."""
    surface = compute(drawn.molecule, "gfn2")
    found = activity(surface.molecule)
    space = internals(surface.molecule)
    f = straight_force_constants(space, surface.hessian)
    modes = assign(found.symmetry, found.irreps, solve(space, f))
    seen = lines(surface, modes.modes)
    strength = seen.infrared if instrument.technique == "infrared" else seen.raman
    energy = energy_distribution(space, f, modes.modes)
    bonds = [_bond(c, drawn) for c in space.coordinates]
    names = sorted({name for name in bonds if name})
    kinds = np.array([[bond == name for name in names] for bond in bonds], dtype=float)
    stretching = energy @ kinds.reshape(len(bonds), len(names))
    levels = _levels(found, modes, strength, stretching, names, instrument)
    groups = tuple(_group(name, drawn, levels) for name in names)
    return Observability(instrument, surface.method, found, levels, groups)


def _bond(coordinate: Coordinate, drawn: Drawn) -> str:
    if coordinate.kind != "stretch":
        return ""
    first, second = sorted(coordinate.atoms)
    return drawn.bonds.get((first, second), "")


def _levels(
    found: Activity,
    modes: Assignment,
    strength: Array,
    stretching: Array,
    names: list[str],
    instrument: Instrument,
) -> tuple[Level, ...]:
    active = {
        one.irrep: one.infrared if instrument.technique == "infrared" else one.raman
        for one in found.species
    }
    together = _together(found, modes)
    strengths = np.array([strength[members].sum() for members in together])
    strengths /= max(float(strengths.max()), _NOTHING)
    centres = np.array([modes.modes.wavenumbers[members].mean() for members in together])
    fates: list[Fate] = []
    for members, centre, intensity in zip(together, centres, strengths, strict=True):
        species = modes.irreps[members[0]]
        if species is not None and not active[species]:
            fates.append("inactive")
        elif not instrument.low <= centre <= instrument.high:
            fates.append("outside")
        else:
            fates.append("weak" if intensity < WEAK else "seen")
    # The brightest first: a band is lost beside a brighter one, seen or itself lost.
    bright: list[float] = []
    for index in np.argsort(-strengths).tolist():
        if fates[index] == "seen":
            if any(abs(centres[index] - other) < instrument.resolution for other in bright):
                fates[index] = "overlapped"
            bright.append(float(centres[index]))
    return tuple(
        Level(
            round(float(centre), 1),
            modes.irreps[members[0]] or "",
            len(members),
            round(float(intensity), 5),
            _most(stretching[members].mean(axis=0), names),
            fate,
        )
        for members, centre, intensity, fate in zip(
            together, centres, strengths, fates, strict=True
        )
    )


def _together(found: Activity, modes: Assignment) -> list[list[int]]:
    """Modes of one level: neighbours of one species, as many as it is degenerate."""
    sizes: dict[str | None, int] = {one.irrep: one.degeneracy for one in found.species}
    open_levels: dict[str | None, list[int]] = {}
    levels: list[list[int]] = []
    for index, species in enumerate(modes.irreps):
        level = open_levels.get(species)
        if level is None:
            level = open_levels[species] = []
            levels.append(level)
        level.append(index)
        if len(level) >= sizes.get(species, 1):
            del open_levels[species]
    return levels


def _most(shares: Array, names: list[str]) -> dict[str, float]:
    ranked = sorted(zip(names, shares.tolist(), strict=True), key=lambda pair: -pair[1])
    # Cross terms can lift a share above the whole.
    return {name: min(round(share, 2), 1.0) for name, share in ranked if share >= CARRIES}


def _group(name: str, drawn: Drawn, levels: tuple[Level, ...]) -> Group:
    carriers = [level for level in levels if name in level.stretches]
    return Group(
        name,
        sum(kind == name for kind in drawn.bonds.values()),
        tuple(level.wavenumber for level in carriers if level.fate == "seen"),
        tuple(level.wavenumber for level in carriers if level.fate != "seen"),
    )
