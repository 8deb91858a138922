from dataclasses import replace

import numpy as np
import pytest

from spektron_train.data.simulate.domain import DOMAINS, MIR, NIR, RAMAN, wavenumber
from spektron_train.data.simulate.optics import TRUTH, Instrument, random_optics
from spektron_train.data.simulate.stream import EpisodeSettings, EpisodeStream


def ideal(domain=NIR, **changes):
    """An instrument that changes nothing, but for `changes`."""
    optics = random_optics(domain, np.random.default_rng(0), spread=0.0)
    zero = np.zeros(3)
    quiet = {"full_well": 1e18, "read": 0.0, "bits": 60, "stray": 0.0}
    plain = replace(
        optics, axis=zero, baseline=zero, fringe=zero, fwhm_trend=0.0, pitch=1.0, **quiet
    )
    return Instrument(replace(plain, **changes), domain)


def band(centre, width, domain=NIR):
    axis = domain.fine_axis()
    return 0.8 * np.exp(-0.5 * ((axis - centre) / width) ** 2)[None, :]


def seen(instrument, truth, seed=0):
    return instrument.measure(truth, np.random.default_rng(seed))


def test_an_ideal_instrument_shows_the_truth():
    truth = band(1500.0, 40.0)
    expected = np.interp(NIR.grid_axis(), NIR.fine_axis(), truth[0])
    # The narrowest line shape still rounds a peak by a little.
    assert seen(ideal(), truth)[0] == pytest.approx(expected, abs=2e-3)


def test_gain_baseline_and_curve():
    truth = band(1500.0, 40.0)
    plain = seen(ideal(), truth)
    assert seen(ideal(gain=2.0), truth) == pytest.approx(2 * plain, rel=1e-9)
    assert seen(ideal(baseline=np.array([0.1, 0.0, 0.0])), truth) == pytest.approx(plain + 0.1)
    assert seen(ideal(curve=0.1), truth) == pytest.approx(plain + 0.1 * plain**2, abs=1e-3)


def test_the_band_moves_with_the_axis_error():
    truth = band(1500.0, 40.0)
    moved = seen(ideal(axis=np.array([3.0, 0.0, 0.0])), truth)[0]
    axis = NIR.grid_axis()
    assert np.sum(axis * moved) / np.sum(moved) == pytest.approx(1503.0, abs=0.2)


def test_a_wide_line_shape_lowers_and_widens():
    truth = band(1500.0, 6.0)
    sharp, dull = seen(ideal(fwhm=2.0), truth)[0], seen(ideal(fwhm=16.0), truth)[0]
    assert dull.max() < 0.8 * sharp.max()
    # Light is averaged, not absorbance: the area shrinks too.
    assert dull.sum() < sharp.sum()


def test_stray_light_limits_absorbance():
    truth = np.full((1, NIR.fine[2]), 4.0)
    limit = -np.log10(0.01 / 1.01)
    assert seen(ideal(stray=0.01), truth)[0].max() < limit + 0.2


def test_noise_follows_the_light():
    truth = np.zeros((200, NIR.fine[2]))
    truth[100:] = 1.0
    x = seen(ideal(full_well=1e5, averages=1), truth)
    middle = slice(300, 600)
    bright, dark = x[:100, middle].std(axis=0).mean(), x[100:, middle].std(axis=0).mean()
    assert dark / bright == pytest.approx(np.sqrt(10), rel=0.1)


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_every_domain_measures(domain):
    stream = EpisodeStream(domain, EpisodeSettings(samples=6, views=2), seed=3)
    episode = stream.episode(0, 0)
    assert episode.spectra.shape == (2, 6, domain.grid[2])
    assert np.all(np.isfinite(episode.spectra))
    assert episode.optics.shape == (2, TRUTH)
    assert episode.composition.sum(axis=1) == pytest.approx(np.ones(6))


def test_truth_has_about_unit_spread():
    rng = np.random.default_rng(1)
    truths = np.stack([random_optics(NIR, rng).truth(NIR) for _ in range(400)])
    assert np.all(truths.std(axis=0) > 0.4)
    assert np.all(truths.std(axis=0) < 2.0)


def test_an_episode_depends_on_its_numbers_alone():
    settings = EpisodeSettings(samples=4, views=2, windows=((0, 950), (64, 640)))
    one, other = EpisodeStream(NIR, settings, 7), EpisodeStream(NIR, settings, 7)
    other.episode(5, 5)
    for step, index in ((0, 0), (3, 1)):
        a, b = one.episode(step, index), other.episode(step, index)
        assert np.array_equal(a.spectra, b.spectra)
        assert a.first == b.first
    assert not np.array_equal(one.episode(0, 0).composition, one.episode(0, 1).composition)


def test_units():
    assert wavenumber(np.array([1000.0]), "nm") == pytest.approx([10000.0])
    assert wavenumber(np.array([1000.0]), "cm-1") == pytest.approx([1000.0])
    assert MIR.grid_axis()[-1] == pytest.approx(3996.0)
    assert RAMAN.fine_axis()[0] < RAMAN.grid_axis()[0]
