"""Optics and drift: noise, quantisation, saturation, dark current, lamp, resampling."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.protocol import Position
from firmware_bridge.virtual import Conditions, Flaws, Optics
from firmware_bridge.virtual.drift import Drift
from firmware_bridge.virtual.resample import local_cubic

OPTICS = Optics()
RNG = np.random.default_rng


def quiet(**options):
    return Optics(noise_absorbance=0.0, **options)


def absorbance_noise(absorbance, averages=1, scans=400):
    """Rms per channel of the absorbance of repeated scans against a perfect reference."""
    rng = RNG(1)
    sample = np.full(OPTICS.pixels, absorbance)
    light = OPTICS.white * 10.0**-absorbance
    dark = OPTICS.dark(25.0, 1000)
    seen = [OPTICS.expose(sample, rng, averages=averages).counts for _ in range(scans)]
    values = -np.log10((np.array(seen) - dark) / OPTICS.white)
    assert values.mean() == pytest.approx(-np.log10(light / OPTICS.white).mean(), abs=1e-4)
    return float(np.sqrt(values.var(axis=0, ddof=1).mean()))


def test_noise_at_zero_absorbance_is_1e_4_rms():
    assert absorbance_noise(0.0) == pytest.approx(1e-4, rel=0.05)


def test_noise_grows_as_counts_fall():
    # 80 % of the variance goes with the light, so at A = 1 the absorbance noise is
    # 1e-4 * sqrt(0.8 * 0.1 + 0.2) / 0.1.
    assert absorbance_noise(1.0) == pytest.approx(1e-4 * np.sqrt(0.28) / 0.1, rel=0.05)
    assert absorbance_noise(0.3) > absorbance_noise(0.0)


def test_averaging_divides_the_variance():
    assert absorbance_noise(0.0, averages=4) == pytest.approx(0.5e-4, rel=0.05)


def test_counts_are_sixteen_bit_integers():
    counts = OPTICS.expose(None, RNG(0)).counts
    assert counts.dtype == np.uint16
    assert counts.shape == (720,)


def test_counts_are_the_rounded_physical_level():
    optics = quiet()
    sample = np.linspace(0.0, 2.0, 720)
    level = optics.dark(25.0, 1000) + optics.white * 10**-sample
    counts = optics.expose(sample, RNG(0)).counts
    assert np.abs(counts - level).max() <= 0.5


def test_white_level_and_throughput():
    assert OPTICS.white.max() == pytest.approx(52000)
    share = OPTICS.white / OPTICS.white.max()
    assert share.min() >= 0.55
    assert np.abs(np.diff(share)).max() < 0.01


def test_saturation_is_clipped_and_counted():
    exposure = OPTICS.expose(None, RNG(0), integration_us=2000)
    full = exposure.counts == 65535
    assert exposure.saturated == np.count_nonzero(full) > 100
    assert OPTICS.expose(None, RNG(0)).saturated == 0


def test_integration_scales_light_and_dark():
    optics = quiet()
    once = optics.expose(np.zeros(720), RNG(0)).counts.astype(float)
    half = optics.expose(np.zeros(720), RNG(0), integration_us=500).counts
    assert np.abs(once / 2 - half).max() <= 1


def test_dark_position_and_lamp_off_see_dark_alone():
    optics = quiet()
    dark = np.rint(optics.dark(25.0, 1000))
    assert dark.mean() == pytest.approx(600, rel=0.02)
    shut = optics.expose(None, RNG(0), position=Position.DARK).counts
    off = optics.expose(None, RNG(0), conditions=Conditions(lamp=0.0)).counts
    assert (shut == dark).all()
    assert (off == dark).all()


def test_dark_current_doubles_every_eight_kelvin():
    assert OPTICS.dark(33.0, 1000) == pytest.approx(2 * OPTICS.dark(25.0, 1000))


def test_the_reference_position_ignores_the_sample():
    black = np.full(720, 3.0)
    a = OPTICS.expose(black, RNG(0), position=Position.REFERENCE).counts
    b = OPTICS.expose(None, RNG(0), position=Position.SAMPLE).counts
    assert (a == b).all()


def test_same_seed_same_counts_other_seed_others():
    sample = np.full(720, 0.5)
    a, b, c = (OPTICS.expose(sample, RNG(seed)).counts for seed in (5, 5, 6))
    assert (a == b).all()
    assert (a != c).any()


def test_wavelengths_cover_the_model_grid_and_bend_slightly():
    nm = OPTICS.wavelengths
    assert nm[0] == pytest.approx(1096)
    assert nm[-1] == pytest.approx(2502)
    assert (np.diff(nm) > 0).all()
    straight = np.linspace(1096, 2502, 720)
    assert 1 < np.abs(nm - straight).max() < 5


def test_spectra_reach_the_pixels_and_hold_their_edges():
    axis = np.arange(1100.0, 2499.0, 2.0)
    shape = np.exp(-(((axis - 1900) / 60) ** 2))
    (got,) = OPTICS.on_pixels(shape[None, :], axis)
    true = np.exp(-(((OPTICS.wavelengths - 1900) / 60) ** 2))
    assert np.abs(got - true).max() < 1e-6
    sloped = np.linspace(1.0, 2.0, axis.size)[None, :]
    (got,) = OPTICS.on_pixels(sloped, axis)
    assert got[0] == pytest.approx(1.0)
    assert got[-1] == pytest.approx(2.0)


def test_local_cubic_is_exact_for_cubics_on_an_uneven_axis():
    axis = np.array([0.0, 0.5, 1.7, 2.0, 3.1, 4.0, 4.2, 6.0])
    at = np.linspace(0, 6, 50)

    def cubic(x):
        return 1 + x - 0.5 * x**2 + 0.1 * x**3

    assert local_cubic(axis, cubic(axis), at)[0] == pytest.approx(cubic(at))
    assert local_cubic(axis, cubic(axis), axis)[0] == pytest.approx(cubic(axis))


@pytest.mark.parametrize("axis", [np.arange(3.0), np.array([0.0, 1.0, 1.0, 2.0, 3.0])])
def test_local_cubic_refuses_a_bad_axis(axis):
    with pytest.raises(ValueError, match=r"axis|nodes"):
        local_cubic(axis, np.zeros((1, axis.size)), axis)


def test_the_lamp_drifts_by_about_a_thousandth_in_ten_minutes():
    changes = []
    for seed in range(40):
        drift = Drift.seeded(OPTICS, seed)
        for start in range(0, 40_000, 4_000):
            lamp = [drift.at(start + t, start + t).lamp for t in (0.0, 600.0)]
            changes.append(lamp[1] - lamp[0])
    assert np.sqrt(np.mean(np.square(changes))) == pytest.approx(1e-3, rel=0.3)


def test_drift_is_slow_deterministic_and_slightly_coloured():
    a, b = Drift.seeded(OPTICS, 3), Drift.seeded(OPTICS, 4)
    assert a.at(100, 100) == Drift.seeded(OPTICS, 3).at(100, 100)
    assert a.at(100, 100) != b.at(100, 100)
    assert abs(a.at(100.1, 100.1).lamp - a.at(100, 100).lamp) < 1e-5
    assert 0 < max(abs(a.at(t, t).tilt) for t in range(0, 6000, 60)) < 1e-3
    assert all(abs(a.at(t, t).temperature_c - 25) < 0.1 for t in range(0, 6000, 60))


def test_the_tilt_colours_the_light():
    optics = quiet()
    plain = optics.expose(None, RNG(0)).counts.astype(float)
    tilted = optics.expose(None, RNG(0), conditions=Conditions(tilt=0.01)).counts
    assert tilted[0] < plain[0]
    assert tilted[-1] > plain[-1]


def test_warm_up_rises_to_full_light():
    drift = Drift.seeded(replace(OPTICS, warmup_s=100.0, drift=0.0), 0)
    light = [drift.at(t, t).lamp for t in (0.0, 20.0, 100.0, 1000.0)]
    assert light == sorted(light)
    assert light[0] == pytest.approx(0.95)
    assert light[1] == pytest.approx(1 - 0.05 / np.e)
    assert light[3] == pytest.approx(1.0)
    assert not drift.warm(99.0)
    assert drift.warm(100.0)
    assert Drift.seeded(OPTICS, 0).warm(0.0)


def test_lamp_off_is_dark_in_the_drift_too():
    assert Drift.seeded(OPTICS, 0).at(10.0, None).lamp == 0.0


@given(st.floats(-0.15, 0.15), st.floats(-0.15, 0.15))
def test_a_bent_detector_is_straightened_by_its_polynomial(first, second):
    full = 65535
    polynomial = (1.0, first / full, second / full**2)
    light = np.linspace(0.0, 0.7 * full, 50)
    counts = Flaws(nonlinearity=polynomial).light(light, full)
    divisor = np.polynomial.polynomial.polyval(counts, polynomial)
    np.testing.assert_allclose(counts / divisor, light, rtol=1e-9, atol=1e-6)


def test_flaws_are_where_they_are_said_to_be():
    rng = np.random.default_rng(0)
    flaws = Flaws(dead=(10,), hot=(20,), masked=(0, 1))
    optics = Optics(pixels=40, flaws=flaws, noise_absorbance=0.0)
    clean = Optics(pixels=40, noise_absorbance=0.0)
    white, expected = (o.expose(None, rng).counts.astype(int) for o in (optics, clean))
    dark = clean.expose(None, rng, position=Position.DARK).counts.astype(int)
    different = np.flatnonzero(white != expected)
    np.testing.assert_array_equal(different, [0, 1, 10, 20])
    np.testing.assert_array_equal(white[[0, 1, 10]], dark[[0, 1, 10]])
