"""Where the benchmarks of `make bench` write, in the one format of every benchmark."""

from __future__ import annotations

from pathlib import Path

from spektron_train.benchmarks.report import Figure, Report, print_table, write_json

__all__ = ["FOLDER", "Figure", "write"]

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench"


def write(name: str, found: list[Figure] | Report) -> Path:
    """Write build/bench/NAME.json and print the table; returns the file."""
    report = found if isinstance(found, Report) else Report(name, tuple(found))
    path = FOLDER / f"{name}.json"
    write_json(report, path)
    print_table(report)
    return path
