"""Two kinds of chart as inline SVG: lines over an axis, and points about the line of identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_WIDTH, _HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 14, 44
# Okabe and Ito, Color Universal Design, 2008: told apart without seeing red or green.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"


@dataclass(frozen=True, eq=False)
class Line:
    """values (k,) at x (k,). points: dots instead of a line."""

    name: str
    x: Array
    values: Array
    colour: str
    dashed: bool = False
    points: bool = False


@dataclass(frozen=True)
class Dot:
    """A point with its vertical interval and a name, shown by a pointer resting on it."""

    name: str
    x: float
    y: float
    low: float
    high: float
    colour: str


@dataclass(frozen=True)
class _Frame:
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
        )


def line_chart(lines: Sequence[Line], x_label: str, y_label: str) -> str:
    """Lines over one axis, with a legend."""
    low, high = _range(np.concatenate([line.values for line in lines]), 0.05)
    # Room for the legend above the lines.
    high += 0.1 * len(lines) * (high - low)
    frame = _Frame(_range(np.concatenate([line.x for line in lines]), 0.0), (low, high))
    parts = _axes(frame, x_label, y_label)
    for line in lines:
        places = [
            frame.at(x, y) for x, y in zip(line.x.tolist(), line.values.tolist(), strict=True)
        ]
        if line.points:
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{line.colour}"/>' for x, y in places
            ]
            continue
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dash = ' stroke-dasharray="5 3"' if line.dashed else ""
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{line.colour}" '
            f'stroke-width="1.5"{dash}/>'
        )
    for i, line in enumerate(lines):
        y, dash = _TOP + 14 + 16 * i, ' stroke-dasharray="5 3"' if line.dashed else ""
        sample = (
            f'<circle cx="{_LEFT + 22}" cy="{y - 4}" r="3" fill="{line.colour}"/>'
            if line.points
            else f'<line x1="{_LEFT + 10}" x2="{_LEFT + 34}" y1="{y - 4}" y2="{y - 4}" '
            f'stroke="{line.colour}" stroke-width="2"{dash}/>'
        )
        parts.append(f'{sample}<text x="{_LEFT + 40}" y="{y}">{escape(line.name)}</text>')
    return _svg(parts, y_label)


def identity_chart(dots: Sequence[Dot], x_label: str, y_label: str) -> str:
    """Points with intervals, and the line on which both axes agree."""
    values = np.array([v for d in dots for v in (d.x, d.low, d.high)])
    both = _range(values, 0.05)
    frame = _Frame(both, both)
    parts = _axes(frame, x_label, y_label)
    (x1, y1), (x2, y2) = frame.at(both[0], both[0]), frame.at(both[1], both[1])
    parts.append(
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#999" '
        'stroke-dasharray="4 3"/>'
    )
    for dot in dots:
        (x, y), (_, low), (_, high) = (frame.at(dot.x, v) for v in (dot.y, dot.low, dot.high))
        parts.append(
            f'<g><title>{escape(dot.name)}</title><line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" '
            f'y2="{high:.1f}" stroke="{dot.colour}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="4" '
            f'fill="{dot.colour}"/><text x="{x + 6:.1f}" y="{y - 5:.1f}">{escape(dot.name)}</text>'
            "</g>"
        )
    return _svg(parts, y_label)


def document(charts: Sequence[str]) -> str:
    """Charts below each other, as a file of its own."""
    placed = "".join(
        chart.replace("<svg ", f'<svg y="{i * _HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" ', 1)
        for i, chart in enumerate(charts)
    )
    height = _HEIGHT * len(charts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="system-ui,sans-serif" font-size="12"><rect width="{_WIDTH}" '
        f'height="{height}" fill="#fff"/>{placed}</svg>\n'
    )


def _range(values: Array, margin: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if low == high:
        # Something has to be about what is all one value.
        half = max(abs(high), 1.0) * 0.05
        low, high = low - half, high + half
    width = high - low
    return low - margin * width, high + margin * width


def _ticks(low: float, high: float) -> list[float]:
    """Two to eight round numbers within."""
    raw = (high - low) / 7
    unit = 10.0 ** np.floor(np.log10(raw))
    step = unit * next(m for m in (1, 2, 5, 10) if raw <= m * unit)
    first = np.ceil(low / step)
    return [float(step * (first + i)) for i in range(int((high - first * step) / step) + 1)]


def _axes(frame: _Frame, x_label: str, y_label: str) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{bottom - _TOP}" '
        'fill="none" stroke="#666"/>'
    ]
    for tick in _ticks(*frame.x):
        x, _ = frame.at(tick, frame.y[0])
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}" stroke="#666"/>'
        )
        parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{tick:.6g}</text>')
    for tick in _ticks(*frame.y):
        _, y = frame.at(frame.x[0], tick)
        parts.append(
            f'<line x1="{_LEFT - 4}" x2="{_LEFT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#666"/>'
        )
        parts.append(f'<text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x_label)}'
        f'</text><text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    return parts


def _svg(parts: Sequence[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )
