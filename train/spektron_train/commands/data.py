"""`spektron-train data`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from spektron_train.data.commands import describe, import_shards, list_datasets
from spektron_train.data.readers.csv_table import Declared
from spektron_train.data.spectral_set import DataError

from . import EXIT_DATA, EXIT_OK, Failed, put_json


def run(arguments: argparse.Namespace) -> int:
    """List the sets, describe one, or import one into shards. Raises Failed."""
    try:
        found: Any = _ACTIONS[arguments.action](arguments)
    except (DataError, OSError) as error:
        raise Failed(EXIT_DATA, error) from None
    if arguments.json:
        put_json(found)
    elif isinstance(found, list):
        _show_rows(found)
    else:
        _show_one(found)
    return EXIT_OK


def _list(arguments: argparse.Namespace) -> list[dict[str, str]]:  # noqa: ARG001
    return list_datasets()


def _describe(arguments: argparse.Namespace) -> dict[str, Any]:
    return describe(arguments.source, arguments.at, _declared(arguments))


def _import(arguments: argparse.Namespace) -> dict[str, Any]:
    columns = (SpinnerColumn(), TextColumn("{task.completed} spectra"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        return import_shards(
            arguments.source,
            arguments.out,
            lambda rows: bar.advance(task, rows),
            arguments.at,
            _declared(arguments),
        )


def _declared(arguments: argparse.Namespace) -> Declared:
    return Declared(
        axis_unit=arguments.axis_unit,
        quantity=arguments.quantity,
        percent=arguments.percent,
        decimal=arguments.decimal,
        licence=arguments.licence,
    )


_ACTIONS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "list": _list,
    "show": _describe,
    "import": _import,
}


def _show_rows(rows: list[dict[str, str]]) -> None:
    table = Table(*(rows[0] if rows else ()))
    for row in rows:
        table.add_row(*row.values())
    Console(highlight=False, markup=False).print(table)


def _show_one(found: dict[str, Any]) -> None:
    table = Table(show_header=False)
    for name, value in found.items():
        inside = value.items() if isinstance(value, dict) else ()
        table.add_row(name, "\n".join(f"{k}: {v}" for k, v in inside) if inside else str(value))
    Console(highlight=False, markup=False).print(table)
