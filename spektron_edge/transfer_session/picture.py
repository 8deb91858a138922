"""The report's charts as one PNG, where matplotlib is installed; it is no dependency."""

from __future__ import annotations

import importlib.util
import io

from .report import Report
from .svg import BLUE, GREEN, ORANGE


def available() -> bool:
    """Whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def png(report: Report) -> bytes:
    """Spectra and predictions; call it only where matplotlib is `available`."""
    from matplotlib import rc_context

    # Names that others chose may hold dollar signs, which are no formulas.
    with rc_context({"text.parse_math": False}):
        return _drawn(report)


def _drawn(report: Report) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [p for p in report.properties if report.points.get(p.name)]
    columns = 2 + (len(shown) + 1) // 2
    figure = Figure(figsize=(4.2 * columns, 7.0), layout="constrained")
    grid = figure.add_gridspec(2, columns)
    name = "dry run" if report.version is None else f"transfer {report.version}"
    figure.suptitle(f"{report.product} on {report.serial}, {name}. {report.verdict}")
    _spectra(report, figure.add_subplot(grid[0, :2]), figure.add_subplot(grid[1, :2]))
    for i, p in enumerate(shown):
        axes = figure.add_subplot(grid[i % 2, 2 + i // 2])
        for q in report.points[p.name]:
            colour = BLUE if q.held_out else ORANGE
            axes.plot([q.reference] * 2, [q.low, q.high], color=colour, lw=1)
            axes.plot([q.reference], [q.predicted], "o", color=colour)
            axes.annotate(q.sample, (q.reference, q.predicted), fontsize=8)
        low, high = axes.get_xlim()
        axes.plot([low, high], [low, high], "--", color="#999", lw=1)
        axes.set_xlabel(f"reference {p.name} [{p.unit}]")
        axes.set_ylabel("predicted")
        axes.set_title(f"predicted RMSEP {p.rmsep:.3g} ({p.rmsep_low:.3g} to {p.rmsep_high:.3g})")
    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream)  # type: ignore[no-untyped-call]
    return stream.getvalue()


def _spectra(report: Report, means: object, left: object) -> None:
    figure = report.spectra
    for axes, lines, label in (
        (
            means,
            (
                ("source", figure.source, BLUE, "-"),
                ("this instrument, before", figure.before, ORANGE, "-"),
                ("this instrument, after", figure.after, GREEN, "--"),
            ),
            "mean absorbance",
        ),
        (
            left,
            (
                ("before", figure.left_before, ORANGE, "-"),
                ("after", figure.left_after, GREEN, "-"),
            ),
            "rms difference of a pair",
        ),
    ):
        for name, values, colour, style in lines:
            if values is not None:
                axes.plot(figure.axis, values, style, color=colour, label=name)  # type: ignore[attr-defined]
        axes.set_xlabel("wavelength [nm]")  # type: ignore[attr-defined]
        axes.set_ylabel(label)  # type: ignore[attr-defined]
        axes.legend()  # type: ignore[attr-defined]
