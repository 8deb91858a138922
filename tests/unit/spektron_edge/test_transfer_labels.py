"""Labels of transfer samples, two channels, and what is expected of differences."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from spektron_edge.transfer import fit
from spektron_edge.transfer.alignment import AsMeasured
from spektron_edge.transfer.evaluation import Recipe, evaluate
from spektron_edge.transfer.filters import filters_for
from spektron_edge.transfer.photometer import photometer, two_channels
from spektron_edge.transfer.problem import Problem
from spektron_edge.transfer.spread_law import expected_variance, principal

pytestmark = pytest.mark.numerics

AXIS = np.arange(1100.0, 1400.0, 3.0)


def spectra(rng, n):
    """Samples of six overlapping bands (n, 100)."""
    bands = np.exp(-0.5 * ((AXIS - np.linspace(1120, 1380, 6)[:, None]) / 30) ** 2)
    return 0.5 + rng.random((n, 6)) @ bands


def pairs(n, y, source, target):
    """A problem whose transfer samples are no samples of the source."""
    nothing = np.empty((0, AXIS.size))
    labels, library = y[-n:], np.full(n, -1)
    return Problem(source[:-n], y[:-n], AXIS, source[-n:], target[-n:], labels, library, nothing)


def r2(predicted, truth):
    return 1 - np.sum((predicted - truth) ** 2, 0) / np.sum((truth - truth.mean(0)) ** 2, 0)


def test_two_channels_are_the_best_of_all_pairs():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((9, 7)), rng.standard_normal((9, 2))
    x[:, 3] = 1.0
    slopes, offset = two_channels(x, y)
    for j in range(2):
        left = {}
        for pair in combinations(range(7), 2):
            a = np.c_[np.ones(9), x[:, pair]]
            left[pair] = np.sum((y[:, j] - a @ np.linalg.lstsq(a, y[:, j], rcond=None)[0]) ** 2)
        best = min(left, key=left.get)
        assert tuple(np.flatnonzero(slopes[:, j])) == best
        error = y[:, j] - x @ slopes[:, j] - offset[j]
        np.testing.assert_allclose(np.sum(error**2), left[best], rtol=1e-9)


def test_where_no_two_channels_differ_the_mean_is_told():
    y = np.arange(5.0)[:, None]
    for x in (np.ones((5, 4)), np.arange(5.0)[:, None] * np.ones(4)):
        slopes, offset = two_channels(x, y)
        np.testing.assert_array_equal(slopes, 0)
        np.testing.assert_allclose(offset, 2.0)


def test_two_channels_are_looked_for_anew_without_each_sample():
    rng = np.random.default_rng(1)
    x = spectra(rng, 40)
    y = rng.standard_normal((40, 2))
    found = photometer(pairs(9, y, x, x + 0.1), np.ones(9))
    slopes, offset = two_channels(x[-9:-1] + 0.1, y[-9:-1])
    np.testing.assert_allclose(found.target_error[-1], y[-1] - (x[-1] + 0.1) @ slopes - offset)


@pytest.mark.parametrize("channels", [100, 2100])
def test_many_channels_are_thinned(channels):
    rng = np.random.default_rng(2)
    axis = np.linspace(1100, 1400, channels)
    x = rng.standard_normal((20, channels))
    y = x[:, [3]] - x[:, [33]]
    nothing = np.empty((0, channels))
    problem = Problem(x, y, axis, x[:10], x[:10], y[:10], np.full(10, -1), nothing)
    found = photometer(problem, np.ones(10))
    np.testing.assert_allclose(found.predictor.predict(x), y, atol=1e-9)


def exact(rng, n=70):
    """Two properties: of two target absorbances alone, and of all that the source sees as well."""
    source = spectra(rng, n)
    target = source + 0.02 * spectra(rng, n)
    y = np.c_[9 * target[:, 40] - 7 * target[:, 71], source @ np.sin(AXIS)]
    source = source + 1e-3 * rng.standard_normal(source.shape)
    return source, target, y + np.array([0.0, 0.02]) * rng.standard_normal(y.shape)


@pytest.mark.parametrize("seed", range(3))
def test_a_property_of_two_absorbances_of_the_target_is_found_by_ten_labels(seed):
    source, target, y = exact(np.random.default_rng(seed))
    transfer = fit(source[:40], AXIS, y[:40], source[:10], target[:10], AXIS)
    without = fit(source[:40], AXIS, y[:40], source[:10], target[:10], AXIS, library_labels=False)
    with_labels = r2(transfer.predict(target[40:]), y[40:])
    plain = r2(without.predict(target[40:]), y[40:])
    assert with_labels[0] > 0.999999 > plain[0]
    assert with_labels[1] > plain[1] - 0.05
    assert transfer.predicted_rmsep[0] < 1e-3


def test_labels_of_other_samples_do_not_ruin_it():
    source, target, y = exact(np.random.default_rng(5))
    dealt = y[np.roll(np.arange(12), 5)]
    transfer = fit(source[12:40], AXIS, y[12:40], source[:12], target[:12], AXIS, dealt)
    assert np.all(r2(transfer.predict(target[40:]), y[40:]) > 0.8)


def test_a_power_law_of_variances_is_found_from_few_differences():
    rng = np.random.default_rng(3)
    samples = np.geomspace(1, 1e-7, 50)
    for power in (0.2, 0.6, 1.0):
        truth = 0.03 * samples**power
        shown = truth * rng.chisquare(4, 50) / 4
        ratio = expected_variance(samples, shown) / truth
        assert np.all((ratio > 1 / 3) & (ratio < 3))


def test_where_the_source_does_not_vary_the_last_variance_is_expected():
    samples = np.r_[np.geomspace(1, 1e-4, 10), 0.0, 0.0]
    found = expected_variance(samples, np.r_[0.1 * samples[:10], 0.0, 0.0])
    assert np.all(np.diff(found) <= 0)
    assert found[-1] == found[-2] > 0


def test_without_differences_none_are_expected():
    np.testing.assert_array_equal(expected_variance(np.ones(4), np.zeros(4)), 0)


def test_principal_components_are_those_of_the_samples():
    x = np.random.default_rng(4).standard_normal((30, 5)) * [1, 5, 2, 4, 3]
    variance, directions = principal(x)
    np.testing.assert_allclose(
        directions.T @ (x.T @ x / 30) @ directions, np.diag(variance), atol=1e-9
    )
    assert np.all(np.diff(variance) < 0)


def test_pairs_not_seen_move_less_when_differences_are_expected():
    """Source spectra read best in a weak band, where instruments differ as in any other band."""
    rng = np.random.default_rng(6)
    bands = np.exp(-0.5 * ((AXIS - np.linspace(1120, 1380, 12)[:, None]) / 15) ** 2)
    moved = {0.0: 0.0, 1.0: 0.0}
    for _ in range(6):
        amounts = rng.standard_normal((60, 12)) * np.geomspace(1, 0.03, 12)
        y = amounts[:, :1].copy()
        amounts[:, 0] += 0.1 * rng.standard_normal(60)
        amounts[:, 11] = 0.03 * y[:, 0]
        source = amounts @ bands + 1e-4 * rng.standard_normal((60, AXIS.size))
        target = source + 0.02 * rng.standard_normal((60, 12)) @ bands
        for expected in moved:
            recipe = Recipe(AsMeasured(), filters_for(AXIS.size)[0], expected=expected)
            found = evaluate(pairs(4, y, source, target), (recipe,), np.ones(4))[0]
            moved[expected] += float(np.mean(found.moved[0] ** 2))
    assert moved[1.0] < 0.9 * moved[0.0]
