"""Substances as counts of functional groups, and the spectra of the pure substances.

Counts follow the structural formulas; densities (g cm-3) and molar masses (g mol-1) are handbook
values (CRC Handbook of Chemistry and Physics), for polymers those of a repeat unit and for protein
those of a mean residue with its side chain.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spektron_train.data.simulate.environment import REFERENCE_C, Equilibria
from spektron_train.data.simulate.molecules import (
    Absorber,
    Hydroxyl,
    Part,
    Substance,
    absorption_forms,
    raman_forms,
)

Array = NDArray[np.float64]
P = Part


def _sugar(
    name: str, mass: float, density: float, ring: int, shift: float, weak: float
) -> Substance:
    hydroxyls = 8 if ring == 2 else 5
    return Substance(
        name,
        "sugars",
        mass,
        density,
        (
            P("CH carbohydrate", 5 * ring, shift, 0.75),
            P("CH2", 2 if ring == 2 else 1, 45 + shift, 1.2),
            P("pyranose", ring, shift, 0.5),
            P("C-O", ring, -shift, 0.6),
        ),
        # Crystalline sugars keep one OH nearly free: their sharp 1435 nm band.
        Hydroxyl(hydroxyls, weak, shift=-0.4 * shift, width=0.75),
    )


def _fat(name: str, density: float, vinyl: float, methylene: float, width: float) -> Substance:
    return Substance(
        name,
        "fat",
        882.0,
        density,
        (
            P("CH2", methylene, 0, width),
            P("CH3", 3, 0, width),
            P("CH vinyl", vinyl, 0, width),
            P("CH", 1),
            P("ester", 3, 0, width),
            P("C-C", 30, 0, 1.5),
        ),
    )


_PROTEIN = (
    P("amide NH", 1.0),
    P("CH2", 1.3, 12, 1.5),
    P("CH3", 0.75, 8, 1.4),
    P("CH", 1.3, 10, 1.4),
    P("CH aromatic", 0.35, 5, 1.2),
    P("ring", 0.08),
    P("C-C", 2),
    P("C-N", 1),
)
_CARBOHYDRATE = (P("CH carbohydrate", 5), P("CH2", 1, 42, 1.6), P("pyranose", 1))

SUBSTANCES: dict[str, Substance] = {
    s.name: s
    for s in (
        Substance("water", "water", 18.015, 0.997, (P("water weak", 1),)),
        Substance("starch", "starch", 162.14, 1.5, _CARBOHYDRATE, Hydroxyl(3, 0.5)),
        Substance(
            "cellulose",
            "cellulose",
            162.14,
            1.55,
            (
                P("CH carbohydrate", 5, -18),
                P("CH2", 1, 25, 1.5),
                P("pyranose", 1, 30, 0.9),
                P("C-O", 1, 10),
            ),
            Hydroxyl(3, 0.36, shift=-40, hydration=-0.6),
        ),
        Substance(
            "microcrystalline cellulose",
            "cellulose",
            162.14,
            1.56,
            (P("CH carbohydrate", 5, -16, 0.9), P("CH2", 1, 25, 1.4), P("pyranose", 1, 30, 0.8)),
            Hydroxyl(3, 0.32, shift=-35, width=0.95, hydration=-0.6),
        ),
        Substance(
            "hemicellulose",
            "cellulose",
            136.0,
            1.5,
            (P("CH carbohydrate", 5, -8, 1.1), P("pyranose", 1, 15, 1.1), P("ester", 0.1)),
            Hydroxyl(2, 0.5),
        ),
        Substance(
            "lignin",
            "lignin",
            195.0,
            1.35,
            (
                P("CH aromatic", 2.6, 0, 1.4),
                P("CH3", 1.2, 25, 1.4),
                P("CH", 2, 10, 1.5),
                P("CH2", 0.8, 20, 1.5),
                P("ring", 1, 0, 1.5),
                P("ether", 1.5, 0, 1.5),
                P("C-O", 1),
                P("ketone", 0.15),
                P("OH phenol", 0.4, 40, 1.3),
            ),
            Hydroxyl(0.9, 0.55),
            Absorber(tail=0.04, tail_width=2200),
        ),
        _sugar("sucrose", 342.3, 1.587, 2, 6, 0.5),
        _sugar("glucose", 180.16, 1.54, 1, -6, 0.45),
        _sugar("fructose", 180.16, 1.69, 1, 14, 0.5),
        _sugar("lactose", 342.3, 1.53, 2, -2, 0.42),
        Substance(
            "cereal protein",
            "protein",
            112.0,
            1.32,
            (*_PROTEIN, P("amide NH2", 0.33)),
            Hydroxyl(0.12, 0.5),
        ),
        Substance(
            "animal protein",
            "protein",
            112.0,
            1.34,
            (
                *_PROTEIN,
                P("amide NH2", 0.12),
                P("carboxylate", 0.15),
                P("amine NH2", 0.06, -90, 1.5),
            ),
            Hydroxyl(0.12, 0.5),
        ),
        _fat("unsaturated oil", 0.918, 9.0, 38.0, 1.0),
        _fat("saturated fat", 0.93, 2.0, 46.0, 0.92),
        Substance(
            "ethanol",
            "alcohol",
            46.07,
            0.789,
            (P("CH3", 1, 12), P("CH2", 1, 16, 1.2), P("C-O", 1, 0, 0.5), P("C-C", 1)),
            Hydroxyl(1, 0.22, "alcohol", 15_000, -0.6),
        ),
        Substance(
            "methanol",
            "alcohol",
            32.04,
            0.792,
            (P("CH3", 1, -12), P("C-O", 1, -20, 0.5)),
            Hydroxyl(1, 0.2, "alcohol", 15_000, -0.6, shift=8),
        ),
        Substance(
            "glycerol",
            "polyols",
            92.09,
            1.261,
            (P("CH2", 2, 16, 1.4), P("CH", 1, 10), P("C-O", 3, -5, 0.8)),
            Hydroxyl(3, 0.3, "alcohol", 12_000, -0.6, shift=-25, width=1.3),
        ),
        Substance(
            "acetic acid",
            "acids",
            60.05,
            1.049,
            (P("acid", 1), P("OH acid", 1), P("CH3", 1, 30)),
        ),
        Substance(
            "lactic acid",
            "acids",
            90.08,
            1.21,
            (P("acid", 1), P("OH acid", 1), P("CH3", 1, 25), P("CH", 1, 20), P("C-O", 1, 60)),
            Hydroxyl(1, 0.3, "alcohol"),
        ),
        Substance(
            "citric acid",
            "acids",
            192.12,
            1.665,
            (P("acid", 3), P("OH acid", 3), P("CH2", 2, 45, 0.8), P("C-O", 1, 40)),
            Hydroxyl(1, 0.5, width=0.6),
        ),
        Substance(
            "paracetamol",
            "drug",
            151.16,
            1.29,
            (
                P("amide NH", 1, 10, 0.75),
                P("OH phenol", 1, -180, 0.85),
                P("CH aromatic", 4, 0, 0.9),
                P("CH3", 1, 40, 0.95),
                P("ring", 1, 0, 0.9),
            ),
        ),
        Substance(
            "ibuprofen",
            "drug",
            206.28,
            1.03,
            (
                P("CH3", 3, 10, 0.95),
                P("CH2", 1, 0, 0.95),
                P("CH", 2),
                P("CH aromatic", 4, -6, 0.95),
                P("ring", 1, 0, 0.9),
                P("acid", 1, 8, 0.9),
                P("OH acid", 1),
            ),
        ),
        Substance(
            "caffeine",
            "drug",
            194.19,
            1.23,
            (P("CH3", 3, 42, 0.9), P("CH aromatic", 1, 60, 0.85), P("purine", 1, 0, 0.95)),
        ),
        Substance(
            "acetylsalicylic acid",
            "drug",
            180.16,
            1.40,
            (
                P("CH aromatic", 4, 12, 0.85),
                P("CH3", 1, 40, 0.9),
                P("ester", 1, 8, 0.85),
                P("acid", 1, -20, 0.85),
                P("OH acid", 1),
                P("ring", 1, 0, 0.85),
            ),
        ),
        Substance(
            "magnesium stearate",
            "fat",
            591.2,
            1.09,
            (P("CH2", 32, -1, 0.85), P("CH3", 2), P("carboxylate", 2), P("C-C", 30)),
        ),
        Substance(
            "povidone",
            "polymer",
            111.14,
            1.2,
            (P("CH2", 4, 28, 1.4), P("CH", 1, 20, 1.3), P("lactam", 1), P("C-C", 3)),
        ),
        Substance("mineral", "mineral", 120.0, 2.4, (P("phosphate", 1, 0, 1.5),)),
        Substance(
            "pigment",
            "other",
            300.0,
            1.4,
            (P("CH aromatic", 4, 0, 2.0), P("ring", 2, 0, 2.0), P("C-O", 2, 0, 2.0)),
            absorber=Absorber(tail=0.8, tail_width=2_300),
        ),
        Substance(
            "chlorophyll",
            "other",
            893.5,
            1.1,
            (P("CH2", 14, 0, 1.2), P("CH3", 10, 5, 1.2), P("ester", 2), P("ring", 2, 0, 1.5)),
            absorber=Absorber(((14_810, 560, 900.0), (16_000, 1_100, 160.0))),
        ),
    )
}


def absorptivity(substance: Substance, wavenumber_cm1: Array) -> Array:
    """Decadic absorption coefficient of the pure substance at 25 C, per mm, (L,)."""
    spectrum: Array = standard_state(substance) @ absorption_forms(substance, wavenumber_cm1)
    return spectrum


def raman_activity(substance: Substance, shift_cm1: Array) -> Array:
    """Raman activity of the pure substance per volume, relative, (L,)."""
    spectrum: Array = standard_state(substance) @ raman_forms(substance, shift_cm1)
    return spectrum


def standard_state(substance: Substance) -> Array:
    """Weight of each linear piece at 25 C in the pure substance, (forms,)."""
    equilibria = Equilibria((substance,))
    pure = float(substance.name == "water")
    shares = equilibria.shares(np.ones((1, 1)), np.array([REFERENCE_C]), np.array([pure]))
    weights: Array = shares[0]
    return weights
