"""The one format of every benchmark: figures and tables as JSON, on the terminal, as a picture."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from spektron_train.machine import processor

from .splits import spread

Array = NDArray[np.float64]
_PACKAGES = ("spektron-edge", "numpy", "onnxruntime", "paho-mqtt", "scikit-learn", "torch")


@dataclass(frozen=True)
class Figure:
    """One measured number. `spread`: half the range between quartiles, or None for a single one.

    how: what was measured, in a sentence.
    """

    id: str
    value: float
    unit: str
    better: Literal["higher", "lower"]
    spread: float | None
    how: str


@dataclass(frozen=True)
class Row:
    """One method on one property of one data set: values, one a split, summarised.

    metric: what the values are, e.g. RMSEP; unit: theirs; low, high: quartiles; standard_error: of
    the mean, None for a single split.
    """

    dataset: str
    property: str
    method: str
    metric: str
    unit: str
    values: tuple[float, ...]
    median: float
    low: float
    high: float
    mean: float
    standard_error: float | None


def row(
    dataset: str, name: str, method: str, values: Array, *, unit: str, metric: str = "RMSEP"
) -> Row:
    """Summarise (splits,) values of property `name`."""
    s = spread(values)
    error = None if np.isnan(s.standard_error) else s.standard_error
    return Row(
        dataset,
        name,
        method,
        metric,
        unit,
        tuple(float(value) for value in values),
        s.median,
        s.low,
        s.high,
        s.mean,
        error,
    )


@dataclass(frozen=True)
class Report:
    """What a benchmark found. notes: ceilings and artefacts that a reader must know."""

    name: str
    figures: tuple[Figure, ...]
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with machine and versions; tables only where there are any."""
        plain: dict[str, Any] = {
            "name": self.name,
            "machine": machine(),
            "versions": versions(),
            "figures": [asdict(figure) for figure in self.figures],
        }
        if self.rows:
            plain["rows"] = [asdict(entry) for entry in self.rows]
        if self.notes:
            plain["notes"] = list(self.notes)
        return plain


def write_json(report: Report, path: Path) -> None:
    """Write the report, with its folder where that is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report.as_dict(), indent=1) + "\n")


def print_table(report: Report, console: Console | None = None) -> None:
    """Print figures, then rows, then notes."""
    console = console or Console(highlight=False)
    table = Table(title=f"{report.name} ({machine()})", title_justify="left")
    for column in ("id", "value", "spread", "unit", "better", "how"):
        table.add_column(column, justify="right" if column in ("value", "spread") else "left")
    hows = list(dict.fromkeys(figure.how for figure in report.figures))
    for f in report.figures:
        width = "" if f.spread is None else f"{f.spread:.3g}"
        table.add_row(f.id, f"{f.value:.4g}", width, f.unit, f.better, str(hows.index(f.how) + 1))
    console.print(table)
    for number, how in enumerate(hows, start=1):
        console.print(f"{number}: {how}")
    if report.rows:
        console.print(_rows_table(report.rows))
    for note in report.notes:
        console.print(f"- {note}")


def _rows_table(rows: tuple[Row, ...]) -> Table:
    table = Table(title="over splits", title_justify="left")
    numbers = ("median", "quartiles", "mean", "standard error", "splits")
    for column in ("data set", "property", "method", "metric", *numbers, "unit"):
        table.add_column(column, justify="right" if column in numbers else "left")
    for r in rows:
        table.add_row(
            r.dataset,
            r.property,
            r.method,
            r.metric,
            f"{r.median:.4g}",
            f"{r.low:.4g} to {r.high:.4g}",
            f"{r.mean:.4g}",
            "" if r.standard_error is None else f"{r.standard_error:.2g}",
            str(len(r.values)),
            r.unit,
        )
    return table


def plot(report: Report, path: Path) -> None:
    """One panel per data set and property: a box over splits for each method, splits as dots.

    Writes PNG. Raises ValueError when the report has no rows.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    panels = list(dict.fromkeys((r.dataset, r.property, r.metric, r.unit) for r in report.rows))
    if not panels:
        raise ValueError(f"{report.name} has no values per split to draw")
    across = min(len(panels), 4)
    down = -(-len(panels) // across)
    figure = Canvas(figsize=(3.3 * across, 3.4 * down), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis, (dataset, name, metric, unit) in zip(axes, panels, strict=False):
        shown = [
            r for r in report.rows if (r.dataset, r.property, r.metric) == (dataset, name, metric)
        ]
        _boxes(axis, shown)
        axis.set(title=f"{dataset}: {name}", ylabel=f"{metric}, {unit}")
    for axis in axes[len(panels) :]:
        axis.remove()
    splits = max(len(r.values) for r in report.rows)
    figure.suptitle(f"{report.name}: quartiles, median and each of {splits} splits", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _boxes(axis: Any, rows: list[Row]) -> None:
    labels = [r.method.replace(" ", "\n", 1) for r in rows]
    axis.boxplot(
        [r.values for r in rows], tick_labels=labels, widths=0.55, showfliers=False, whis=(5, 95)
    )
    rng = np.random.default_rng(0)
    for at, r in enumerate(rows, start=1):
        jitter = rng.uniform(-0.15, 0.15, len(r.values))
        axis.plot(at + jitter, r.values, "o", markersize=3, alpha=0.5, color=f"C{at - 1}")
    if min(min(r.values) for r in rows) >= 0:
        axis.set_ylim(bottom=0)
    axis.tick_params(axis="x", labelsize=8)


def machine() -> str:
    """The processor's name, its cores and the system."""
    return f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def versions() -> dict[str, str]:
    """Python and the packages that figures depend on, as far as they are installed."""
    installed = {d.name: d.version for d in distributions() if d.name in _PACKAGES}
    return {"python": platform.python_version(), **installed}
