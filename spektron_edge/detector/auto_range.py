"""The longest exposure of the white standard that no pixel is full in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spektron_edge.faults import Fault, Faults

# Of the noise of one exposure the way from the target to full scale has to hold many times; with
# the target at 85 % this is good for a noise of 2 % of full scale.
MOST_EXPOSURES = 24
_CONFIRMED = 4
_NEAR = 0.05
_BEYOND = 0.02
_LONGEST_STEP = 8.0
_BACK = 0.9
_LEAST_LIGHT = 0.1


@dataclass(frozen=True)
class Range:
    """Integrations an instrument takes, us, in steps from 0, and the counts at which its pixels are
    full."""

    least_us: int
    most_us: int
    full_scale: float
    step_us: int = 1

    def allowed(self, integration_us: float) -> int:
        """The longest that is not longer than this; at least the shortest there is."""
        below = int(min(integration_us, self.most_us)) // self.step_us * self.step_us
        return max(below, self.least_us)


@dataclass(frozen=True)
class Seen:
    """One exposure of the white: counts of the brightest good pixel, and whether one was full."""

    peak: float
    full: bool


@dataclass(frozen=True)
class Found:
    """An integration in us, and the share of full scale that the brightest good pixel reaches."""

    integration_us: int
    share: float
    exposures: int


def check_light(found: Found, dark: Seen, limits: Range) -> None:
    """Raise Fault(AUTO_RANGE_FAILED) where most of the counts come without light: a dark current
    grows with the exposure as a light does. dark: an exposure of that integration without light."""
    light = found.share * limits.full_scale - dark.peak
    if dark.full or light < _LEAST_LIGHT * limits.full_scale:
        raise Fault(
            Faults.AUTO_RANGE_FAILED,
            f"too dark: at {found.integration_us} us the white gives {light:.0f} of "
            f"{limits.full_scale:g} counts above dark; check the lamp and the white standard",
        )


class _Asked:
    """Counts exposures, and remembers the longest without and the shortest with a full pixel."""

    def __init__(self, expose: Callable[[int], Seen], limits: Range) -> None:
        self._expose, self.limits = expose, limits
        self.made = 0
        self.below: tuple[int, float] | None = None
        self.full_from_us = limits.most_us + 1
        self.before: tuple[int, float] | None = None

    def at(self, integration_us: int) -> Seen:
        if self.made >= MOST_EXPOSURES:
            told = f"no integration was settled on within {MOST_EXPOSURES} exposures"
            raise Fault(Faults.AUTO_RANGE_FAILED, f"{told}: is the white standard held still?")
        self.made += 1
        seen = self._expose(integration_us)
        if seen.full:
            self.full_from_us = min(self.full_from_us, integration_us)
        elif self.below is None or integration_us != self.below[0]:
            self.before, self.below = self.below, (integration_us, seen.peak)
        return seen


def find_integration(expose: Callable[[int], Seen], limits: Range, share: float) -> Found:
    """Search for the integration that brings the brightest good pixel to `share` of full scale.

    expose: takes one exposure of so many us. Counts are taken as an offset and a light, both not
    negative, that grows with the exposure; it begins at the shortest, so that whatever the
    instrument is pointed at, a full pixel is the exception and never the end. The end is seen in
    four exposures more, none of them full.

    Raises Fault(AUTO_RANGE_FAILED) where even the shortest is too bright, the longest too dark, or
    24 exposures were not enough; and what `expose` raises.
    """
    asked = _Asked(expose, limits)
    target = share * limits.full_scale
    low, high = target * (1 - _NEAR), min(target * (1 + _BEYOND), limits.full_scale)
    wished = limits.least_us
    while True:
        seen = asked.at(wished)
        if not seen.full and low <= seen.peak <= high:
            peak = _confirmed(asked, wished, seen.peak)
            if peak is not None and peak <= high:
                return Found(wished, peak / limits.full_scale, asked.made)
            wished = _shorter(asked, wished, _BACK)
        elif seen.full or seen.peak > high:
            asked.full_from_us = min(asked.full_from_us, wished)
            wished = _shorter(asked, wished, 0.5 if seen.full else target / seen.peak)
        elif wished + limits.step_us > min(limits.most_us, asked.full_from_us - 1):
            return _darkest(asked, wished, seen.peak)
        else:
            wished = _longer(asked, wished, seen.peak, target)


def _confirmed(asked: _Asked, integration_us: int, first: float) -> float | None:
    """The mean peak of five exposures; None where one of them was full."""
    peaks = [first]
    for _ in range(_CONFIRMED):
        seen = asked.at(integration_us)
        if seen.full:
            return None
        peaks.append(seen.peak)
    return sum(peaks) / len(peaks)


def _longer(asked: _Asked, integration_us: int, peak: float, target: float) -> int:
    """An integration nearer to the target, from below.

    In proportion to the counts it never goes too far, whatever part of them is offset; along the
    line through the last two exposures it goes the whole way, where noise leaves the line a slope.
    """
    factor = min(target / max(peak, 1.0), _LONGEST_STEP)
    if asked.before is not None and asked.before[0] < integration_us:
        us, counts = asked.before
        slope = (peak - counts) / (integration_us - us)
        if peak - counts > 0.1 * target:
            factor = max(factor, 1 + (target - peak) / (slope * integration_us))
    wished = max(integration_us + asked.limits.step_us, integration_us * factor)
    return asked.limits.allowed(min(wished, asked.full_from_us - 1))


def _shorter(asked: _Asked, integration_us: int, factor: float) -> int:
    """By a factor, or half the way back to one that was not full, whichever is longer."""
    least = asked.limits.least_us
    if integration_us <= least:
        raise Fault(
            Faults.AUTO_RANGE_FAILED,
            f"too bright even at {least} us, the shortest: dim the lamp or move the standard",
        )
    below = asked.below
    if below is not None and below[0] < integration_us and factor < _BACK:
        half_way = (below[0] + integration_us) / 2
        return asked.limits.allowed(max(half_way, integration_us * factor))
    return asked.limits.allowed(min(integration_us - 1, integration_us * factor))


def _darkest(asked: _Asked, integration_us: int, peak: float) -> Found:
    """The longest there is, where that leaves the brightest pixel below the target."""
    first = asked.before
    light = peak
    if first is not None and first[0] < integration_us:
        # Its offset gives no light, however much there is of it.
        light = integration_us * (peak - first[1]) / (integration_us - first[0])
    if light < _LEAST_LIGHT * asked.limits.full_scale:
        raise Fault(
            Faults.AUTO_RANGE_FAILED,
            f"too dark: at {integration_us} us, the longest, the white gives {light:.0f} of "
            f"{asked.limits.full_scale:g} counts; check the lamp and the white standard",
        )
    confirmed = _confirmed(asked, integration_us, peak)
    if confirmed is None:
        told = f"at {integration_us} us a pixel is full in some exposures and half empty in others"
        raise Fault(Faults.AUTO_RANGE_FAILED, told)
    return Found(integration_us, confirmed / asked.limits.full_scale, asked.made)
