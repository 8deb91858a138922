from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.detector.device_clock import DeviceClock

WAY_S = 0.004


class Pair:
    """Two clocks: host time t is device time (t - zero) * (1 + drift), and stamps arrive late."""

    def __init__(self, seed, drift_ppm=0.0, jitter_s=0.003, wrap_us=None, zero_s=1000.0):
        self.rng = np.random.default_rng(seed)
        self.rate = 1 + drift_ppm * 1e-6
        self.jitter_s, self.wrap_us, self.zero_s = jitter_s, wrap_us, zero_s
        self.clock = DeviceClock()
        self.ahead_s = 0.0
        self.told = []

    def stamp(self, t):
        us = round(((t - self.zero_s) * self.rate + self.ahead_s) * 1e6)
        return us % self.wrap_us if self.wrap_us else us

    def run(self, start_s, end_s, every_s=0.5, held_up_s=0.0):
        """Errors of the readings in between, and their uncertainties, in s."""
        errors, claimed = [], []
        for t in np.arange(start_s, end_s, every_s):
            late = WAY_S + held_up_s + self.rng.exponential(self.jitter_s)
            told = self.clock.hear(self.stamp(t), t + late, "one")
            if told:
                self.told.append(told)
            errors.append(self.clock.reading.at_s - WAY_S - t)
            claimed.append(self.clock.reading.uncertainty_s)
        return np.array(errors), np.array(claimed)


seeds = st.integers(0, 2**32 - 1)
drifts = st.floats(-200, 200)


@settings(max_examples=40, deadline=None)
@given(seeds, drifts, st.floats(1e-5, 0.02))
def test_offset_and_drift_are_found(seed, drift, jitter):
    pair = Pair(seed, drift, jitter)
    pair.run(1001.0, 1601.0)
    errors, claimed = pair.run(1601.0, 1901.0)
    assert pair.told == []
    # Of twenty arrivals in each bucket the earliest is late by a twentieth of the jitter.
    assert np.max(np.abs(errors)) < jitter + 1e-5
    assert np.median(np.abs(errors)) < 0.25 * jitter + 1e-5
    assert np.mean(np.abs(errors) <= 3 * claimed + 1e-5) > 0.9
    assert abs(pair.clock.reading.drift_ppm - drift) < 1e6 * 2 * jitter / 600 + 0.5


@settings(max_examples=25, deadline=None)
@given(seeds, drifts)
def test_before_the_drift_is_known_a_reading_is_worth_its_arrival(seed, drift):
    pair = Pair(seed, drift)
    errors, claimed = pair.run(1001.0, 1040.0)
    assert np.all(np.abs(errors) <= claimed + 25 * pair.jitter_s)


@settings(max_examples=20, deadline=None)
@given(seeds, drifts, st.sampled_from([2**32, 2**32 * 1000]))
def test_a_counter_that_begins_again_is_no_jump(seed, drift, wrap):
    pair = Pair(seed, drift, wrap_us=wrap, zero_s=1200.3 - wrap * 1e-6)
    errors, _ = pair.run(1001.0, 1501.0)
    assert pair.told == []
    assert np.max(np.abs(errors[100:])) < 0.02


@settings(max_examples=25, deadline=None)
@given(seeds, drifts, st.floats(0.7, 1e5), st.booleans())
def test_a_jump_is_told_and_the_clock_begun_anew(seed, drift, size, ahead):
    pair = Pair(seed, drift, zero_s=-2e5)
    pair.run(1001.0, 1301.0)
    pair.ahead_s = size if ahead else -size
    pair.run(1301.0, 1341.0)
    assert len(pair.told) == 1
    assert "the instrument's clock" in pair.told[0]
    errors, _ = pair.run(1341.0, 1641.0)
    assert len(pair.told) == 1
    assert np.max(np.abs(errors)) < 10 * pair.jitter_s
    assert abs(pair.clock.reading.drift_ppm - drift) < 100


@settings(max_examples=20, deadline=None)
@given(seeds, drifts, st.floats(1.0, 5000.0))
def test_a_host_that_slept_is_a_jump_of_the_instruments_clock(seed, drift, slept):
    pair = Pair(seed, drift)
    pair.run(1001.0, 1301.0)
    # The host's monotonic clock stands still meanwhile.
    pair.zero_s -= slept
    errors, _ = pair.run(1301.0, 1311.0)
    assert len(pair.told) == 1
    assert "ahead" in pair.told[0]
    assert np.max(np.abs(errors)) < 10 * pair.jitter_s


@settings(max_examples=20, deadline=None)
@given(seeds, drifts, st.floats(0.0, 3.0))
def test_a_hold_up_of_the_host_moves_nothing(seed, drift, held_up):
    pair = Pair(seed, drift)
    pair.run(1001.0, 1601.0)
    errors, _ = pair.run(1601.0, 1611.0, held_up_s=held_up)
    assert pair.told == []
    assert np.max(np.abs(errors)) < 5 * pair.jitter_s
    errors, _ = pair.run(1611.0, 1700.0)
    assert pair.told == []
    assert np.max(np.abs(errors)) < 5 * pair.jitter_s


def test_a_first_stamp_that_was_held_up_is_no_jump():
    pair = Pair(3)
    pair.run(1001.0, 1001.4, held_up_s=2.0)
    errors, _ = pair.run(1001.5, 1100.0)
    assert pair.told == []
    assert np.max(np.abs(errors)) < 10 * pair.jitter_s


def test_another_power_on_begins_anew_without_a_word():
    clock = DeviceClock()
    assert clock.hear(5_000_000, 100.0, ("a", 1)) is None
    assert clock.hear(1_000, 101.0, ("a", 2)) is None
    assert clock.reading.at_s == pytest.approx(101.0)


def test_no_stamp_gives_no_reading():
    clock = DeviceClock()
    assert clock.hear(0, 100.0) is None
    assert clock.reading is None


def test_a_first_stamp_is_as_good_as_its_arrival():
    clock = DeviceClock()
    clock.hear(7, 100.0)
    assert clock.reading.at_s == 100.0
    assert clock.reading.drift_ppm is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**63), 2**64), st.floats(-1e9, 1e9)), max_size=60))
def test_whatever_stamps_come_nothing_breaks(stamps):
    clock = DeviceClock()
    for device_us, arrived_s in stamps:
        clock.hear(device_us, arrived_s)
        if clock.reading is not None:
            assert np.isfinite(clock.reading.at_s)
            assert clock.reading.uncertainty_s >= 0
