from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.detector.auto_range import (
    MOST_EXPOSURES,
    Found,
    Range,
    Seen,
    check_light,
    find_integration,
)
from spektron_edge.faults import Fault, Faults

PIXELS = 12
LATER = 100


class Detector:
    """Counts of a white: an offset, a dark current and a light, bent, with noise, clipped."""

    def __init__(self, seed, full=65535.0, offset=500.0, rate=40.0, noise=50.0, bend=0.0):
        self.rng = np.random.default_rng(seed)
        self.full, self.offset, self.noise, self.bend = full, offset, noise, bend
        self.rates = rate * self.rng.uniform(0.3, 1.0, PIXELS)
        self.asked = []

    def counts(self, us):
        light = self.rates * us / self.full
        # Less and less, or more and more, of the light is counted near full scale.
        light = light / (1 + self.bend * light) * self.full
        return self.offset + light + self.noise * self.rng.standard_normal(PIXELS)

    def expose(self, us):
        self.asked.append(us)
        counts = np.rint(self.counts(us))
        return Seen(float(min(counts.max(), self.full)), bool(np.any(counts >= self.full)))


draws = {
    "seed": st.integers(0, 2**32 - 1),
    "full": st.sampled_from([4095.0, 16383.0, 65535.0, 1_048_575.0]),
    "offset": st.floats(0.0, 0.3),
    "longest": st.floats(0.5, 6.0),
    "noise": st.floats(0.0, 0.02),
    "bend": st.floats(-0.1, 0.3),
}


def detector_of(seed, full, offset, longest, noise, bend):
    """longest: decades of us until the brightest pixel is full."""
    return Detector(seed, full, offset * full, full / 10**longest, noise * full, bend)


@settings(max_examples=300, deadline=None)
@given(**draws)
def test_what_is_found_never_saturates(**drawn):
    detector = detector_of(**drawn)
    limits = Range(10, 85_000_000, detector.full)
    found = None
    with contextlib.suppress(Fault):
        found = find_integration(detector.expose, limits, 0.85)
    if found is None:
        return
    assert not any(detector.expose(found.integration_us).full for _ in range(LATER))
    assert found.exposures <= MOST_EXPOSURES
    assert found.integration_us == detector.asked[found.exposures - 1]


@settings(max_examples=200, deadline=None)
@given(**{**draws, "longest": st.floats(2.5, 6.0), "noise": st.floats(0.0, 0.005)})
def test_where_there_is_an_integration_it_is_found(**drawn):
    detector = detector_of(**drawn)
    found = find_integration(detector.expose, Range(10, 85_000_000, detector.full), 0.85)
    peak = max(detector.counts(found.integration_us).max() for _ in range(5)) / detector.full
    assert 0.75 < peak < 0.95
    assert math.isclose(found.share, peak, abs_tol=0.06)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_linear_detector_is_never_overexposed_on_the_way(seed):
    detector = Detector(seed, noise=20.0)
    find_integration(detector.expose, Range(10, 1_000_000, detector.full), 0.85)
    assert not any(detector.counts(us).max() >= detector.full for us in detector.asked)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 20.0), st.sampled_from([1000, 250, 7]))
def test_only_what_the_instrument_takes_is_asked_for(seed, rate, step):
    detector = Detector(seed, rate=rate, noise=20.0)
    limits = Range(3 * step, 65_535_000 // step * step, detector.full, step)
    with contextlib.suppress(Fault):
        find_integration(detector.expose, limits, 0.85)
    assert all(us % step == 0 and limits.least_us <= us <= limits.most_us for us in detector.asked)


def test_an_instrument_of_one_exposure_keeps_it():
    found = find_integration(Detector(1).expose, Range(635, 635, 65535.0), 0.85)
    assert found.integration_us == 635


def test_too_bright_even_at_the_shortest_is_refused():
    detector = Detector(1, rate=1e6)
    with pytest.raises(Fault, match="too bright even at 10 us"):
        find_integration(detector.expose, Range(10, 1000, detector.full), 0.85)


@pytest.mark.parametrize("offset", [0.0, 20_000.0])
def test_too_dark_even_at_the_longest_is_refused(offset):
    detector = Detector(1, rate=1.0, offset=offset)
    with pytest.raises(Fault, match="too dark: at 1000 us"):
        find_integration(detector.expose, Range(10, 1000, detector.full), 0.85)


def test_the_longest_is_taken_where_it_gives_light_enough():
    detector = Detector(1, rate=30.0, noise=5.0)
    found = find_integration(detector.expose, Range(10, 1000, detector.full), 0.85)
    assert found.integration_us == 1000
    assert 0.2 < found.share < 0.6


def test_a_light_that_flickers_ends_after_a_bounded_number():
    seen = iter(np.resize([0.1, 0.9], 10 * MOST_EXPOSURES))
    asked = []

    def expose(us):
        asked.append(us)
        return Seen(float(next(seen)) * 1000, full=False)

    with pytest.raises(Fault) as caught:
        find_integration(expose, Range(10, 10**6, 1000.0), 0.85)
    assert caught.value.kind is Faults.AUTO_RANGE_FAILED
    assert len(asked) <= MOST_EXPOSURES


@pytest.mark.parametrize(("peak", "full"), [(60_000.0, False), (100.0, True)], ids=str)
def test_a_dark_current_is_no_light(peak, full):
    limits, found = Range(10, 10**6, 65535.0), Found(1000, 0.85, 9)
    check_light(found, Seen(600.0, full=False), limits)
    with pytest.raises(Fault, match="above dark"):
        check_light(found, Seen(peak, full), limits)
