"""Figures of reports against other ways to them: numpy's and scipy's own, and what was made up."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from spektron_edge.detector.wavelength_check import load_standard
from spektron_edge.qualification import operation
from spektron_edge.qualification.comparison import compare, expected_sep
from spektron_edge.qualification.control_chart import chart
from spektron_edge.qualification.photometry import noise, repeatability, stability
from spektron_edge.qualification.plan import Plan

from .made import measured

TODAY = date(2026, 11, 23)
pytestmark = pytest.mark.numerics


@pytest.mark.parametrize("seed", range(5))
def test_a_comparison_by_its_definitions(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 40))
    reference = rng.normal(10.0, 2.0, n)
    predicted = 0.95 * reference + 0.7 + rng.normal(0.0, 0.3, n)
    found = compare(predicted, reference)
    d = predicted - reference
    assert found.bias.value == pytest.approx(d.mean())
    # The bias is not in it.
    assert found.sep == pytest.approx(math.sqrt(((d - d.mean()) ** 2).sum() / (n - 1)))
    assert found.rmsep == pytest.approx(math.sqrt((d**2).mean()))
    # The line by the normal equations, its errors by the inverse of the design.
    design = np.column_stack([np.ones(n), predicted])
    solved, residuals, *_ = np.linalg.lstsq(design, reference, rcond=None)
    cover = residuals[0] / (n - 2) * np.linalg.inv(design.T @ design)
    t = stats.t.ppf(0.975, n - 2)
    for estimate, i in ((found.intercept, 0), (found.slope, 1)):
        assert estimate.value == pytest.approx(solved[i])
        assert estimate.high - estimate.value == pytest.approx(t * math.sqrt(cover[i, i]))
    # Bland and Altman: the limits, and the variance of each, s^2 / n + 1.96^2 s^2 / 2 (n - 1).
    s = d.std(ddof=1)
    half = stats.t.ppf(0.975, n - 1) * math.sqrt(s**2 / n + 1.96**2 * s**2 / (2 * (n - 1)))
    assert found.lower.value == pytest.approx(d.mean() - 1.96 * s, rel=1e-4)
    assert found.upper.value == pytest.approx(d.mean() + 1.96 * s, rel=1e-4)
    assert found.upper.high - found.upper.value == pytest.approx(half, rel=1e-4)


def test_the_f_test_holds_its_promise():
    """One in twenty methods that are as good as stated is refused, not more and not fewer."""
    rng, refused, runs = np.random.default_rng(2), 0, 2000
    most = expected_sep(1.0, 20, 12)
    for _ in range(runs):
        stated = rng.standard_normal(20).std(ddof=1)
        refused += rng.standard_normal(12).std(ddof=1) > stated * most
    assert 0.035 < refused / runs < 0.065


def test_references_that_are_all_equal_have_no_slope():
    rng = np.random.default_rng(3)
    found = compare(10 + 0.1 * rng.standard_normal(12), np.full(12, 10.0))
    assert found.slope is None
    assert found.sep > 0


def test_negative_values_are_values():
    rng = np.random.default_rng(4)
    reference = rng.uniform(-20, 5, 15)
    predicted = reference + rng.normal(0, 0.2, 15)
    up, down = compare(predicted, reference), compare(-predicted, -reference)
    assert up.bias.value == pytest.approx(-down.bias.value)
    assert (up.sep, up.p) == pytest.approx((down.sep, down.p))
    assert up.slope.value == pytest.approx(down.slope.value)


def test_repeatability_as_an_analysis_of_variance():
    rng = np.random.default_rng(5)
    fills = rng.normal(10, 0.3, (6, 1)) + rng.normal(0, 0.1, (6, 4))
    found = repeatability(fills)
    ms_within = fills.var(axis=1, ddof=1).mean()
    ms_between = 4 * fills.mean(axis=1).var(ddof=1)
    assert ms_between / ms_within == pytest.approx(stats.f_oneway(*fills).statistic)
    assert found.within == pytest.approx(math.sqrt(ms_within))
    assert found.between == pytest.approx(math.sqrt((ms_between - ms_within) / 4))
    assert found.total == pytest.approx(math.hypot(found.within, found.between))


def test_noise_and_drift_as_scipy_has_them():
    rng = np.random.default_rng(6)
    axis = np.arange(1100.0, 1500.0, 2.0)
    spectra = 3e-4 * rng.standard_normal((400, axis.size))
    for window in noise(spectra, axis, 100.0):
        inside = (axis >= window.start_nm) & (axis <= window.end_nm)
        # Without a drift the differences have the noise of the scans themselves.
        assert window.rms == pytest.approx(spectra[:, inside].std(), rel=0.02)
    at = np.sort(rng.uniform(0, 7200, 30))
    drifting = 1e-3 * (at / 3600)[:, None] + 1e-5 * rng.standard_normal((30, axis.size))
    fitted = stats.linregress(at / 3600, drifting.mean(axis=1))
    found = stability(drifting, at)
    half = stats.t.ppf(0.975, 28) * fitted.stderr
    assert found.slope.value == pytest.approx(fitted.slope)
    assert found.slope.high - found.slope.value == pytest.approx(half)


@pytest.mark.parametrize("name", ["polystyrene", "srm-2035"])
@pytest.mark.parametrize("shift", [-1.3, -0.37, 0.0, 0.61, 1.9])
@pytest.mark.parametrize("pitch", [2.0, 4.0])
def test_where_bands_are(name, shift, pitch):
    """Gaussian bands that lie beside the channels: the interpolation errs by less than 0.1 nm, so
    that a limit of half a nanometre can be shown."""
    axis = np.arange(900.0, 2500.0, pitch)
    bands = load_standard(name).bands
    seen = sum(0.4 * np.exp(-(((axis - b.nm - shift) / 10) ** 2) / 2) for b in bands)
    standard = {"name": name, "scans": 1, "repeats": 2, "accuracy_nm": 0.5}
    plan = Plan.model_validate({"title": "t", "version": "1", "wavelength": standard})
    spectra = measured(seen, 2, noise=1e-6, axis_nm=axis)
    found = operation.judge(plan, {"wavelength": spectra}, Path("/absent"), TODAY)
    accuracy = [i for i in found.items if i.part == "wavelength accuracy"]
    assert len(accuracy) == len(bands)
    assert [i.value for i in accuracy] == pytest.approx([shift] * len(bands), abs=0.1)
    # The plan's limit is the limit: what a table leaves open does not soften it.
    wanted = "pass" if abs(shift) <= 0.5 else "fail"
    assert {i.verdict for i in accuracy} == {wanted}
    assert {i.limit for i in accuracy} == {"-0.5 to 0.5"}


def test_a_gross_value_is_told_once():
    """The wrong sample in the beam, once: the average of values that are right is right again."""
    values = [0.1, -0.4, 0.3, 60.0, 0.2, -0.3, 0.4]
    broken = chart(values, 0.0, 1.0).broken
    assert [bool(told) for told in broken] == [False, False, False, True, False, False, False]
    # A shift that stays goes on to be told.
    assert all(chart([60.0] * 10, 0.0, 1.0).broken)
