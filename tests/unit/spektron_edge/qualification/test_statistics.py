"""Our own statistics against scipy's, and what must hold for any numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from spektron_edge.qualification.comparison import compare, expected_sep, line
from spektron_edge.qualification.control_chart import BASELINE, RULES, chart, usual
from spektron_edge.qualification.distributions import (
    beta_share,
    f_quantile,
    t_quantile,
    t_two_sided,
)
from spektron_edge.qualification.photometry import (
    at_wavelength,
    flatness,
    noise,
    repeatability,
    stability,
    windows,
)

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
AXIS = np.arange(1100.0, 2500.0, 2.0)


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 30, 400])
@pytest.mark.parametrize("t", [0.0, 0.1, 1.0, 2.5, 12.0, 300.0])
def test_t_as_scipy_has_it(freedom, t):
    assert t_two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-9)
    assert t_two_sided(-t, freedom) == t_two_sided(t, freedom)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.975, 0.9995])
@pytest.mark.parametrize("freedom", [1, 2, 5, 60, 1000])
def test_quantiles_as_scipy_has_them(share, freedom):
    assert t_quantile(share, freedom) == pytest.approx(
        stats.t.ppf(share, freedom), rel=1e-8, abs=1e-6
    )
    for below in (1, 4, 19, 500):
        expected = stats.f.ppf(share, freedom, below)
        assert f_quantile(share, freedom, below) == pytest.approx(expected, rel=1e-6)


@given(x=st.floats(0, 1), a=st.floats(0.5, 200), b=st.floats(0.5, 200))
def test_the_incomplete_beta_function(x, a, b):
    from scipy.special import betainc

    assert beta_share(x, a, b) == pytest.approx(betainc(a, b, x), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(("x", "a", "b"), [(-0.1, 1, 1), (1.1, 1, 1), (0.5, 0, 1), (0.5, 1, -1)])
def test_what_it_is_not_defined_for(x, a, b):
    with pytest.raises(ValueError, match="not defined"):
        beta_share(x, a, b)


def test_a_comparison_as_scipy_has_it():
    rng = np.random.default_rng(0)
    reference = rng.uniform(8, 12, 25)
    predicted = reference + 0.1 + 0.2 * rng.standard_normal(25)
    found = compare(predicted, reference)
    expected = stats.ttest_rel(predicted, reference)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    interval = expected.confidence_interval(0.95)
    assert (found.bias.low, found.bias.high) == pytest.approx((interval.low, interval.high))
    fitted = stats.linregress(predicted, reference)
    assert (found.slope.value, found.intercept.value) == pytest.approx(
        (fitted.slope, fitted.intercept)
    )
    t = stats.t.ppf(0.975, 23)
    assert found.slope.high - found.slope.value == pytest.approx(t * fitted.stderr)
    assert found.intercept.high - found.intercept.value == pytest.approx(
        t * fitted.intercept_stderr
    )
    assert found.rmsep**2 == pytest.approx(found.bias.value**2 + found.sep**2 * 24 / 25)
    assert found.upper.value == pytest.approx(found.bias.value + stats.norm.ppf(0.975) * found.sep)


def test_limits_of_agreement_hold_what_they_promise():
    rng, held = np.random.default_rng(1), 0
    for _ in range(200):
        difference = 0.3 + 0.5 * rng.standard_normal(60)
        found = compare(10 + difference, np.full(60, 10.0))
        held += found.upper.low <= 0.3 + stats.norm.ppf(0.975) * 0.5 <= found.upper.high
    assert 0.90 < held / 200 < 0.99


@settings(deadline=None)
@given(
    values=arrays.arrays(np.float64, st.integers(3, 30), elements=st.floats(-1e3, 1e3)),
    shift=st.floats(-100, 100),
)
def test_any_numbers_compare_soundly(values, shift):
    rng = np.random.default_rng(values.size)
    reference = values + rng.standard_normal(values.size)
    found, moved = compare(values, reference), compare(values + shift, reference)
    assert found.bias.low <= found.bias.value <= found.bias.high
    assert 0 <= found.p <= 1
    assert moved.bias.value == pytest.approx(found.bias.value + shift, abs=1e-6)
    assert moved.sep == pytest.approx(found.sep, abs=1e-6)
    assert found.lower.value <= found.bias.value <= found.upper.value


def test_differences_without_scatter():
    same = compare(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert (same.t, same.p, same.sep, same.rmsep) == (0.0, 1.0, 0.0, 0.0)
    aside = compare(np.array([1.1, 2.1, 3.1]), np.array([1.0, 2.0, 3.0]))
    assert (aside.t, aside.p, aside.sep) == (math.inf, 0.0, 0.0)
    assert aside.slope.value == pytest.approx(1.0)
    ties = compare(np.full(4, 2.0), np.array([1.0, 2.0, 3.0, 2.0]))
    assert ties.slope is None
    assert ties.intercept is None
    assert ties.bias.value == 0.0


@pytest.mark.parametrize(
    ("predicted", "reference", "told"),
    [
        ([1.0, 2.0], [1.0, 2.0], "too few"),
        ([1.0, np.nan, 3.0], [1.0, 2.0, 3.0], "no number"),
        ([1.0, 2.0, 3.0], [1.0, np.inf, 3.0], "no number"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], "one reference"),
        ([[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]], "one reference"),
    ],
)
def test_what_cannot_be_compared(predicted, reference, told):
    with pytest.raises(ValueError, match=told):
        compare(np.array(predicted), np.array(reference))


def test_the_expected_error_grows_as_samples_go():
    limits = [expected_sep(0.2, 20, n) for n in (3, 5, 10, 50)]
    assert limits == sorted(limits, reverse=True)
    assert limits[2] == pytest.approx(0.2 * math.sqrt(stats.f.ppf(0.95, 9, 19)))


def test_a_line_needs_three_points_and_two_places():
    with pytest.raises(ValueError, match="too few"):
        line(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    assert line(np.full(5, 0.3), np.arange(5.0)) is None


def test_the_western_electric_rules():
    steady = [0.2, -0.3, 0.4, -0.2, 0.3, -0.4, 0.1, -0.1]
    assert not any(chart(steady, 0.0, 1.0).broken)
    assert chart([*steady, 3.1], 0.0, 1.0).broken[-1] == (RULES[0],)
    assert RULES[1] in chart([*steady, 2.1, 0.0, 2.2], 0.0, 1.0).broken[-1]
    assert not chart([*steady, 2.1, 0.0, -2.2], 0.0, 1.0).broken[-1]
    assert RULES[2] in chart([*steady, 1.1, 1.2, -0.1, 1.3, 1.1], 0.0, 1.0).broken[-1]
    assert RULES[3] in chart([*steady, *[0.2] * 8], 0.0, 1.0).broken[-1]
    assert RULES[3] not in chart([*steady, *[0.2] * 7], 0.0, 1.0).broken[-1]
    assert RULES[3] not in chart([*steady, *[0.0] * 9], 0.0, 1.0).broken[-1]
    # The point after the alarm, back where it should be, breaks none of the four.
    assert RULES[0] not in chart([*steady, 3.1, 0.0], 0.0, 1.0).broken[-1]


def test_a_small_shift_that_stays_shows_in_the_average():
    rng = np.random.default_rng(4)
    found = chart([*rng.standard_normal(20), *(1.2 + 0.3 * rng.standard_normal(15))], 0.0, 1.0)
    assert RULES[4] in found.broken[-1]
    assert RULES[0] not in found.broken[-1]
    assert found.limits[-1] == pytest.approx(3.0 * math.sqrt(0.2 / 1.8), rel=1e-3)


def test_false_alarms_are_rare():
    values = np.random.default_rng(5).standard_normal(20_000)
    broken = chart(list(values), 0.0, 1.0).broken
    # One in about 370 for the first rule, about one in 90 for the four together.
    assert 0.001 < np.mean([RULES[0] in told for told in broken]) < 0.005
    assert np.mean([bool(told) for told in broken]) < 0.03


def test_what_is_usual():
    values = np.random.default_rng(6).normal(10.0, 0.2, 400)
    centre, sigma = usual(list(values))
    assert centre == pytest.approx(10.0, abs=0.05)
    assert sigma == pytest.approx(0.2, rel=0.1)
    with pytest.raises(ValueError, match="what is usual"):
        usual([1.0] * (BASELINE - 1))
    with pytest.raises(ValueError, match="do not scatter"):
        usual([3.0] * BASELINE)
    for values, sigma in (([1.0], 0.0), ([math.nan], 1.0), ([1.0], math.inf)):
        with pytest.raises(ValueError, match="a chart needs"):
            chart(values, 0.0, sigma)


def test_noise_is_found_beside_a_drift():
    rng = np.random.default_rng(7)
    spectra = 1e-4 * rng.standard_normal((40, AXIS.size)) + np.linspace(0, 2e-3, 40)[:, None]
    spectra += 2e-4 * rng.standard_normal(spectra.shape) * (AXIS >= 2400)
    found = noise(spectra, AXIS, 100.0)
    assert [w.start_nm for w in found] == list(range(1100, 2500, 100))
    # Of the drift, 20 times the noise, a step between neighbours is left.
    assert all(w.rms == pytest.approx(math.hypot(1e-4, 3.6e-5), rel=0.1) for w in found[:-1])
    assert found[-1].rms == pytest.approx(math.hypot(1e-4, 3.6e-5, 2e-4), rel=0.1)
    assert all(w.peak_to_peak > 3 * w.rms for w in found)
    with pytest.raises(ValueError, match="two spectra"):
        noise(spectra[:1], AXIS, 100.0)
    with pytest.raises(ValueError, match="shorter"):
        noise(spectra, AXIS, 5000.0)


def test_pieces_that_the_axis_hardly_covers_are_left_out():
    axis = np.arange(1090.0, 1345.0, 1.0)
    assert [(axis[w][0], axis[w][-1]) for w in windows(axis, 100.0)] == [
        (1100.0, 1199.0),
        (1200.0, 1299.0),
    ]


def test_flatness_and_stability():
    tilt = np.linspace(-0.01, 0.01, AXIS.size)
    assert flatness(np.tile(tilt, (3, 1)), AXIS, 100.0) == pytest.approx(0.0093, abs=2e-4)
    at = np.array([0.0, 1800.0, 3600.0])
    found = stability(np.array([0.1, 0.101, 0.102])[:, None] + np.zeros((3, 5)), at)
    assert found.slope.value == pytest.approx(0.002)
    assert found.range == pytest.approx(0.002)
    assert stability(np.zeros((3, 5)), np.zeros(3)).slope is None


def test_absorbance_at_a_wavelength():
    spectrum = 0.3 + 0 * AXIS
    spectrum[AXIS == 1600] = 1.3
    assert at_wavelength(spectrum, AXIS, 1600.0, 0.0) == pytest.approx(1.3)
    assert at_wavelength(spectrum, AXIS, 1600.0, 4.0) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="beyond the axis"):
        at_wavelength(spectrum, AXIS, 900.0, 5.0)


def test_repeatability_within_and_between_fillings():
    rng = np.random.default_rng(8)
    fills = 10 + 0.3 * rng.standard_normal((400, 1)) + 0.1 * rng.standard_normal((400, 5))
    found = repeatability(fills)
    assert found.within == pytest.approx(0.1, rel=0.1)
    assert found.between == pytest.approx(0.3, rel=0.1)
    assert found.total == pytest.approx(math.hypot(0.1, 0.3), rel=0.1)
    alone = repeatability(np.array([[1.0, 2.0, 3.0]]))
    assert (alone.within, alone.between) == (1.0, 0.0)
    with pytest.raises(ValueError, match="two repeats"):
        repeatability(np.ones((3, 1)))
