"""Selection rules against textbooks: how many modes come out otherwise."""

from __future__ import annotations

from spektron_train.physics.symmetry.activity import activity
from tests.textbook_activities import TABLE, Entry, molecule, wrong

from .report import Figure


def figures() -> list[Figure]:
    """One figure over all molecules of the table."""
    groups = {entry.group for entry in TABLE.values()}
    return [
        Figure(
            "activity_tables_wrong",
            sum(_wrong(name, entry) for name, entry in TABLE.items()),
            "modes",
            "lower",
            None,
            f"degrees of freedom whose species, number or activity is not the textbooks', of "
            f"{len(TABLE)} molecules in {len(groups)} point groups; a wrong point group makes "
            "all of them wrong",
        )
    ]


def _wrong(name: str, entry: Entry) -> int:
    found = activity(molecule(name))
    return wrong(found.species, entry) if found.group.name == entry.group else found.vibrations
