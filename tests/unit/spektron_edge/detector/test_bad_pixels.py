from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.coadding import Coadd
from firmware_bridge.protocol import Position
from firmware_bridge.virtual import Optics
from spektron_edge.detector.bad_pixels import BadPixels, configured, dead, hot, noisy
from spektron_edge.faults import Fault, Faults

P = 200
AXIS = np.linspace(1100.0, 2300.0, P) + 20 * np.sin(np.linspace(0, 3, P))
FULL = 65535
NONE = np.zeros(P, np.bool_)


def mask(*indices):
    found = NONE.copy()
    found[list(indices)] = True
    return found


def bad(*indices):
    return BadPixels.of(AXIS, {"configured": mask(*indices)})


def bridged(found, values):
    out = values.copy()
    found.bridge(out)
    return out


scattered = st.sets(st.integers(0, P - 1), min_size=1, max_size=10).filter(
    lambda s: not any({i, i + 1, i + 2, i + 3, i + 4} <= s for i in s)
)


@given(scattered, st.floats(-1, 1), st.floats(-1e-3, 1e-3))
def test_a_straight_line_is_restored_exactly(indices, start, slope):
    line = start + slope * AXIS
    broken = np.where(mask(*indices), np.nan, line)
    found = bridged(bad(*indices), broken)
    inner = ~np.isin(np.arange(P), [*range(5), *range(P - 5, P)])
    np.testing.assert_allclose(found[inner], line[inner], atol=1e-9)
    assert np.all(np.isfinite(found))


@given(scattered)
def test_what_is_good_stays_as_it_is(indices):
    values = np.sin(AXIS)
    found = bad(*indices)
    np.testing.assert_array_equal(bridged(found, values)[~found.bad], values[~found.bad])
    np.testing.assert_array_equal(found.bad, mask(*indices))


@settings(max_examples=20, deadline=None)
@given(scattered, st.integers(0, 2**32 - 1))
def test_the_variance_is_that_of_many_draws(indices, seed):
    variance = 1.0 + np.linspace(0, 3, P)
    draws = np.random.default_rng(seed).standard_normal((20_000, P)) * np.sqrt(variance)
    found = bad(*indices)
    at = np.flatnonzero(found.bad)
    expected = variance.copy()
    found.bridge_variance(expected)
    drawn = np.array([bridged(found, row)[at] for row in draws[:5000]]).var(axis=0)
    np.testing.assert_allclose(drawn, expected[at], rtol=0.15)


def test_at_the_ends_the_nearest_good_pixel_holds():
    values = np.arange(P, dtype=np.float64)
    found = bridged(bad(0, 1, P - 1), values)
    assert (found[0], found[1], found[-1]) == (2.0, 2.0, P - 2.0)


@pytest.mark.parametrize("indices", [range(50, 55), range(0, P, 10)], ids=["wide", "many"])
def test_what_cannot_be_bridged_is_a_fault_that_names_the_pixels(indices):
    with pytest.raises(Fault) as caught:
        bad(*indices)
    assert caught.value.kind is Faults.BAD_PIXELS
    assert f"configured {next(iter(indices))} (" in caught.value.detail


def test_the_configuration_names_pixels_and_ranges():
    found = configured([3], [(AXIS[10], AXIS[12])], AXIS)
    np.testing.assert_array_equal(np.flatnonzero(found), [3, 10, 11, 12])


@pytest.mark.parametrize(
    ("indices", "ranges"), [([P], []), ([-1], []), ([], [(3000.0, 3001.0)])], ids=str
)
def test_pixels_that_are_not_there_are_refused(indices, ranges):
    with pytest.raises(Fault) as caught:
        configured(indices, ranges, AXIS)
    assert caught.value.kind is Faults.BAD_PIXELS


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    noise=st.floats(1e-5, 5e-3),
    white=st.floats(5e3, 6e4),
    level=st.floats(50, 3000),
    temperature=st.floats(5, 40),
)
def test_nothing_is_found_in_a_sound_detector(seed, noise, white, level, temperature):
    optics = Optics(
        pixels=P,
        noise_absorbance=noise,
        white_counts=white,
        dark_counts=level,
        temperature_c=temperature,
    )
    rng = np.random.default_rng(seed)
    means, variances = [], []
    for position in (Position.DARK, Position.REFERENCE):
        coadd = Coadd(P)
        for _ in range(8):
            coadd.add(optics.expose(None, rng, position=position).counts.astype(np.float64))
        means.append(coadd.mean)
        variances.append(coadd.variance_of_mean)
    assert not np.any(hot(means[0], NONE, FULL))
    assert not np.any(dead(*means, NONE, FULL))
    for variance in variances:
        assert not np.any(noisy(variance, NONE, 8, FULL))


@settings(max_examples=60, deadline=None)
@given(indices=scattered, seed=st.integers(0, 2**32 - 1))
def test_hot_dead_and_noisy_pixels_are_found_and_no_others(indices, seed):
    rng = np.random.default_rng(seed)
    optics = Optics(pixels=P)
    dark = optics.expose(None, rng, position=Position.DARK).counts.astype(np.float64)
    white = optics.expose(None, rng, position=Position.REFERENCE).counts.astype(np.float64)
    wanted = mask(*indices)
    np.testing.assert_array_equal(
        hot(np.where(wanted, dark + rng.uniform(3000, 60_000, P), dark), NONE, FULL), wanted
    )
    np.testing.assert_array_equal(
        dead(dark, np.where(wanted, dark + rng.uniform(-5, 5, P), white), NONE, FULL), wanted
    )
    variance = rng.chisquare(7, P) / 7
    np.testing.assert_array_equal(noisy(np.where(wanted, 1000.0, variance), NONE, 8, FULL), wanted)


def test_known_pixels_are_not_found_again_and_speak_for_no_neighbour():
    dark = np.full(P, 600.0)
    dark[[20, 21]] = 40_000.0
    np.testing.assert_array_equal(hot(dark, mask(20), FULL), mask(21))
    assert not np.any(hot(dark, ~NONE, FULL))


def test_where_the_light_ends_no_pixel_is_dead():
    white = 600 + 5e4 * np.exp(-(((np.arange(P) - 120) / 25.0) ** 2))
    assert not np.any(dead(np.full(P, 600.0), white, NONE, FULL))


@given(st.integers(0, 2**32 - 1))
def test_without_light_no_pixel_is_dead(seed):
    dark, white = np.random.default_rng(seed).normal(600, 20, (2, P))
    assert not np.any(dead(dark, white, NONE, FULL))


def test_few_exposures_say_nothing_of_noise():
    assert not np.any(noisy(np.where(mask(5), 1e6, 1.0), NONE, 3, FULL))
    assert np.any(noisy(np.where(mask(5), 1e6, 0.0), NONE, 16, FULL))
    assert not np.any(noisy(np.where(mask(5), 1.0, 0.0), NONE, 16, FULL))
