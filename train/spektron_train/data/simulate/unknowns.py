"""Plausible organic molecules without a name, so that a model meets chemistry new to it."""

from __future__ import annotations

import numpy as np

from spektron_train.data.simulate.molecules import Hydroxyl, Part, Substance

# Chance that a drug-like molecule holds the group, and the most it holds of it.
_GROUPS: dict[str, tuple[float, int]] = {
    "CH3": (0.8, 4),
    "CH2": (0.85, 8),
    "CH": (0.5, 3),
    "CH carbohydrate": (0.15, 5),
    "CH vinyl": (0.15, 2),
    "CH aromatic": (0.75, 9),
    "amide NH": (0.3, 2),
    "amide NH2": (0.1, 1),
    "amine NH2": (0.2, 1),
    "amine NH": (0.25, 2),
    "OH phenol": (0.2, 2),
    "SH": (0.03, 1),
    "aldehyde": (0.05, 1),
    "ester": (0.25, 2),
    "acid": (0.2, 2),
    "ketone": (0.2, 2),
    "lactam": (0.1, 1),
    "carboxylate": (0.1, 1),
    "ether": (0.35, 3),
    "C-O": (0.3, 3),
    "C-N": (0.6, 3),
    "nitrile": (0.05, 1),
    "nitro": (0.05, 1),
    "C-Cl": (0.2, 2),
    "C-F": (0.2, 3),
    "sulfonyl": (0.15, 1),
    "phosphate": (0.05, 1),
}
# Standard deviations of a group's leading fundamental between molecules, cm-1.
_SHIFT_CM1 = {"CH": 10.0, "NH": 40.0, "OH": 60.0}
_OTHER_SHIFT_CM1 = 15.0
_DALTON_PER_PART = 16.0


def random_substance(rng: np.random.Generator, name: str = "unknown") -> Substance:
    """One molecule of random groups; their modes are jittered as between real molecules."""
    crystal = float(rng.uniform(0.75, 1.5))
    parts: list[Part] = []
    for group, (chance, most) in _GROUPS.items():
        if rng.random() < chance:
            parts.append(_part(group, int(rng.integers(1, most + 1)), crystal, rng))
    if not any(part.group.startswith("CH") for part in parts):
        parts.append(_part("CH aromatic", 4, crystal, rng))
    aromatic = sum(part.count for part in parts if part.group == "CH aromatic")
    if aromatic:
        parts.append(_part("ring", np.ceil(aromatic / 5), crystal, rng))
    if acids := sum(part.count for part in parts if part.group == "acid"):
        parts.append(_part("OH acid", acids, 1.0, rng))
    hydroxyl = None
    if rng.random() < 0.35:
        hydroxyl = Hydroxyl(
            count=int(rng.integers(1, 4)),
            weak=float(rng.uniform(0.2, 0.7)),
            kind=str(rng.choice(["carbohydrate", "alcohol"])),
            shift=float(rng.normal(0, 25)),
            width=float(rng.uniform(0.7, 1.2)),
        )
    mass = 40 + _DALTON_PER_PART * sum(part.count for part in parts)
    mass += 17 * hydroxyl.count if hydroxyl else 0
    density = float(rng.uniform(1.0, 1.5))
    return Substance(name, "other", mass, density, tuple(parts), hydroxyl)


def _part(group: str, count: float, crystal: float, rng: np.random.Generator) -> Part:
    spread = next((s for key, s in _SHIFT_CM1.items() if key in group), _OTHER_SHIFT_CM1)
    width = crystal * float(rng.uniform(0.85, 1.2))
    return Part(group, float(count), float(rng.normal(0, spread)), width)
