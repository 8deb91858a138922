"""What `spektron-train physics observability` does."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from spektron_train.commands import EXIT_OK, EXIT_USAGE, Failed, put_json

from .observability import FATES, Instrument, Observability, observability
from .smiles import from_smiles


def observe(arguments: argparse.Namespace) -> int:
    """Show what an instrument sees of a molecule.

    Raises Failed, MoleculeError, CoordinateError, QuantumError, SymmetryError.
    """
    try:
        low, high = arguments.range
        instrument = Instrument(arguments.technique, low, high, arguments.resolution)
    except ValueError as error:
        raise Failed(EXIT_USAGE, error) from None
    found = observability(from_smiles(arguments.smiles), instrument)
    if arguments.json:
        put_json(as_json(arguments.smiles, found))
    else:
        _show(arguments.smiles, found)
    return EXIT_OK


def as_json(smiles: str, found: Observability) -> dict[str, Any]:
    """As a bundle's manifest holds it (`spektron_edge.bundle.observability`)."""
    at = found.instrument
    return {
        "format": 1,
        "smiles": smiles,
        "method": found.method,
        "instrument": {
            "technique": at.technique,
            "low_cm1": at.low,
            "high_cm1": at.high,
            "resolution_cm1": at.resolution,
        },
        "point_group": found.activity.group.name,
        "vibrations": found.activity.vibrations,
        "observable_share": float(found.activity.observable_share),
        "literal_ratio": float(found.activity.literal_ratio),
        "freedom": {fate: found.freedom(fate) for fate in FATES},
        "levels": [
            {
                "wavenumber_cm1": level.wavenumber,
                "species": level.species,
                "degeneracy": level.degeneracy,
                "relative_intensity": level.intensity,
                "stretches": level.stretches,
                "fate": level.fate,
            }
            for level in found.levels
        ],
        "groups": [
            {
                "bond": group.bond,
                "bonds": group.bonds,
                "seen_cm1": list(group.seen),
                "lost_cm1": list(group.lost),
            }
            for group in found.groups
        ],
        "note": found.note,
    }


def _show(smiles: str, found: Observability) -> None:
    console = Console(highlight=False, markup=False)
    table = Table(title=f"{smiles}: {found.activity.group.name}")
    table.add_column("cm-1", justify="right")
    table.add_column("species")
    table.add_column("intensity", justify="right")
    table.add_column("stretches")
    table.add_column("fate")
    for level in found.levels:
        table.add_row(
            f"{level.wavenumber:.0f}",
            level.species,
            f"{level.intensity:.3f}",
            ", ".join(f"{share:.0%} {bond}" for bond, share in level.stretches.items()),
            level.fate,
        )
    console.print(table)
    for group in found.groups:
        seen = ", ".join(f"{at:.0f}" for at in group.seen) or "nothing"
        lost = f"; lost: {', '.join(f'{at:.0f}' for at in group.lost)}" if group.lost else ""
        console.print(f"{group.bond} stretching: seen: {seen}{lost}.")
    console.print(f"{found.note}.")
