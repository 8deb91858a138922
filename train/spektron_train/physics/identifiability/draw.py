"""Small organic molecules at random, as SMILES; `molecules.smi` names the command that made it.

Grown atom by atom, with rings closed and bonds doubled at random; no two neighbours but carbon and
one other, nothing charged. Not chemistry's own distribution, only many different molecules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from spektron_train.physics.internal import CoordinateError
from spektron_train.physics.molecule import MoleculeError
from spektron_train.physics.molecule_list import read_list, write_list
from spektron_train.physics.smiles import from_smiles

LIST: Final = Path(__file__).with_name("molecules.smi")
MOST: Final = 20
_ELEMENTS: Final = {"C": 0.62, "N": 0.12, "O": 0.14, "F": 0.05, "S": 0.04, "Cl": 0.03}


def molecules() -> tuple[str, ...]:
    """The list that ships."""
    return read_list(LIST)


def draw(count: int, seed: int) -> list[str]:
    """So many different molecules of 4 to 20 atoms that have a geometry and vibrations."""
    from .valence import transferable

    rng = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        smiles = _grown(rng)
        if smiles is None or smiles in found:
            continue
        try:
            drawn = from_smiles(smiles)
            if 4 <= len(drawn.molecule.symbols) <= MOST:
                transferable(drawn, 0)
                found[smiles] = None
        except (MoleculeError, CoordinateError):
            continue
    return list(found)


def _grown(rng: np.random.Generator) -> str | None:
    from rdkit import Chem, rdBase

    whole: Any = Chem.RWMol(Chem.MolFromSmiles("C"))
    for _ in range(rng.integers(1, 9)):
        new = whole.AddAtom(Chem.Atom(str(rng.choice(list(_ELEMENTS), p=list(_ELEMENTS.values())))))
        whole.AddBond(int(rng.integers(new)), new, Chem.BondType.SINGLE)
    atoms = whole.GetNumAtoms()
    for _ in range(rng.integers(0, 3)):
        i, j = (int(k) for k in rng.integers(atoms, size=2))
        if i != j and whole.GetBondBetweenAtoms(i, j) is None:
            whole.AddBond(i, j, Chem.BondType.SINGLE)
    orders = [Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE]
    for bond in whole.GetBonds():
        if bond.GetBeginAtom().GetSymbol() != "C" and bond.GetEndAtom().GetSymbol() != "C":
            return None
        bond.SetBondType(orders[rng.choice(3, p=[0.75, 0.2, 0.05])])
    with rdBase.BlockLogs():
        if Chem.SanitizeMol(whole, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            return None
    if any(a.GetSymbol() == "S" and a.GetTotalValence() > 2 for a in whole.GetAtoms()):
        return None
    return str(Chem.MolToSmiles(whole))


if __name__ == "__main__":
    write_list(__spec__.name, __doc__, draw, 360)
