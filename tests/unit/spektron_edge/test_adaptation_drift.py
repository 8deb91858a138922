"""Whether a stream has left the source: ranks, runs, thinning, and what they tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.adaptation.array_file import npz
from spektron_edge.adaptation.correction import TERMS, Correction
from spektron_edge.adaptation.cusum import Ranks, run_length, threshold
from spektron_edge.adaptation.drift import DriftWatch
from spektron_edge.adaptation.gauge import gauge
from spektron_edge.adaptation.runs import Runs, Thinned
from spektron_edge.adaptation.yardstick import (
    STATISTICS,
    calibrate,
    from_arrays,
    read_yardstick,
    to_arrays,
    yardstick_of,
)
from spektron_edge.prediction.diagnostics import ApplicabilityModel
from tests import bundles

STEP = bundles.GRID.step_nm
FALSE_ALARMS = 1e-3


@pytest.fixture(scope="module")
def model():
    return ApplicabilityModel.from_arrays(
        {k: v for k, v in bundles.source_arrays().items() if k.startswith("pca")}
    )


def latents(x):
    return bundles.expected(x)["z_inst"].astype(np.float32)


@pytest.fixture(scope="module")
def yardstick(model):
    x = bundles.spectra(60)
    return calibrate(model, x, latents(x), STEP)


def gauges(yardstick, x):
    return [gauge(yardstick.domain, *pair) for pair in zip(x, latents(x), strict=True)]


def changed(x, **terms):
    coefficients = np.array([terms.get(name, 0.0) for name in TERMS])
    return Correction(coefficients, np.zeros(x.shape[1]), STEP * np.arange(x.shape[1])).apply(x)


def until_told(yardstick, x):
    """How many samples it takes; None where it is not told."""
    watch = DriftWatch(yardstick.ranks)
    for i, measured in enumerate(gauges(yardstick, x)):
        if watch.take(measured, (0, i)) is not None:
            return i + 1
    return None


# ---- the sum


def test_run_lengths_are_those_of_a_simulation():
    n, most = 20, 2.0
    rng = np.random.default_rng(1)
    gaps = np.full(n + 1, 1 / (n + 1))
    ranks = Ranks(np.sort(rng.random(n)), most)
    steps = np.array([ranks.step(v) for v in [-1.0, *(ranks.values + 1e-9)]])
    lengths = []
    for _ in range(400):
        total, count = 0.0, 0
        while total <= most:
            total, count = max(0.0, total + steps[rng.integers(n + 1)]), count + 1
        lengths.append(count)
    expected = run_length(gaps, most)
    assert np.mean(lengths) == pytest.approx(expected, abs=4 * expected / np.sqrt(400))


@pytest.mark.numerics
def test_rarer_false_alarms_and_smaller_sources_ask_for_more():
    assert threshold(60, 1e-5) >= threshold(60, 1e-4) >= threshold(60, 1e-2)
    assert threshold(30, 1e-4) >= threshold(200, 1e-4)


def test_a_source_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="too few"):
        threshold(9, 1e-4)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_value_has_a_bounded_step_and_none_is_above_all(value):
    ranks = Ranks(np.linspace(0, 1, 30), 5.0)
    assert -5 < ranks.step(value) <= ranks.step(2.0) == ranks.step(float("nan"))


@pytest.mark.numerics
def test_false_alarms_are_as_rare_as_promised_whatever_the_distribution():
    """Over source sets: heavy tails, one false alarm in a thousand asked for."""
    rng = np.random.default_rng(2)
    most, alarms, length = threshold(60, FALSE_ALARMS), 0, 2000
    for _ in range(30):
        ranks = Ranks(np.sort(rng.standard_cauchy(60)), most)
        total = 0.0
        for value in rng.standard_cauchy(length):
            total = max(0.0, total + ranks.step(value))
            if total > most:
                alarms, total = alarms + 1, 0.0
    # 60 are expected, and come in clusters with unlucky source sets.
    assert alarms <= 110


# ---- a stream


def test_the_source_s_own_kind_is_no_drift(yardstick):
    assert until_told(yardstick, bundles.spectra(400, seed=9)) is None


@pytest.mark.parametrize(
    ("terms", "statistic"),
    [({"shift": 2.0}, "wavelength_down"), ({"shift": -2.0}, "wavelength_up")],
)
def test_a_wavelength_error_is_told_in_nm_and_points_to_the_instrument(yardstick, terms, statistic):
    x = changed(bundles.spectra(60, seed=9), **terms)
    watch, drift = DriftWatch(yardstick.ranks), None
    for i, measured in enumerate(gauges(yardstick, x)):
        drift = watch.take(measured, (3, i), i) or drift
    assert statistic in drift.telling
    assert drift.evidence_kind == "instrument"
    assert drift.since[0] == 3
    assert drift.since[1] <= 2
    sizes = [g.wavelength_nm for g in gauges(yardstick, x)]
    assert np.mean(sizes) == pytest.approx(-terms["shift"], rel=0.2)


def test_samples_of_unusual_contents_do_not_point_to_the_instrument(yardstick):
    x = bundles.spectra(60, seed=9)
    mean = x.mean(axis=0)
    watch = DriftWatch(yardstick.ranks)
    for i, measured in enumerate(gauges(yardstick, mean + 4 * (x - mean))):
        watch.take(measured, (0, i))
    assert watch.drift is not None
    assert not {"wavelength_up", "wavelength_down"} & set(watch.drift.telling)


def test_single_outliers_are_no_drift(yardstick):
    x = bundles.spectra(200, seed=9)
    x[::10] = changed(x[::10], shift=6.0)
    assert until_told(yardstick, x) is None


def test_a_drift_that_ends_is_forgotten(yardstick):
    watch = DriftWatch(yardstick.ranks)
    for i, g in enumerate(gauges(yardstick, changed(bundles.spectra(200, seed=9), shift=4.0))):
        watch.take(g, (0, i))
    assert watch.drift is not None
    for i, g in enumerate(gauges(yardstick, bundles.spectra(60, seed=10))):
        watch.take(g, (1, i))
    assert watch.drift is None


def test_without_latents_the_rest_is_judged(yardstick):
    watch = DriftWatch(yardstick.ranks)
    for i, x in enumerate(changed(bundles.spectra(60, seed=9), shift=4.0)):
        watch.take(gauge(yardstick.domain, x), (0, i))
    assert "z_inst" not in watch.drift.telling


# ---- runs


@settings(max_examples=30, deadline=None)
@given(repeats=st.integers(1, 12), seed=st.integers(0, 1000))
def test_each_sample_of_a_steady_stream_counts_once(yardstick, repeats, seed):
    rng = np.random.default_rng(seed)
    distinct = bundles.spectra(60, seed=11)[::6]
    runs = Runs(yardstick.spacing, yardstick.domain.applicability.q_limit)
    counted = 0
    for x in np.repeat(distinct, repeats, axis=0):
        noisy = x + 1e-4 * rng.standard_normal(x.size)
        counted += runs.take(gauge(yardstick.domain, noisy))
    assert counted == len(distinct)


def test_what_is_seen_while_samples_are_changed_never_counts(yardstick):
    samples = bundles.spectra(60, seed=11)[::4]
    runs = Runs(yardstick.spacing, yardstick.domain.applicability.q_limit)
    counted = [
        (k, runs.take(gauge(yardstick.domain, spectrum)), spectrum is not x)
        for k, x in enumerate(samples)
        for spectrum in (0.5 * x, *([x] * 6))
    ]
    half = [k for k, counts, between in counted if counts and between]
    assert half == [0]


def test_related_samples_are_thinned_and_others_are_not(yardstick):
    rng = np.random.default_rng(3)
    thinned, free = Thinned(), Thinned()
    x = bundles.spectra(300, seed=12)
    for g in gauges(yardstick, x):
        free.take(g)
    walk = x.copy()
    for i in range(1, len(walk)):
        walk[i] = 0.9 * walk[i - 1] + 0.1 * x[i] + 1e-4 * rng.standard_normal(x.shape[1])
    counted = [thinned.take(g) for g in gauges(yardstick, walk)]
    assert free.every <= 2
    assert thinned.every >= 8
    assert sum(counted[-100:]) <= 13


# ---- the yardstick


def test_a_yardstick_is_the_same_after_it_was_written(yardstick, model):
    again = from_arrays(to_arrays(yardstick), model, STEP)
    x = bundles.spectra(1, seed=9)[0]
    before, after = gauge(yardstick.domain, x), gauge(again.domain, x)
    assert before.statistics.keys() == set(STATISTICS)
    np.testing.assert_equal(dict(before.statistics), dict(after.statistics))


@pytest.mark.parametrize("name", ["scores", "rank_t2", "most_q", "z_std", "z_rows"])
@pytest.mark.parametrize("how", ["missing", "nan", "shape", "text"])
def test_a_damaged_yardstick_is_refused(yardstick, model, name, how):
    arrays = to_arrays(yardstick)
    if how == "missing":
        del arrays[name]
    elif how == "nan":
        arrays[name] = np.full_like(arrays[name], np.nan)
    elif how == "shape":
        arrays[name] = np.zeros((2, 2, 2))
    else:
        arrays[name] = np.array(["x"])
    with pytest.raises(ValueError, match="yardstick"):
        from_arrays(arrays, model, STEP)


def test_a_file_of_another_model_or_none_is_no_yardstick(yardstick, tiny_model, tmp_path):
    path = tmp_path / "y.npz"
    assert read_yardstick(path, tiny_model) is None
    path.write_bytes(b"PK")
    assert read_yardstick(path, tiny_model) is None
    path.write_bytes(npz({"of": np.array("another"), **to_arrays(yardstick)}))
    assert read_yardstick(path, tiny_model) is None
    path.write_bytes(npz({"of": np.array(yardstick_of(tiny_model)), **to_arrays(yardstick)}))
    assert read_yardstick(path, tiny_model) is not None


def test_few_source_spectra_are_refused(model):
    x = bundles.spectra(19)
    with pytest.raises(ValueError, match="too few"):
        calibrate(model, x, latents(x), STEP)
