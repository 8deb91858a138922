"""What the actions of `spektron-train physics` on symmetry do."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from fractions import Fraction
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from spektron_train.commands import EXIT_OK, EXIT_RUN, put_json
from spektron_train.physics.commands import find
from spektron_train.physics.molecule import BOHR_PER_ANGSTROM, library, library_names

from .activity import Activity, activity
from .theorems import Theorems, check


def activities(arguments: argparse.Namespace) -> int:
    """Show a molecule's selection rules. Raises MoleculeError, SymmetryError, OSError."""
    molecule = find(arguments.molecule)
    found = activity(molecule, arguments.tolerance * BOHR_PER_ANGSTROM)
    if arguments.json:
        put_json({"molecule": arguments.molecule, **summary(found)})
        return EXIT_OK
    console = Console(highlight=False, markup=False)
    table = Table(title=f"{arguments.molecule}: {found.group.name}")
    table.add_column("species")
    for name in ("degeneracy", "fundamentals", "degrees of freedom"):
        table.add_column(name, justify="right")
    table.add_column("infrared")
    table.add_column("Raman")
    for one in found.species:
        counts = (one.degeneracy, one.fundamentals, one.freedom)
        seen = ("active" if active else "-" for active in (one.infrared, one.raman))
        table.add_row(one.irrep, *map(str, counts), *seen)
    console.print(table)
    console.print(
        f"Of {found.vibrations} degrees of freedom {found.infrared} absorb, {found.raman} scatter, "
        f"{found.silent} are silent.\n"
        f"Seen by at least one technique: {_both(found.observable_share, found.vibrations)}. "
        f"(N_IR + N_Raman) / (3N - {5 if found.symmetry.linear else 6}): "
        f"{_both(found.literal_ratio, found.vibrations)}.\n"
        f"Symmetrising moved no atom by more than {_angstrom(found):.2g} angstrom."
    )
    return EXIT_OK


def summary(found: Activity) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "point_group": found.group.name,
        "centrosymmetric": found.symmetry.centrosymmetric,
        "vibrations": found.vibrations,
        "infrared": found.infrared,
        "raman": found.raman,
        "silent": found.silent,
        "observable_share": float(found.observable_share),
        "literal_ratio": float(found.literal_ratio),
        "moved_angstrom": _angstrom(found),
        "species": [asdict(one) for one in found.species],
    }


def theorems(arguments: argparse.Namespace) -> int:
    """Check both theorems on molecules; exit code 6 if one fails. Raises MoleculeError."""
    rng = np.random.default_rng(arguments.seed)
    names = arguments.molecules or library_names()
    found = {name: check(library(name), rng) for name in names}
    failed = [name for name, one in found.items() if not one.holds]
    if arguments.json:
        rows = {name: {**asdict(one), "holds": one.holds} for name, one in found.items()}
        put_json({"seed": arguments.seed, "molecules": rows, "failed": failed})
    else:
        _show(found)
    return EXIT_RUN if failed else EXIT_OK


def _show(found: dict[str, Theorems]) -> None:
    table = Table(
        title="1: how far spectra of equivalent fields are apart, and those of two fields that "
        "differ in silent modes. 2: degrees of freedom that infrared and Raman see, and what the "
        "two together gain"
    )
    for name in ("molecule", "group"):
        table.add_column(name)
    for name in ("images", "apart", "silent", "apart", "seen", "gain", "holds"):
        table.add_column(name, justify="right")
    for name, one in found.items():
        first, fibre, second = one.invariance, one.fibre, one.exclusion
        table.add_row(
            name,
            one.group,
            str(first.images),
            f"{first.spectrum_apart:.0e}",
            str(fibre.silent),
            f"{fibre.spectrum_apart:.0e}",
            f"{second.infrared} + {second.raman}" if second else "",
            str(second.gain) if second else "",
            "yes" if one.holds else "NO",
        )
    Console(highlight=False, markup=False).print(table)


def _both(share: Fraction, whole: int) -> str:
    return f"{share.numerator * whole // share.denominator}/{whole} = {float(share):.3f}"


def _angstrom(found: Activity) -> float:
    return float(found.symmetry.moved / BOHR_PER_ANGSTROM)
