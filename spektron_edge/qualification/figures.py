"""Pictures of a report, as the numbers that they are drawn from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from spektron_edge.transfer_session.svg import BLUE, GREEN, ORANGE, Line, line_chart

from .items import Strict

_COLOURS = (BLUE, ORANGE, GREEN, "#666666", "#cc79a7", "#56b4e9")


class Series(Strict):
    """Points (x, y), joined by a line or not."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    points: bool = False
    dashed: bool = False


class Figure(Strict):
    """Series over one axis."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]


def series(
    name: str,
    x: Iterable[float] | NDArray[np.float64],
    y: Iterable[float] | NDArray[np.float64],
    *,
    points: bool = False,
    dashed: bool = False,
) -> Series:
    """From any numbers; what is no number is left out."""
    pairs = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    sound = [pair for pair in pairs if np.all(np.isfinite(pair))]
    return Series(
        name=name,
        x=tuple(a for a, _ in sound),
        y=tuple(b for _, b in sound),
        points=points,
        dashed=dashed,
    )


def level(name: str, value: float, over: Iterable[float]) -> Series:
    """A dashed line from the first to the last of some places."""
    places = list(over)
    ends = (min(places), max(places))
    return Series(name=name, x=ends, y=(value, value), dashed=True)


def drawn(figure: Figure) -> str:
    """As inline SVG; empty where there is nothing to draw."""
    lines = [
        Line(
            s.name,
            np.array(s.x),
            np.array(s.y),
            _COLOURS[i % len(_COLOURS)],
            dashed=s.dashed,
            points=s.points,
        )
        for i, s in enumerate(figure.series)
        if s.x
    ]
    return line_chart(lines, figure.x_label, figure.y_label) if lines else ""
