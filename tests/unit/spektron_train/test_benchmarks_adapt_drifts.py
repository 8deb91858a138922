"""The drifts of the adaptation benchmark do what their names say, and nothing at size zero."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.adapt_drifts import (
    KINDS,
    STRENGTHS,
    Drift,
    Samples,
    absorption_of_water,
    apply,
    draw,
    effective_path,
)

AXIS = 1100.0 + 2.0 * np.arange(700)
PATH_MM = 0.14


@pytest.fixture(scope="module")
def samples():
    """Two bands of 60 nm width on a floor, five samples with 9 to 13 % water."""
    bands = np.exp(-0.5 * ((AXIS - np.array([[1450.0], [1940.0]])) / 25) ** 2)
    heights = np.linspace(0.2, 0.6, 5)[:, None] * np.array([0.5, 1.0])
    return Samples(0.1 + heights @ bands, AXIS, np.linspace(0.09, 0.13, 5), PATH_MM)


def drifted(samples, kind, size, shape=(1.0, 0.0)):
    return apply(Drift(kind, size, np.array(shape)), samples)


def middle(row):
    """Place of the band at 1940 nm, by its centre of gravity."""
    inside = (AXIS > 1860) & (AXIS < 2020)
    weights = row[inside] - row[inside].min()
    return weights @ AXIS[inside] / weights.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_size_zero_is_the_identity(samples, kind):
    np.testing.assert_allclose(drifted(samples, kind, 0.0), samples.absorbance, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_every_strength_moves_more_than_the_one_before(samples, kind):
    rng = np.random.default_rng(0)
    moved = []
    for strength in range(3):
        drift = draw(kind, strength, rng)
        assert abs(drift.size) == STRENGTHS[kind][strength]
        read = apply(drift, samples)
        assert read.shape == samples.absorbance.shape
        moved.append(np.abs(read - samples.absorbance).max())
    assert 0 < moved[0] < moved[1] < moved[2]


def test_seeds_draw_both_signs_where_both_are_possible():
    signs = {
        kind: {np.sign(draw(kind, 0, np.random.default_rng(seed)).size) for seed in range(20)}
        for kind in KINDS
    }
    assert signs.pop("stray light") == signs.pop("band-pass") == {1.0}
    assert all(found == {-1.0, 1.0} for found in signs.values())


def test_an_axis_that_is_off_moves_bands_by_so_much(samples):
    truth = middle(samples.absorbance[-1])
    assert middle(drifted(samples, "axis shift", 0.5)[-1]) - truth == pytest.approx(0.5, abs=0.02)
    u = np.interp(1940.0, AXIS, np.linspace(-1, 1, 700))
    stretched = middle(drifted(samples, "axis stretch", 1.0)[-1])
    assert stretched - truth == pytest.approx(u, abs=0.03)


def test_widths_of_band_and_line_shape_add_in_squares(samples):
    def width(row):
        weights = 10.0**-row
        weights = weights.max() - weights
        inside = (AXIS > 1700) & (AXIS < 2200)
        at, w = AXIS[inside], weights[inside]
        centre = w @ at / w.sum()
        return w @ (at - centre) ** 2 / w.sum()

    before = width(samples.absorbance[-1])
    for fwhm in (1.0, 5.0, 12.0):
        after = width(drifted(samples, "band-pass", fwhm)[-1])
        assert after - before == pytest.approx((fwhm / 2.3548) ** 2, rel=0.05)


def test_stray_light_hides_what_is_dark(samples):
    lost = samples.absorbance - drifted(samples, "stray light", 0.01)
    assert np.all(lost > 0)
    dark, bright = samples.absorbance[-1].argmax(), samples.absorbance[-1].argmin()
    assert lost[-1, dark] > 3 * lost[-1, bright]


def test_counts_that_are_lost_at_full_scale_make_samples_brighter(samples):
    """The white loses most, so a dark sample seems to have less absorbance."""
    change = drifted(samples, "non-linearity", 0.05) - samples.absorbance
    assert np.all(change < 0)
    np.testing.assert_array_less(-0.05, change)


def test_warm_water_absorbs_at_shorter_waves_and_in_proportion_to_water(samples):
    change = drifted(samples, "temperature", 15.0) - samples.absorbance
    band = (AXIS > 1850) & (AXIS < 2050)
    assert AXIS[band][change[-1, band].argmax()] < AXIS[band][change[-1, band].argmin()]
    size = np.abs(change).max(axis=1)
    assert np.all(np.diff(size) > 0)
    dry = Samples(samples.absorbance, AXIS, np.zeros(5), PATH_MM)
    np.testing.assert_allclose(drifted(dry, "temperature", 15.0), samples.absorbance, atol=1e-12)


def test_a_baseline_holds_no_offset(samples):
    for shape in ((1.0, 0.0), (0.0, 1.0)):
        change = drifted(samples, "curved baseline", 0.01, shape) - samples.absorbance
        assert abs(change[0].mean()) < 1e-4
        assert np.abs(change[0]).max() == pytest.approx(0.01)


def test_the_path_of_water_is_found_again_beside_scatter():
    rng = np.random.default_rng(3)
    water = rng.uniform(0.09, 0.11, 60)
    pure = np.stack([w * absorption_of_water(AXIS, 0.1, 25.0) for w in water])
    floor = 0.3 + 0.2 * np.exp(-0.5 * ((AXIS - 1500) / 40) ** 2)
    spectra = rng.uniform(0.8, 1.2, (60, 1)) * floor + rng.uniform(0, 0.1, (60, 1))
    found = effective_path(spectra + PATH_MM * pure, water, AXIS)
    assert found == pytest.approx(PATH_MM, rel=0.25)
