"""Pictures of a report as PNG data URIs: nothing is fetched to show them."""

from __future__ import annotations

import base64
import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]
_WIDTH, _HEIGHT, _DPI = 3.0, 2.6, 80
_BINS = 30
_OWN, _OTHER, _LINE = "#1f6f8b", "#c0603a", "#888888"


def graph_picture(
    names: tuple[str, str],
    values: tuple[Array, Array],
    reference: Array,
    labels: tuple[str, ...],
) -> str:
    """One graph beside what it is compared with: three rows of plots, a column a property.

    names: of the graph and of its reference; values: (s, m) of both; reference: (s, m) of the
    laboratory; labels: property and unit. Rows: predicted against the laboratory, histograms of
    the errors, histogram of the difference between the two.
    """
    m = len(labels)
    figure = Figure(figsize=(_WIDTH * m, _HEIGHT * 3), dpi=_DPI, layout="constrained")
    axes = figure.subplots(3, m, squeeze=False)
    for j, label in enumerate(labels):
        own, other, truth = values[0][:, j], values[1][:, j], reference[:, j]
        _scatter(axes[0, j], truth, own, label)
        errors = (own - truth, other - truth)
        axes[1, j].hist(errors, bins=_BINS, histtype="step", color=(_OWN, _OTHER), label=names)
        axes[1, j].set_xlabel("predicted - laboratory", fontsize=8)
        axes[2, j].hist(own - other, bins=_BINS, color=_OWN)
        axes[2, j].set_xlabel(f"{names[0]} - {names[1]}", fontsize=8)
    axes[1, 0].legend(fontsize=7)
    return _uri(figure, axes.ravel().tolist())


def gradient_picture(actual: Array, expected: Array) -> str:
    """Elements of the gradient against autograd's, and how far they are apart; (P,) both."""
    figure = Figure(figsize=(_WIDTH * 2, _HEIGHT), dpi=_DPI, layout="constrained")
    axes = figure.subplots(1, 2)
    _scatter(axes[0], expected, actual, "gradient")
    axes[0].set_xlabel("autograd", fontsize=8)
    axes[1].hist(actual - expected, bins=_BINS, color=_OWN, log=True)
    axes[1].set_xlabel("graph - autograd", fontsize=8)
    return _uri(figure, axes.tolist())


def _scatter(axes: Axes, truth: Array, seen: Array, title: str) -> None:
    ends = [min(truth.min(), seen.min()), max(truth.max(), seen.max())]
    axes.plot(ends, ends, color=_LINE, linewidth=0.8)
    axes.plot(truth, seen, ".", color=_OWN, markersize=3, alpha=0.5)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("laboratory", fontsize=8)
    axes.set_ylabel("predicted", fontsize=8)


def _uri(figure: Figure, axes: list[Axes]) -> str:
    for one in axes:
        one.tick_params(labelsize=7)
        one.xaxis.set_major_locator(MaxNLocator(4))
        one.ticklabel_format(axis="x", scilimits=(-2, 4))
        one.xaxis.get_offset_text().set_fontsize(7)
    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
