"""What an export shows on the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from spektron_edge.bundle import BundleError

from .pack import Report
from .report import write_report

_WRITE = 6


def reported(report: Report, *, wanted: bool, as_json: bool) -> int:
    """Write the report beside the bundle, and show it; returns the exit code, 6 without the files.

    The bundle is there by now, whatever becomes of its report.
    """
    written: tuple[Path, ...] = ()
    code = 0
    try:
        written = write_report(report) if wanted else ()
    except (BundleError, OSError, KeyboardInterrupt) as error:
        why = str(error) or "stopped"
        told = f"spektron-export: {report.path} is written, its report is not: {why}\n"
        sys.stderr.write(told)
        code = _WRITE
    if as_json:
        document = {**report.to_json(), "report": [str(path) for path in written]}
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        show(report, written)
    return code


def show(report: Report, written: Sequence[Path] = ()) -> None:
    """Tables of parity and figures, sizes, and where the report is."""
    console = Console()
    parity = Table(title="Parity: largest difference on the spectra compared")
    for column in ("graph", "against", "property", "y", "RMSEP ratio", "z_chem", "z_chem cosine"):
        parity.add_column(column)
    for p in report.parity:
        for name, difference in p.y.items():
            parity.add_row(
                p.graph,
                p.reference,
                name,
                f"{difference:.2e}",
                f"{p.rmsep_ratio[name]:.4f}",
                f"{p.z_chem:.2e}",
                f"{p.z_chem_cosine:.6f}",
            )
    console.print(parity)
    figures = Table(title="Figures of merit", caption=report.measured_on)
    for column in ("graph", "property", "R2", "RMSEP", "bias", "SEP", "RPD"):
        figures.add_column(column)
    for graph, merits in report.figures.items():
        for name, m in merits.items():
            numbers = (f"{m.r2:.4f}", f"{m.rmsep:.4f}", f"{m.bias:+.4f}", f"{m.sep:.4f}")
            figures.add_row(graph, name, *numbers, f"{m.rpd:.1f}")
    console.print(figures)
    if report.gradient_error is not None:
        console.print(f"Gradient against autograd: {report.gradient_error:.1e} of the largest one")
    sizes = ", ".join(f"{n} {size / 2**20:.2f} MB" for n, size in report.graph_bytes.items())
    console.print(f"{report.path}: {report.bytes / 2**20:.2f} MB ({sizes}); id {report.bundle_id}")
    if written:
        console.print(f"Report: {written[0]}", soft_wrap=True)
