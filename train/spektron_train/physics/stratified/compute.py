"""Compute the set of spectra from its list of SMILES; `spectra.npz` names the command.

What was done is kept in a file beside the result, so the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import constants

from spektron_train.physics.internal import CoordinateError
from spektron_train.physics.lines import lines
from spektron_train.physics.modes import Modes, cartesian_modes
from spektron_train.physics.molecule import Molecule, MoleculeError
from spektron_train.physics.quantum import QuantumError
from spektron_train.physics.quantum.tblite_engine import GFN2
from spektron_train.physics.smiles import Drawn, from_smiles
from spektron_train.physics.surface import Surface, compute
from spektron_train.physics.symmetry.activity import activity
from spektron_train.physics.symmetry.operations import SymmetryError
from spektron_train.training.progress import progress

from .draw import has_inversion, molecules
from .spectral_set import Entry, SpectralSet, save

_KELVIN: Final = 298.15
# bohr times the square root of u, along an imaginary mode: far enough to leave a saddle point.
_PUSH: Final = 0.3
_HARTREE_EV: Final = constants.physical_constants["Hartree energy in eV"][0]
_JOULE_PER_CM: Final = 100 * constants.Planck * constants.speed_of_light


class LeftOut(Exception):
    """A molecule that is not what its SMILES says, or not at a minimum; says which."""


def entry(smiles: str) -> Entry:
    """One molecule's spectra by GFN2-xTB.

    Raises LeftOut, MoleculeError, CoordinateError, QuantumError, SymmetryError.
    """
    drawn = from_smiles(smiles)
    surface, modes = _minimum(drawn)
    engine, x = GFN2(surface.molecule), surface.molecule.positions
    found = activity(surface.molecule)
    spectrum = lines(surface, modes)
    energy = _JOULE_PER_CM * constants.Avogadro * modes.wavenumbers
    ratio = energy / (constants.gas_constant * _KELVIN)
    heat = constants.gas_constant * (ratio / 2 / np.sinh(ratio / 2)) ** 2
    return Entry(
        smiles=smiles,
        formula=_formula(smiles),
        symbols=surface.molecule.symbols,
        positions=x,
        group=found.group.name,
        order=len(found.symmetry.matrices),
        centre=has_inversion(found.symmetry),
        infrared=found.infrared,
        raman=found.raman,
        observable=found.vibrations - found.silent,
        lines=np.stack([spectrum.wavenumbers, spectrum.infrared, spectrum.raman], axis=1),
        properties={
            "zero_point_energy": float(energy.sum()) / 2000,
            "heat_capacity": float(heat.sum()),
            "orbital_gap": engine.gap(x) * _HARTREE_EV,
        },
    )


def _minimum(drawn: Drawn) -> tuple[Surface, Modes]:
    """At a minimum, by one push along the softest mode where the first point is none."""
    surface = compute(drawn.molecule, "gfn2")
    modes = cartesian_modes(surface)
    if modes.wavenumbers[0] <= 0:
        push = modes.displacements[0].reshape(-1, 3) * _PUSH
        surface = compute(surface.molecule.moved(surface.molecule.positions + push), "gfn2")
        modes = cartesian_modes(surface)
    if modes.wavenumbers[0] <= 0:
        raise LeftOut(f"a saddle point: {modes.wavenumbers[0]:.0f} cm-1")
    if set(surface.molecule.bonds()) != set(drawn.bonds):
        raise LeftOut("bonds broke or formed")
    return surface, modes


def _formula(smiles: str) -> str:
    from rdkit.Chem import MolFromSmiles
    from rdkit.Chem.rdMolDescriptors import CalcMolFormula

    return str(CalcMolFormula(MolFromSmiles(smiles)))


def main() -> None:
    """Compute, showing progress; with --molecules only the first of a fixed random order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument("--molecules", type=int, help="how many of the list (all)")
    arguments = parser.parse_args()
    listed = molecules()
    chosen = np.random.default_rng(0).permutation(listed)[: arguments.molecules].tolist()
    kept = arguments.out.with_suffix(".partial.jsonl")
    done = _read(kept)
    with progress("Computing", len(chosen)) as advance, kept.open("a", encoding="utf-8") as file:
        for smiles in chosen:
            if smiles not in done:
                done[smiles] = _attempt(smiles)
                file.write(json.dumps({"smiles": smiles, **done[smiles]}) + "\n")
                file.flush()
            advance(smiles)
    entries = [_entry(done[smiles]) for smiles in listed if "entry" in done.get(smiles, {})]
    name = GFN2(Molecule.at(("H", "H"), np.array([[0.0, 0, 0], [0, 0, 1.4]]))).name
    command = f"python -m {__spec__.name} --out {arguments.out.name}"
    if arguments.molecules is not None:
        command += f" --molecules {arguments.molecules}"
    save(SpectralSet(tuple(entries), name, command), arguments.out)
    left = [f"{one}: {held['left_out']}" for one, held in done.items() if "left_out" in held]
    said = [f"{len(entries)} molecules in {arguments.out}; left out: {len(left)}", *left]
    sys.stdout.write("\n".join(said) + "\n")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            held = json.loads(line)
        except json.JSONDecodeError:
            continue  # the line that was being written
        found[held.pop("smiles")] = held
    return found


def _attempt(smiles: str) -> dict[str, Any]:
    try:
        made = asdict(entry(smiles))
    except (LeftOut, MoleculeError, CoordinateError, QuantumError, SymmetryError) as error:
        return {"left_out": str(error)}
    made["positions"], made["lines"] = made["positions"].tolist(), made["lines"].tolist()
    return {"entry": made}


def _entry(held: dict[str, Any]) -> Entry:
    made = Entry(**held["entry"])
    return replace(
        made,
        symbols=tuple(made.symbols),
        positions=np.array(made.positions),
        lines=np.array(made.lines),
    )


if __name__ == "__main__":
    main()
