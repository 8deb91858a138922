"""What the forward map's actions of `spektron-train physics` do."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from spektron_train.commands import EXIT_OK, put_json

from .lines import Lines, lines
from .molecule import Array, Molecule, library, library_names
from .surface import Surface, SurfaceError, compute, load, save, stored
from .wilson import energy_distribution, force_constants, internals, solve

# Coordinates named beside a mode: the three that hold most, if that is at least so much.
_SHARES = 3
_LEAST = 0.02


def hessian(arguments: argparse.Namespace) -> int:
    """Compute a surface and keep it. Raises MoleculeError, QuantumError, OSError."""
    molecule = find(arguments.molecule)
    command = f"spektron-train physics hessian {arguments.molecule} --method {arguments.method}"
    out = arguments.out
    if out is None:
        out = Path(f"{Path(arguments.molecule).stem}.{arguments.method}.npz")
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


def spectrum(arguments: argparse.Namespace) -> int:
    """Show a molecule's lines.

    Raises MoleculeError, CoordinateError, SurfaceError, QuantumError, OSError.
    """
    surface = _surface(arguments.molecule, arguments.method)
    isotopes = dict(arguments.isotopes)
    f = force_constants(internals(surface.molecule), surface)
    space = internals(surface.molecule.with_isotopes(isotopes))
    modes = solve(space, f)
    found = lines(surface, modes)
    labels = [c.label(surface.molecule.symbols) for c in space.coordinates]
    rows = _rows(found, labels, energy_distribution(space, f, modes))
    title = arguments.molecule
    if isotopes:
        atoms = ", ".join(f"{n}{surface.molecule.symbols[i]}{i}" for i, n in isotopes.items())
        title += f" with {atoms}"
    if arguments.plot:
        from .plot import plot_spectrum

        plot_spectrum(found, f"{title}, {surface.method}", arguments.plot, arguments.width)
    if arguments.json:
        put_json({"molecule": title, "method": surface.method, "modes": rows})
    else:
        _show(title, surface.method, rows)
    return EXIT_OK


def _surface(name: str, method: str) -> Surface:
    if name.endswith(".npz"):
        return load(Path(name))
    molecule = find(name)
    if name in library_names():
        try:
            return stored(name, method)
        except SurfaceError:
            pass
    return compute(molecule, method)


def _rows(found: Lines, labels: list[str], shares: Array) -> list[dict[str, Any]]:
    rows = []
    for index, wavenumber in enumerate(found.wavenumbers):
        depolarisation = float(found.depolarisation[index])
        most = np.argsort(-np.abs(shares[index]))[:_SHARES]
        rows.append(
            {
                "wavenumber_cm1": round(float(wavenumber), 2),
                "infrared_km_per_mol": round(float(found.infrared[index]), 3),
                "raman_a4_per_u": round(float(found.raman[index]), 3),
                "depolarisation": None if np.isnan(depolarisation) else round(depolarisation, 4),
                "energy": {
                    labels[i]: round(float(shares[index, i]), 3)
                    for i in most
                    if abs(shares[index, i]) >= _LEAST
                },
            }
        )
    return rows


def _show(title: str, method: str, rows: list[dict[str, Any]]) -> None:
    table = Table(title=f"{title}: {method}")
    for name in ("cm-1", "infrared, km/mol", "Raman, A4/u", "depolarisation"):
        table.add_column(name, justify="right")
    table.add_column("potential energy in")
    for row in rows:
        share = row["depolarisation"]
        table.add_row(
            f"{row['wavenumber_cm1']:.1f}",
            f"{row['infrared_km_per_mol']:.1f}",
            f"{row['raman_a4_per_u']:.1f}",
            "" if share is None else f"{share:.2f}",
            ", ".join(f"{part:.0%} {name}" for name, part in row["energy"].items()),
        )
    console = Console(highlight=False, markup=False)
    console.print(table)
    if any(row["wavenumber_cm1"] < 0 for row in rows):
        console.print("Negative: imaginary, the geometry is no minimum of the energy.")
