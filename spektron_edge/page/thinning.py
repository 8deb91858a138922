"""A curve of many points drawn on few: bins of equal time, which hide no outlier."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from .stored import Point


@dataclass(frozen=True)
class Bin:
    """Points that are drawn as one: middle values, with the least and the most among them.

    utc: of the point in the middle; valid: whether all of them are.
    """

    utc: str
    value: float | None
    low: float | None
    high: float | None
    least: float | None
    most: float | None
    valid: bool


def thinned(points: Sequence[Point], most: int) -> tuple[Bin, ...]:
    """At most so many bins. Where there are fewer points, each is one; empty bins are left out."""
    if len(points) <= most:
        return tuple(_bin([point]) for point in points)
    return tuple(_bin(list(group)) for group in _grouped(points, most))


def _grouped(points: Sequence[Point], most: int) -> Iterator[Iterable[Point]]:
    times = [datetime.fromisoformat(p.utc.replace("Z", "+00:00")).timestamp() for p in points]
    first, width = min(times), (max(times) - min(times)) / most
    numbered = (
        (min(most - 1, int((time - first) / width)) if width else 0, point)
        for time, point in zip(times, points, strict=True)
    )
    for _, group in groupby(sorted(numbered, key=lambda at: at[0]), key=lambda at: at[0]):
        yield (point for _, point in group)


def _bin(points: list[Point]) -> Bin:
    values = [p.value for p in points if p.value is not None]
    return Bin(
        utc=points[len(points) // 2].utc,
        value=_middle(values),
        low=_middle([p.low for p in points if p.low is not None]),
        high=_middle([p.high for p in points if p.high is not None]),
        least=min(values, default=None),
        most=max(values, default=None),
        valid=all(p.valid for p in points),
    )


def _middle(values: list[float]) -> float | None:
    return statistics.median(values) if values else None
