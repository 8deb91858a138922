"""Molecules from SMILES: atoms and bonds as written, a first geometry by RDKit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .molecule import BOHR_PER_ANGSTROM, Molecule, MoleculeError

# A Hessian by differences of energies takes minutes from here on.
MOST_ATOMS: Final = 60
_SEED: Final = 0
_ORDERS: Final = {"SINGLE": "-", "DOUBLE": "=", "TRIPLE": "#", "AROMATIC": ":"}


@dataclass(frozen=True, eq=False)
class Drawn:
    """A molecule and what its SMILES says of bonds.

    bonds: atom pairs, lower index first, to names as `C=O` or `C:C` (SMILES' signs for the order,
    the lighter element first).
    """

    molecule: Molecule
    bonds: dict[tuple[int, int], str]


def from_smiles(smiles: str) -> Drawn:
    """A conformer of a neutral molecule without unpaired electrons, isotopes as marked.

    ETKDG with a fixed seed, then MMFF94 or UFF. Raises MoleculeError.
    """
    from rdkit import rdBase
    from rdkit.Chem import AddHs, GetMolFrags, MolFromSmiles

    with rdBase.BlockLogs():
        found = MolFromSmiles(smiles)
        if not (found and found.GetNumAtoms()):
            raise MoleculeError(f"{smiles!r} is not a SMILES")
        if len(GetMolFrags(found)) > 1:
            raise MoleculeError(f"{smiles!r} is more than one molecule")
        if any(atom.GetFormalCharge() for atom in found.GetAtoms()) and _charge(found):
            raise MoleculeError(f"{smiles!r} is an ion; only neutral molecules can be computed")
        if any(atom.GetNumRadicalElectrons() for atom in found.GetAtoms()):
            raise MoleculeError(f"{smiles!r} has unpaired electrons")
        full = AddHs(found)
        if full.GetNumAtoms() > MOST_ATOMS:
            raise MoleculeError(f"{full.GetNumAtoms()} atoms; {MOST_ATOMS} are the most")
        places = _embedded(full, smiles)
    symbols = tuple(atom.GetSymbol() for atom in full.GetAtoms())
    isotopes = {a.GetIdx(): a.GetIsotope() for a in full.GetAtoms() if a.GetIsotope()}
    molecule = Molecule.at(symbols, places * BOHR_PER_ANGSTROM).with_isotopes(isotopes)
    return Drawn(molecule, {_pair(bond): _name(bond) for bond in full.GetBonds()})


def _charge(found: Any) -> int:
    return sum(atom.GetFormalCharge() for atom in found.GetAtoms())


def _embedded(full: Any, smiles: str) -> Any:
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    if rdDistGeom.EmbedMolecule(full, randomSeed=_SEED) < 0:
        raise MoleculeError(f"no geometry was found for {smiles!r}")
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(full):
        rdForceFieldHelpers.MMFFOptimizeMolecule(full, maxIters=2000)
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(full):
        rdForceFieldHelpers.UFFOptimizeMolecule(full, maxIters=2000)
    return np.array(full.GetConformer().GetPositions())


def _pair(bond: Any) -> tuple[int, int]:
    first, second = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
    return first, second


def _name(bond: Any) -> str:
    atoms = sorted((bond.GetBeginAtom(), bond.GetEndAtom()), key=lambda a: -a.GetAtomicNum())
    # Hydrogen last, then the lighter element first, as in C-H, O-H, C=O.
    if atoms[1].GetAtomicNum() > 1:
        atoms.reverse()
    sign = _ORDERS.get(str(bond.GetBondType()), "~")
    return f"{atoms[0].GetSymbol()}{sign}{atoms[1].GetSymbol()}"
