"""What `spektron-train evaluate --stratify symmetry` does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from spektron_train.commands import EXIT_DATA, EXIT_OK, EXIT_USAGE, Failed, put_json
from spektron_train.training.progress import Advance, progress

from .plot import plot
from .spectral_set import SpectralSet, SpectralSetError, load
from .tasks import MODELS, Outcome, Task, outcomes
from .verdict import AGAINST, Bootstrap, Difference, Stratum, difference, strata

HEADLINE: Final[Task] = "property"
"""The task that the verdict is about: mean over models and properties."""

_TITLES: Final[dict[Task, str]] = {
    "property": "properties: share of the better technique's error that both together remove",
    "other": "the other technique's spectrum: share of the mean spectrum's error that is removed",
    "retrieval": "retrieval: share of the better technique's error that both together remove",
}


@dataclass(frozen=True, eq=False)
class Report:
    """outcomes; differences by task, over all its cases and by case; strata by task."""

    found: SpectralSet
    seeds: tuple[int, ...]
    balanced: bool
    outcomes: list[Outcome]
    whole: dict[Task, list[Difference]]
    cases: list[tuple[Outcome, list[Difference]]]
    strata: dict[Task, list[Stratum]]

    @property
    def verdict(self) -> str:
        """In words: whether fusion gains most with a centre of inversion."""
        parts = self.whole[HEADLINE]
        if not parts:
            return "No molecule with a centre of inversion was tested: nothing can be said."
        first, *controls = parts
        heads = {
            "more": "The prediction holds",
            "less": "The prediction fails, the opposite holds",
            "undecided": "The prediction is not borne out, the interval holds zero",
        }
        words = f"{heads[first.said]}: {_numbers(first)}."
        for one in controls:
            words += f" Against {AGAINST[one.against]}: {_numbers(one)}, {one.said}."
        return words


def _numbers(one: Difference) -> str:
    return (
        f"with a centre fusion removes {one.centre:.1%} of the better technique's error, "
        f"without {one.others:.1%}: difference {one.value:+.1%} ({one.low:+.1%} to {one.high:+.1%})"
    )


def report(
    found: SpectralSet,
    seeds: Sequence[int],
    models: Sequence[str],
    advance: Advance,
    *,
    balanced: bool = False,
) -> Report:
    """Everything that is shown. Raises ValueError for a set of too few formulas."""
    known = outcomes(found, seeds, models, advance, balanced=balanced)
    bootstrap = Bootstrap.over_formulas(found)

    def differences(parts: Sequence[Outcome]) -> list[Difference]:
        told = [difference(found, parts, against, bootstrap) for against in AGAINST]
        return [one for one in told if one is not None]

    tasks = dict.fromkeys(one.case.task for one in known)
    return Report(
        found,
        tuple(seeds),
        balanced,
        known,
        {task: differences([one for one in known if one.case.task == task]) for task in tasks},
        [(one, differences([one])) for one in known],
        strata(found, known),
    )


def evaluate(arguments: argparse.Namespace) -> int:
    """Show errors and gains by symmetry, and the verdict. Raises Failed, OSError."""
    try:
        found = load() if arguments.set is None else load(arguments.set)
        seeds = range(arguments.seed, arguments.seed + arguments.splits)
        with progress("Evaluating", len(seeds)) as advance:
            told = report(
                found,
                seeds,
                arguments.models or MODELS,
                advance,
                balanced=arguments.balanced,
            )
    except SpectralSetError as error:
        raise Failed(EXIT_DATA, error) from None
    except ValueError as error:
        raise Failed(EXIT_USAGE, error) from None
    if arguments.plot:
        plot(told.whole, told.cases, told.strata[HEADLINE], arguments.plot)
    if arguments.json:
        put_json(as_json(told))
    else:
        _show(told)
    return EXIT_OK


def as_json(told: Report) -> dict[str, Any]:
    """Plain values."""
    return {
        "method": told.found.method,
        "molecules": len(told.found.entries),
        "centrosymmetric": int(told.found.centre.sum()),
        "seeds": list(told.seeds),
        "balanced": told.balanced,
        "differences": {
            task: [{**asdict(one), "said": one.said} for one in parts]
            for task, parts in told.whole.items()
        },
        "cases": [
            {**asdict(one.case), "differences": [asdict(part) for part in parts]}
            for one, parts in told.cases
        ],
        "strata": {task: [asdict(one) for one in parts] for task, parts in told.strata.items()},
        "verdict": told.verdict,
    }


def _show(told: Report) -> None:
    say = Console(highlight=False, markup=False)
    centre = int(told.found.centre.sum())
    say.print(
        f"{len(told.found.entries)} molecules, {centre} with a centre of inversion; "
        f"{len(told.seeds)} splits by formula, seeds {told.seeds[0]} to {told.seeds[-1]}"
    )
    for task, parts in told.whole.items():
        say.print(_table_of_gains(_TITLES[task], task, told, parts))
        say.print(_table_of_strata(told.strata[task]))
    say.print(told.verdict)


def _table_of_gains(title: str, task: Task, told: Report, whole: Sequence[Difference]) -> Table:
    table = Table(title=title)
    table.add_column("model")
    table.add_column("of")
    for name in ("centre", "without", "difference, 95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = [
        (one.case.model, one.case.target.replace("_", " "), parts[0])
        for one, parts in told.cases
        if one.case.task == task and parts
    ]
    rows += [("mean", f"all; against {one.against}", one) for one in whole]
    for model, target, one in rows:
        apart = f"{one.value:+.1%} ({one.low:+.1%} to {one.high:+.1%})"
        table.add_row(model, target, f"{one.centre:.1%}", f"{one.others:.1%}", apart)
    return table


def _table_of_strata(parts: Sequence[Stratum]) -> Table:
    table = Table(title="mean errors by point group and by R(G, N)")
    table.add_column("molecules of")
    for name in ("molecules", "mean R", "before", "after", "gain"):
        table.add_column(name, justify="right")
    for one in parts:
        table.add_row(
            one.name,
            str(one.molecules),
            f"{one.share:.3f}",
            f"{one.before:.3f}",
            f"{one.after:.3f}",
            f"{one.gain:.1%}",
        )
    return table
