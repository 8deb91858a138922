"""Small molecules rich in symmetric ones, as SMILES; `molecules.smi` names the command.

Cores are decorated at random, often twice with the same group. Of what comes out are kept: one in
five with a centre of inversion in RDKit's geometry, two isomers of each, which differ from it by
symmetry and little else, and any others.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from spektron_train.physics.molecule import MoleculeError
from spektron_train.physics.molecule_list import read_list, write_list
from spektron_train.physics.smiles import from_smiles
from spektron_train.physics.symmetry.operations import Symmetry, SymmetryError, find_symmetry

LIST: Final = Path(__file__).with_name("molecules.smi")
FEWEST, MOST = 4, 14
_CORES: Final = (
    *("C", "CC", "C=C", "C#C", "C=C=C", "C=C=C=C", "C=CC=C", "C#CC#C", "C=CC#C", "CC#CC"),
    *("C=O", "CC=O", "O=CC=O", "COC", "CSC", "CN", "CN=NC", "FN=NF", "C=NN=C", "CSSC", "COOC"),
    *("C1CC1", "C1CCC1", "C1=CCC1", "C1OC1", "C1OCO1", "C1SCS1", "C1C2CC12", "C1COCCO1"),
    *("c1ccccc1", "c1cnccn1", "c1ccncn1", "c1ccnnc1", "c1ccncc1", "c1nncnn1", "c1ncncn1"),
    *("c1ccoc1", "c1ccsc1", "c1cc[nH]c1", "c1cnc[nH]1", "O=C1C=CC(=O)C=C1", "O=C1C=CC=CC1=O"),
    *("c1cc2sccc2s1", "c1cc2ccsc2s1", "c1cc2occc2o1", "C=C1C=CC(=C)C=C1", "O=C1C(=O)C=C1"),
    *("C1=CC=C1", "C1C=CCC=C1", "C=C1CC1", "C=C1CC(=C)C1", "O=C1CC(=O)C1", "N=CC=N", "C=CC=CC=C"),
)
_GROUPS: Final = ("F", "F", "Cl", "Cl", "Br", "C#N", "C", "O", "N", "C#C", "C=O", "S", "C(F)(F)F")
_DRAWS: Final = 30000
_ISOMERS: Final = 2
# Bohr: of a force field's geometry.
_TOLERANCE: Final = 0.2


def molecules() -> tuple[str, ...]:
    """The list that ships."""
    return read_list(LIST)


def draw(count: int, seed: int, draws: int = _DRAWS) -> list[str]:
    """At most so many different molecules of 4 to 14 atoms that have a geometry."""
    rng = np.random.default_rng(seed)
    pool: dict[str, None] = {}
    for _ in range(draws):
        pool.update(dict.fromkeys(_decorated(rng)))
    isomers = defaultdict(list)
    for smiles in pool:
        isomers[_formula(smiles)].append(smiles)
    found: dict[str, bool] = {}
    for smiles in rng.permutation([one for one in pool if may_have_centre(one)]).tolist():
        if sum(found.values()) >= count // 5:
            break
        if smiles in found or not _has_centre(smiles):
            continue
        found[smiles] = True
        others = [one for one in isomers[_formula(smiles)] if one not in found]
        for one in rng.permutation(others).tolist()[:_ISOMERS]:
            centre = _has_centre(one)
            if centre is not None:
                found[one] = centre
    for smiles in rng.permutation([one for one in pool if one not in found]).tolist():
        if len(found) >= count:
            break
        if (centre := _has_centre(smiles)) is not None:
            found[smiles] = centre
    return sorted(found, key=lambda one: (len(one), one))


def has_inversion(found: Symmetry) -> bool:
    """Whether minus the identity is among the operations."""
    return bool((np.abs(found.matrices + np.eye(3)).max(axis=(1, 2)) < 1e-6).any())


def may_have_centre(smiles: str) -> bool:
    """Whether bonds are left as they are by an exchange of atoms that leaves at most one in place.

    Necessary, hydrogens aside, for a centre of inversion, not sufficient.
    """
    from rdkit.Chem import MolFromSmiles

    found: Any = MolFromSmiles(smiles)
    for match in found.GetSubstructMatches(found, uniquify=False, maxMatches=2000):
        fixed = sum(i == j for i, j in enumerate(match))
        if fixed <= 1 < len(match) and all(match[j] == i for i, j in enumerate(match)):
            return True
    return False


def _formula(smiles: str) -> str:
    from rdkit.Chem import MolFromSmiles
    from rdkit.Chem.rdMolDescriptors import CalcMolFormula

    return str(CalcMolFormula(MolFromSmiles(smiles)))


def _has_centre(smiles: str) -> bool | None:
    """Whether RDKit's geometry has a centre of inversion; None if there is no geometry."""
    try:
        molecule = from_smiles(smiles).molecule
        if not FEWEST <= len(molecule.symbols) <= MOST:
            return None
        return has_inversion(find_symmetry(molecule, _TOLERANCE))
    except (MoleculeError, SymmetryError):
        return None


def _decorated(rng: np.random.Generator) -> list[str]:
    """A core with up to six hydrogens of its carbons replaced, as all its stereoisomers."""
    from rdkit import Chem, rdBase
    from rdkit.Chem.EnumerateStereoisomers import (
        EnumerateStereoisomers,
        StereoEnumerationOptions,
    )

    whole: Any = Chem.RWMol(Chem.MolFromSmiles(str(rng.choice(_CORES))))
    kinds = rng.choice(_GROUPS, size=rng.integers(1, 3))
    for _ in range(rng.integers(0, 7)):
        free = [a.GetIdx() for a in whole.GetAtoms() if a.GetTotalNumHs() and a.GetSymbol() == "C"]
        if not free:
            break
        start = int(rng.choice(free))
        group = Chem.MolFromSmiles(str(rng.choice(kinds)))
        offset = whole.GetNumAtoms()
        whole.InsertMol(group)
        whole.AddBond(start, offset, Chem.BondType.SINGLE)
        atom = whole.GetAtomWithIdx(start)
        atom.SetNumExplicitHs(max(atom.GetNumExplicitHs() - 1, 0))
        with rdBase.BlockLogs():
            if Chem.SanitizeMol(whole, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
                return []
        if Chem.AddHs(whole).GetNumAtoms() > MOST:
            return []
    options = StereoEnumerationOptions(maxIsomers=4, rand=0)
    return sorted({str(Chem.MolToSmiles(one)) for one in EnumerateStereoisomers(whole, options)})


if __name__ == "__main__":
    write_list(__spec__.name, __doc__, draw, 1500)
