"""What the forward map's actions of `spektron-train physics` do."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from spektron_train.commands import EXIT_OK, put_json

from .molecule import Molecule, library, library_names
from .surface import STORED, compute, save


def hessian(arguments: argparse.Namespace) -> int:
    """Compute a surface and keep it. Raises MoleculeError, QuantumError, OSError."""
    molecule = find(arguments.molecule)
    command = f"spektron-train physics hessian {arguments.molecule} --method {arguments.method}"
    out = arguments.out
    if out is None:
        out = STORED / f"{Path(arguments.molecule).stem}.{arguments.method}.npz"
    surface = replace(compute(molecule, arguments.method), command=command)
    save(surface, out)
    if arguments.json:
        put_json({"file": str(out), "method": surface.method})
    else:
        Console(highlight=False, markup=False).print(f"{surface.method}: {out}")
    return EXIT_OK


def find(name: str) -> Molecule:
    """A molecule of the library, or the first of an XYZ file. Raises MoleculeError, OSError."""
    if name in library_names() or not name.endswith(".xyz"):
        return library(name)
    return Molecule.read_xyz(Path(name))
