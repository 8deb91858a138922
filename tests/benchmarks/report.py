"""The one format of every benchmark: figures as JSON, as a table, and where it helps a picture."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench"
_PACKAGES = ("spektron-edge", "numpy", "onnxruntime", "paho-mqtt", "torch")


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


def write(name: str, figures: list[Figure]) -> Path:
    """Write build/bench/NAME.json and print the table; returns the file."""
    report = {
        "name": name,
        "machine": _machine(),
        "versions": _versions(),
        "figures": [asdict(figure) for figure in figures],
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    console = Console(highlight=False)
    table = Table(title=f"{name} ({_machine()})", title_justify="left")
    for column in ("id", "value", "spread", "unit", "better", "how"):
        table.add_column(column, justify="right" if column in ("value", "spread") else "left")
    notes = list(dict.fromkeys(figure.how for figure in figures))
    for f in figures:
        spread = "" if f.spread is None else f"{f.spread:.3g}"
        note = str(notes.index(f.how) + 1)
        table.add_row(f.id, f"{f.value:.4g}", spread, f.unit, f.better, note)
    console.print(table)
    for number, note in enumerate(notes, start=1):
        console.print(f"{number}: {note}")
    return path


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [s for s in cpuinfo.read_text().splitlines() if s.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def _versions() -> dict[str, str]:
    installed = {d.name: d.version for d in distributions() if d.name in _PACKAGES}
    return {"python": platform.python_version(), **installed}
