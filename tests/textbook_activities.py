"""Fundamentals of molecules and their activities, as textbooks tabulate them.

H: Herzberg, Infrared and Raman Spectra of Polyatomic Molecules (1945), molecule or its type.
S: Shimanouchi, Tables of Molecular Vibrational Frequencies, NSRDS-NBS 39 (1972). W: Wilson, Decius,
Cross, Molecular Vibrations (1955). N: Nakamoto, Infrared and Raman Spectra of Inorganic and
Coordination Compounds. Axes are Mulliken's (1955): Herzberg's B1 and B2 of planar C2v
molecules change places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from spektron_train.physics.molecule import BOHR_PER_ANGSTROM, Molecule, library
from spektron_train.physics.symmetry.activity import Species


@dataclass(frozen=True)
class Entry:
    """A molecule's fundamentals: `2A1g:R` is two, seen in Raman; I infrared, - neither."""

    group: str
    fundamentals: str
    source: str

    def activities(self) -> dict[str, tuple[int, bool, bool]]:
        """Species to fundamentals, infrared, Raman."""
        found = {}
        for number, name, seen in re.findall(r"(\d*)(\S+):(\S+)", self.fundamentals):
            found[name] = int(number or 1), "I" in seen, "R" in seen
        return found


TABLE = {
    "H2O": Entry("C2v", "2A1:IR B2:IR", "H W"),
    "SO2": Entry("C2v", "2A1:IR B2:IR", "H S"),
    "H2CO": Entry("C2v", "3A1:IR B1:IR 2B2:IR", "H S"),
    "CH2Cl2": Entry("C2v", "4A1:IR A2:R 2B1:IR 2B2:IR", "H S"),
    "cis-1,2-dichloroethene": Entry("C2v", "5A1:IR 2A2:R B1:IR 4B2:IR", "H S"),
    "furan": Entry(
        "C2v", "8A1:IR 3A2:R 3B1:IR 7B2:IR", "Thompson, Temple, Trans. Faraday Soc. 41, 27 (1945)"
    ),
    "pyridine": Entry(
        "C2v", "10A1:IR 3A2:R 5B1:IR 9B2:IR", "Wilmshurst, Bernstein, Can. J. Chem. 35, 1183 (1957)"
    ),
    "NH3": Entry("C3v", "2A1:IR 2E:IR", "H W"),
    "CH3Cl": Entry("C3v", "3A1:IR 3E:IR", "H S"),
    "CHCl3": Entry("C3v", "3A1:IR 3E:IR", "H S"),
    "CH3CN": Entry("C3v", "4A1:IR 4E:IR", "H S"),
    "HCl": Entry("C*v", "Sigma+:IR", "H"),
    "HCN": Entry("C*v", "2Sigma+:IR Pi:IR", "H S"),
    "N2O": Entry("C*v", "2Sigma+:IR Pi:IR", "H S"),
    "OCS": Entry("C*v", "2Sigma+:IR Pi:IR", "H S"),
    "N2": Entry("D*h", "Sigma_g+:R", "H"),
    "CO2": Entry("D*h", "Sigma_g+:R Sigma_u+:I Pi_u:I", "H S"),
    "C2H2": Entry("D*h", "2Sigma_g+:R Sigma_u+:I Pi_g:R Pi_u:I", "H S"),
    "CH4": Entry("Td", "A1:R E:R 2T2:IR", "H W"),
    "CCl4": Entry("Td", "A1:R E:R 2T2:IR", "H S"),
    "SF6": Entry("Oh", "A1g:R Eg:R 2T1u:I T2g:R T2u:-", "H N"),
    "cubane": Entry(
        "Oh",
        "2A1g:R 2A2u:- 2Eg:R 2Eu:- T1g:- 3T1u:I 4T2g:R 2T2u:-",
        "Della et al., J. Am. Chem. Soc. 101, 7441 (1979)",
    ),
    "C6H6": Entry(
        "D6h", "2A1g:R A2g:- 2B2g:- E1g:R 4E2g:R A2u:I 2B1u:- 2B2u:- 3E1u:I 2E2u:-", "H W"
    ),
    "C2H4": Entry("D2h", "3Ag:R Au:- B2g:R 2B3g:R 2B1u:I 2B2u:I B3u:I", "H S"),
    "C2F4": Entry("D2h", "3Ag:R Au:- B2g:R 2B3g:R 2B1u:I 2B2u:I B3u:I", "S"),
    "BF3": Entry("D3h", "A1':R A2'':I 2E':IR", "H N"),
    "cyclopropane": Entry("D3h", "3A1':R A2':- 4E':IR A1'':- 2A2'':I 3E'':R", "H S"),
    "PF5": Entry("D3h", "2A1':R 2A2'':I 3E':IR E'':R", "N"),
    "XeF4": Entry("D4h", "A1g:R B1g:R B2g:R A2u:I B2u:- 2Eu:I", "N"),
    "allene": Entry("D2d", "3A1:R B1:R 3B2:IR 4E:IR", "H S"),
    "ethane": Entry("D3d", "3A1g:R A1u:- 2A2u:I 3Eg:R 3Eu:I", "H S"),
    "HOOH": Entry("C2", "4A:IR 2B:IR", "H"),
    "trans-1,2-dichloroethene": Entry("C2h", "5Ag:R Bg:R 2Au:I 4Bu:I", "H S"),
    "glyoxal": Entry("C2h", "5Ag:R Bg:R 2Au:I 4Bu:I", "H (type of trans-1,2-dichloroethene)"),
    "CH3OH": Entry("Cs", "8A':IR 4A'':IR", "H S"),
    "ferrocene": Entry(
        "D5h",
        "4A1':R 2A1'':- A2':- 4A2'':I 6E1':I 5E1'':R 6E2':R 6E2'':-",
        "Lippincott, Nelson, Spectrochim. Acta 10, 307 (1958), correlated",
    ),
    "ferrocene-staggered": Entry(
        "D5d",
        "4A1g:R 2A1u:- A2g:- 4A2u:I 5E1g:R 6E1u:I 6E2g:R 6E2u:-",
        "Lippincott, Nelson, Spectrochim. Acta 10, 307 (1958)",
    ),
    "B(OH)3": Entry(
        "C3h", "3A':R 2A'':I 4E':IR E'':R", "Bethell, Sheppard, Trans. Faraday Soc. 51, 9 (1955)"
    ),
    "S8": Entry(
        "D4d",
        "2A1:R B1:- B2:I 2E1:I 3E2:R 2E3:R",
        "Scott, McCullough, Kruse, J. Mol. Spectrosc. 13, 313 (1964)",
    ),
    "C60": Entry(
        "Ih",
        "2Ag:R 3T1g:- 4T2g:- 6Gg:- 8Hg:R Au:- 4T1u:I 5T2u:- 6Gu:- 7Hu:-",
        "Dresselhaus, Dresselhaus, Eklund, Science of Fullerenes (1996)",
    ),
}


def molecule(name: str) -> Molecule:
    """From the library, or drawn here."""
    drawn = {"B(OH)3": _boric_acid, "S8": _sulfur, "C60": _fullerene}
    return drawn[name]() if name in drawn else library(name)


def wrong(found: tuple[Species, ...], entry: Entry) -> int:
    """Degrees of freedom whose number or activity is not the table's."""
    told = entry.activities()
    ours = {one.irrep: (one.fundamentals, one.infrared, one.raman) for one in found}
    return sum(one.freedom for one in found if told.get(one.irrep) != ours[one.irrep]) + sum(
        count for name, (count, _, _) in told.items() if name not in ours
    )


def _boric_acid() -> Molecule:
    places = [(0.0, 0.0)]
    for turn in range(3):
        angle = 2 * np.pi / 3 * turn
        places.append((1.36 * np.cos(angle), 1.36 * np.sin(angle)))
        places.append((1.70 * np.cos(angle + 0.58), 1.70 * np.sin(angle + 0.58)))
    flat = np.array([(*place, 0.0) for place in places]) * BOHR_PER_ANGSTROM
    return Molecule.at(("B", *("O", "H") * 3), flat)


def _sulfur() -> Molecule:
    angles = np.arange(8) * np.pi / 4
    crown = np.stack([2.34 * np.cos(angles), 2.34 * np.sin(angles), 0.5 * (-1.0) ** np.arange(8)])
    return Molecule.at(("S",) * 8, crown.T * BOHR_PER_ANGSTROM)


def _fullerene() -> Molecule:
    return Molecule.at(("C",) * 60, np.array(sorted(set(_truncated_icosahedron()))) * 1.354)


def _truncated_icosahedron() -> Iterator[tuple[float, ...]]:
    golden = (1 + 5**0.5) / 2
    corners = ((0.0, 1.0, 3 * golden), (1.0, 2 + golden, 2 * golden), (golden, 2.0, golden**3))
    for corner in corners:
        for signs in product((1, -1), repeat=3):
            point = tuple(s * c + 0.0 for s, c in zip(signs, corner, strict=True))
            for turn in range(3):
                yield (*point[turn:], *point[:turn])
