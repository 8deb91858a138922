"""The instrument's clock on the host's: offset, drift, and when an exposure really was.

A stamp arrives late by its way over the line and by whatever else the host was doing, never early.
So the true line from device time to host time lies below all points (stamp, arrival), and the best
guess is the line below them all that is nearest to them on the whole: an edge of their lower convex
hull (Moon, Skelly and Towsley, "Estimation and removal of clock skew from network delay
measurements", INFOCOM 1999).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

# Points are the earliest arrivals of so many seconds each, and as many are kept: ten minutes, in
# which a quartz keeps its rate.
_BUCKET_S = 10.0
_BUCKETS = 60
# No quartz is further off; what is, is a clock that was set.
_MOST_DRIFT = 1e-3
_JUMP_S = 0.1
# Later than the line for so long and so often is no hold-up of the host's.
_LATE_S = 0.5
_LATE_FOR_S = 20.0
_LATE_TIMES = 8
# Counters of 32 bits, in us and in ms, begin again at 0.
_WRAPS_US = (2**32, 2**32 * 1000)
_NEEDED = 3


@dataclass(frozen=True)
class Reading:
    """What the instrument's clock says.

    at_s: host's monotonic clock at the stamp, late by the shortest way over the line, which nobody
    can tell from one end; uncertainty_s: of it beyond that; drift_ppm: by how much the instrument's
    clock runs fast, None before there is half a minute of it.
    """

    at_s: float
    uncertainty_s: float
    drift_ppm: float | None


@dataclass(frozen=True)
class _Point:
    device_s: float
    host_s: float


@dataclass(frozen=True)
class _Line:
    """host = host_s + slope * (device - device_s); spread_s: of the points above it, median."""

    device_s: float
    host_s: float
    slope: float
    spread_s: float
    span_s: float

    def at(self, device_s: float) -> float:
        return self.host_s + self.slope * (device_s - self.device_s)


class DeviceClock:
    """Follows one instrument's stamps. Sans-IO."""

    def __init__(self) -> None:
        self._of: object = None
        self._begin()

    def _begin(self) -> None:
        self._last: _Point | None = None
        self._raw_us = self._wrapped_us = 0
        self._forget()

    def _forget(self) -> None:
        self._buckets: deque[_Point] = deque(maxlen=_BUCKETS)
        self._begun_s = 0.0
        self._line: _Line | None = None
        self._late: list[_Point] = []
        self.reading: Reading | None = None

    def hear(self, device_us: int, arrived_s: float, of: object = None) -> str | None:
        """Take note of a stamp; `reading` is that of it. What jumped, in words, or None.

        arrived_s: host's monotonic clock at the last byte; of: serial number and power-on, another
        one begins anew without a word. A stamp of 0 is none.
        """
        if of != self._of:
            self._of = of
            self._begin()
        if device_us <= 0:
            self.reading = None
            return None
        point, told = self._unwrapped(device_us, arrived_s)
        if told is not None:
            self._forget()
        elif len(self._buckets) < _NEEDED and self._early(point):
            # Of a few points any may have been held up: this one is the first that was not.
            self._forget()
        elif (told := self._judged(point)) is not None:
            # Those that were late by the jump were in time by the clock as it runs now.
            late = self._late
            self._forget()
            for earlier in late:
                self._keep(earlier)
        self._last = point
        if not self._late:
            self._keep(point)
        self.reading = self._read(point)
        return told

    def _unwrapped(self, device_us: int, host_s: float) -> tuple[_Point, str | None]:
        """The stamp on a clock without an end; in words, that it went back for another reason."""
        last, back_us = self._last, self._raw_us - device_us
        self._raw_us = device_us
        told = None
        if last is not None and back_us > 0:
            passed_us = (host_s - last.host_s) * 1e6
            for wrap in _WRAPS_US:
                if abs(wrap - back_us - passed_us) < 1e6 + 2 * _MOST_DRIFT * abs(passed_us):
                    self._wrapped_us += wrap
                    break
            else:
                self._wrapped_us = 0
                told = f"the instrument's clock went back by {back_us * 1e-6:.3f} s"
        return _Point((device_us + self._wrapped_us) * 1e-6, host_s), told

    def _early(self, point: _Point) -> bool:
        return self._line is not None and point.host_s < self._line.at(point.device_s) - _JUMP_S

    def _judged(self, point: _Point) -> str | None:
        """In words, why this point cannot be of the clocks as they ran until now."""
        line = self._line
        if line is None or self._last is None:
            return None
        late_s = point.host_s - line.at(point.device_s)
        away_s = max(0.0, abs(point.device_s - line.device_s) - line.span_s / 2)
        leeway_s = _MOST_DRIFT * away_s
        if late_s < -_JUMP_S - leeway_s:
            return f"the instrument's clock is {-late_s:.3f} s ahead of where it should be"
        if late_s <= _LATE_S + leeway_s:
            self._late.clear()
            return None
        self._late.append(point)
        for_s = point.host_s - self._late[0].host_s
        if len(self._late) >= _LATE_TIMES and for_s >= _LATE_FOR_S:
            least_s = min(p.host_s - line.at(p.device_s) for p in self._late)
            return f"the instrument's clock is {least_s:.3f} s behind where it should be"
        if len(self._late) > 1000:
            del self._late[1:500]
        return None

    def _keep(self, point: _Point) -> None:
        """Let the point be its bucket's where none of it came earlier."""
        if not self._buckets or point.host_s - self._begun_s >= _BUCKET_S:
            self._buckets.append(point)
            self._begun_s = point.host_s
        elif self._excess(point) < self._excess(self._buckets[-1]):
            self._buckets[-1] = point
        else:
            return
        self._line = _below(list(self._buckets))

    def _excess(self, point: _Point) -> float:
        slope = 1.0 if self._line is None else self._line.slope
        return point.host_s - slope * point.device_s

    def _read(self, point: _Point) -> Reading | None:
        line = self._line
        if line is None:
            return None
        known = len(self._buckets) >= _NEEDED
        away_s = abs(point.device_s - line.device_s)
        # Two ends that may each be late by the spread tilt the line; a lone point has no slope.
        tilt = 2 * line.spread_s / line.span_s if known and line.span_s else _MOST_DRIFT
        at_s = min(line.at(point.device_s), point.host_s)
        # Without other points, this one may have been held up for as long as anything.
        spread_s = line.spread_s if known else max(line.spread_s, point.host_s - at_s)
        drift = (1 / line.slope - 1) * 1e6 if known else None
        return Reading(at_s, spread_s + tilt * away_s, drift)


def _below(points: list[_Point]) -> _Line:
    """The line below all points that is nearest to them on the whole."""
    hull: list[_Point] = []
    for p in points:
        while len(hull) > 1 and _turns_right(hull[-2], hull[-1], p):
            hull.pop()
        hull.append(p)
    mean = sum(p.device_s for p in points) / len(points)
    span = points[-1].device_s - points[0].device_s
    slope = 1.0
    if len(points) >= _NEEDED:
        # The sum of all heights above an edge is least for the edge below the mean.
        right = min(max(bisect_left([p.device_s for p in hull], mean), 1), len(hull) - 1)
        a, b = hull[right - 1], hull[right]
        slope = (b.host_s - a.host_s) / (b.device_s - a.device_s)
        slope = min(max(slope, 1 - _MOST_DRIFT), 1 + _MOST_DRIFT)
    above = sorted(p.host_s - slope * (p.device_s - mean) for p in points)
    return _Line(mean, above[0], slope, above[len(above) // 2] - above[0], span)


def _turns_right(a: _Point, b: _Point, c: _Point) -> bool:
    """Whether b is not below the line from a to c."""
    return (b.host_s - a.host_s) * (c.device_s - a.device_s) >= (c.host_s - a.host_s) * (
        b.device_s - a.device_s
    )
