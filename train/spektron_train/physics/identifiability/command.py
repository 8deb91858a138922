"""What `spektron-train physics identifiability` does."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from spektron_train.commands import EXIT_OK, EXIT_USAGE, Failed, put_json
from spektron_train.physics.surface import stored

from .counting import Count, count
from .degeneracy import Near, near_degeneracies
from .draw import molecules
from .full_field import Closing, closings
from .jacobian import NEAR
from .montecarlo import CASES, Reached, Summary, Trial, reached, summary, trials
from .plot import plot

SURFACES: Final = ("H2O", "NH3", "H2CO", "CH4", "C2H4", "CO2", "C2H2")
COUNTED: Final = ("H2O", "HOOH", "H2CO", "CO2", "CH4", "C2H4", "SF6", "C6H6", "cubane")
_OF_CASE: Final = {"b": CASES[:1], "c": CASES[1:]}
_MEETING: Final = "H2CO"


def identify(arguments: argparse.Namespace) -> int:
    """Show what a spectrum tells of a force field.

    Raises Failed, MoleculeError, CoordinateError, SurfaceError, SymmetryError, OSError.
    """
    listed = molecules()
    if arguments.molecules is not None and arguments.molecules > len(listed):
        raise Failed(EXIT_USAGE, f"{len(listed)} molecules are listed, not {arguments.molecules}")
    chosen = listed[: arguments.molecules]
    seeds = range(arguments.seed, arguments.seed + arguments.draws)
    cases = arguments.case or "abcd"
    if arguments.plot and not {"b", "c"} & set(cases):
        raise Failed(EXIT_USAGE, "the picture is of cases b and c")
    say = Console(highlight=False, markup=False, quiet=arguments.json)
    report: dict[str, Any] = {"seeds": list(seeds)}
    meeting: list[Near] = []
    if "a" in cases or arguments.plot:
        meeting = near_degeneracies(stored(_MEETING), _rng(arguments.seed))
    if "a" in cases:
        closed = [
            one for name in SURFACES for one in closings(name, stored(name), _rng(arguments.seed))
        ]
        general = reached(chosen, arguments.seed)
        report["a"] = {
            "closings": [asdict(one) for one in closed],
            "listed": asdict(general),
            "near_degeneracies": [asdict(one) for one in meeting],
        }
        _show_closings(say, closed, general)
        _show_meeting(say, meeting)
    found: list[Trial] = []
    if {"b", "c"} & set(cases):
        found = list(trials(chosen, seeds))
    for case in sorted({"b", "c"} & set(cases)):
        rows = _summaries(found, case)
        report[case] = {name: asdict(one) for name, one in rows.items()}
        _show_summaries(say, case, rows)
    if "d" in cases:
        counts = [count(name) for name in COUNTED]
        report["d"] = [{**asdict(one), "ratio": one.ratio} for one in counts]
        _show_counts(say, counts)
    if arguments.plot:
        plot(found, meeting, arguments.plot)
    if arguments.json:
        put_json(_finite(report))
    return EXIT_OK


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _summaries(found: Sequence[Trial], case: str) -> dict[str, Summary]:
    without = [one for one in found if one.generic]
    rows = {}
    for name in _OF_CASE[case]:
        rows[f"{name}, no symmetry"] = summary(without, name)
        rows[f"{name}, all molecules"] = summary(found, name)
    if case == "b":
        rows["field from positions alone, no symmetry"] = summary(without, None)
    return rows


def _show_closings(say: Console, found: Sequence[Closing], general: Reached) -> None:
    table = Table(title="a: all constants of the quadratic field, from one molecule's spectra")
    for name in ("molecule", "group", "field"):
        table.add_column(name)
    for name in ("unknowns", "observables", "rank", "deficit"):
        table.add_column(name, justify="right")
    table.add_column("closed by the spectra of")
    table.add_column("condition", justify="right")
    for one in found:
        closing = ", ".join(one.isotopologues) or "-"
        if not one.closed.full:
            closing += f" (still {one.closed.deficit})"
        table.add_row(
            one.molecule,
            one.group,
            one.point,
            *map(
                str,
                (one.alone.unknowns, one.alone.observables, one.alone.rank, one.alone.deficit),
            ),
            closing,
            f"{one.closed.condition:.3g}" if one.closed.full else "",
        )
    say.print(table)
    say.print(
        f"Of {general.molecules} listed molecules without symmetry {general.single:.1%} reach the "
        f"most that one molecule's spectra can tell, the smaller of n (n + 1) / 2 and 3n - 2 "
        f"({general.symmetric:.1%} where levels nearer than {NEAR:g} cm-1 enter by symmetric "
        f"functions only); the rest, quartiles: {_range(general.deficit, '.0f')} constants.\n"
    )


def _show_meeting(say: Console, found: Sequence[Near]) -> None:
    table = Table(
        title=f"Two levels of {_MEETING}, without symmetry, meet: the Jacobian's largest singular "
        "value, and how far central differences miss it"
    )
    for name in ("gap, cm-1", "single levels", "missed", "symmetric functions", "missed"):
        table.add_column(name, justify="right")
    for one in found:
        numbers = (one.gap, one.single, one.single_missed, one.symmetric, one.symmetric_missed)
        table.add_row(*(f"{number:.2g}" for number in numbers))
    say.print(table)


def _show_summaries(say: Console, case: str, rows: dict[str, Summary]) -> None:
    what = {"b": "a transferable field", "c": "bond moments unknown, too"}[case]
    table = Table(title=f"{case}: {what}; quartiles, conditions of those of full column rank")
    table.add_column("unknown")
    for name in ("molecules", "trials", "full rank", "unknowns", "ratio", "condition", "worst"):
        table.add_column(name, justify="right")
    for name, one in rows.items():
        table.add_row(
            name,
            str(one.molecules),
            str(one.trials),
            f"{one.full:.2%}",
            _range(one.unknowns, ".0f"),
            _range(one.ratio, ".2f"),
            _range(one.condition, ".2g"),
            f"{one.worst:.1g}",
        )
    say.print(table)
    for name, one in rows.items():
        if one.exceptions and "all molecules" in name:
            times = Counter((each.smiles, each.group) for each in one.exceptions)
            listed = ", ".join(f"{s} ({group}) {n}x" for (s, group), n in times.items())
            say.print(f"Not of full rank, {name}: {listed}.")


def _show_counts(say: Console, found: Sequence[Count]) -> None:
    table = Table(title="d: four to one, by counting")
    for name in ("molecule", "group"):
        table.add_column(name)
    for name in ("n", "4n / n", "numbers in both spectra", "per n", "symmetric constants"):
        table.add_column(name, justify="right")
    table.add_column("all constants", justify="right")
    for one in found:
        table.add_row(
            one.molecule,
            one.group,
            str(one.unknowns),
            f"{one.ratio:.1f}",
            str(one.distinct),
            f"{one.distinct / one.unknowns:.2f}",
            str(one.symmetric),
            str(one.constants),
        )
    say.print(table)


def _range(values: tuple[float, ...], form: str) -> str:
    low, middle, high = (format(value, form) for value in values)
    return f"{low} / {middle} / {high}"


def _finite(value: Any) -> Any:
    """JSON has no infinity: a condition that is none is null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
