"""Parts of the transfer against scikit-learn, chemotools, pynir, refits and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.transfer.agreement import agreement
from spektron_edge.transfer.alignment import AsMeasured
from spektron_edge.transfer.averaging import capped
from spektron_edge.transfer.axes import overlap
from spektron_edge.transfer.evaluation import Recipe, evaluate
from spektron_edge.transfer.filters import Filter, filters_for, standard_normal_variate
from spektron_edge.transfer.penalised_ridge import Rows, solve
from spektron_edge.transfer.piecewise import Piecewise, window_sums
from spektron_edge.transfer.problem import (
    Differences,
    Problem,
    TransferError,
    library_rows,
)
from spektron_edge.transfer.quantity import convert, find_conversion
from spektron_edge.transfer.sinkhorn import sinkhorn
from spektron_edge.transfer.smooth import SCALE, Smooth, blurred
from spektron_edge.transfer.subspace import Direct, SpectralSpace
from spektron_edge.transfer.transport import Transport
from spektron_edge.transfer.uncertainty import conformal

RNG = np.random.default_rng(0)


def smooth_spectra(n, channels=120, seed=0):
    rng = np.random.default_rng(seed)
    u = np.linspace(0, 1, channels)
    bands = np.stack([np.exp(-0.5 * ((u - c) / 0.07) ** 2) for c in (0.2, 0.45, 0.7)])
    return 0.5 + (0.5 + 0.3 * rng.random((n, 3))) @ bands + 0.1 * u


def rows(n=25, p=12, m=2, k=0, q=0, seed=1):
    rng = np.random.default_rng(seed)
    return Rows(
        rng.standard_normal((n, p)),
        rng.standard_normal((n, m)),
        rng.standard_normal((k, p)),
        rng.standard_normal((k, m)),
        rng.standard_normal((q, p)),
    )


def test_without_penalty_rows_it_is_scikit_learn_s_ridge():
    linear_model = pytest.importorskip("sklearn.linear_model")
    r = rows()
    top = np.linalg.norm(r.source - r.source.mean(axis=0), 2) ** 2
    path = solve(r, np.array([1e-3, 0.1]))
    for g, relative in enumerate((1e-3, 0.1)):
        oracle = linear_model.Ridge(alpha=relative * top).fit(r.source, r.y)
        np.testing.assert_allclose(path.coefficients[g], oracle.coef_.T, atol=1e-9)
        np.testing.assert_allclose(path.intercept[g], oracle.intercept_, atol=1e-9)


def test_labelled_rows_weigh_as_scikit_learn_s_sample_weights():
    linear_model = pytest.importorskip("sklearn.linear_model")
    r = rows(k=4)
    top = np.linalg.norm(r.source - r.source.mean(axis=0), 2) ** 2
    path = solve(r, np.array([0.01]), 7.0)
    oracle = linear_model.Ridge(alpha=0.01 * top).fit(
        np.concatenate([r.source, r.target]),
        np.concatenate([r.y, r.labels]),
        sample_weight=np.r_[np.ones(25), np.full(4, 7.0)],
    )
    np.testing.assert_allclose(path.coefficients[0], oracle.coef_.T, atol=1e-9)


def test_a_heavy_penalty_makes_its_directions_not_matter():
    r = rows(q=3)
    heavy = Rows(r.source, r.y, r.target, r.labels, 1e5 * r.penalty)
    path = solve(heavy, np.array([1e-3]))
    assert np.max(np.abs(r.penalty @ path.coefficients[0])) < 1e-6


def test_left_out_errors_are_those_of_refits():
    r = rows(q=2)
    top = np.linalg.norm(r.source - r.source.mean(axis=0), 2) ** 2
    path = solve(r, np.array([0.02]))
    for i in (0, 11):
        kept = np.arange(25) != i
        less = Rows(r.source[kept], r.y[kept], r.target, r.labels, r.penalty)
        own = np.linalg.norm(less.source - less.source.mean(axis=0), 2) ** 2
        again = solve(less, np.array([0.02 * top / own]))
        error = r.y[i] - again.predict(r.source[i : i + 1])[0, 0]
        np.testing.assert_allclose(path.left_out[0, i], error, atol=1e-9)


def test_spectral_space_is_pynir_s_without_its_missing_mean():
    pytest.importorskip("pynir")
    from pynir.CalibrationTransfer import SST

    s, t = smooth_spectra(10), 1.3 * smooth_spectra(10) + 0.01 * RNG.standard_normal((10, 120))
    ours = SpectralSpace(components=2).fit(s, t)
    theirs = SST(n_components=2).fit(s - s.mean(axis=0), t - t.mean(axis=0))
    expected = theirs.transform(t - t.mean(axis=0)) + s.mean(axis=0)
    np.testing.assert_allclose(ours.target(t), expected, atol=1e-6)


def test_direct_standardisation_reproduces_its_pairs_without_a_ridge():
    rng = np.random.default_rng(6)
    s, t = rng.standard_normal((8, 30)), rng.standard_normal((8, 30))
    np.testing.assert_allclose(Direct(ridge=1e-12).fit(s, t).target(t), s, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.3, 3.0), st.floats(-0.3, 0.3), st.floats(-0.1, 0.1))
def test_scale_and_offset_are_found(scale, offset, slope):
    s = smooth_spectra(5)
    t = scale * s + offset + slope * np.linspace(-1, 1, 120)
    found = SCALE.fit(s, t)
    np.testing.assert_allclose(
        found.source(smooth_spectra(3, seed=8)),
        (scale * smooth_spectra(3, seed=8) + offset + slope * np.linspace(-1, 1, 120)),
        atol=5e-4 * (1 + scale),
    )


@pytest.mark.parametrize("shift", [-4, -1, 2, 6])
def test_a_shift_of_whole_channels_is_found(shift):
    s = smooth_spectra(5)
    t = np.roll(s, shift, axis=1)
    found = Smooth().fit(s, t)
    inner = slice(15, -15)
    rest = np.abs(found.source(s) - found.target(t))[:, inner]
    assert rest.max() < 0.1 * np.abs(s - t)[:, inner].max()


@pytest.mark.parametrize("blur", [3.0, -3.0])
def test_the_sharper_instrument_is_blurred(blur):
    s = smooth_spectra(6)
    sharp, coarse = s, blurred(s, abs(blur))
    source, target = (sharp, coarse) if blur > 0 else (coarse, sharp)
    found = Smooth().fit(source, target)
    assert np.sign(found.blur) == np.sign(blur)


def test_blurring_keeps_a_constant_and_the_mean():
    np.testing.assert_allclose(blurred(np.ones((2, 40)), 2.5), 1.0)
    assert blurred(np.ones((2, 40)), 0.0).shape == (2, 40)


def test_piecewise_is_the_smooth_map_under_an_infinite_ridge():
    s = smooth_spectra(8)
    t = 1.2 * s + 0.01 * np.random.default_rng(3).standard_normal(s.shape)
    stiff = Piecewise(ridge=1e9).fit(s, t)
    np.testing.assert_allclose(stiff.source(s), stiff.smooth.source(s) + stiff.offset, atol=1e-6)


def test_window_sums_against_a_loop():
    a, b = RNG.standard_normal((2, 9)), RNG.standard_normal((3, 9))
    found = window_sums(a, b, 2)
    for channel in range(9):
        window = slice(max(0, channel - 2), channel + 3)
        np.testing.assert_allclose(found[:, :, channel], a[:, window] @ b[:, window].T)


def test_filters_against_scipy():
    signal = pytest.importorskip("scipy.signal")
    x = smooth_spectra(3)
    for derivative, order in ((0, 2), (1, 2), (2, 3)):
        found = Filter("f", derivative, 11).apply(x)
        expected = signal.savgol_filter(x, 11, order, deriv=derivative)[:, 5:-5]
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert all(f.apply(x[:, :20]).shape[1] > 4 for f in filters_for(20))


def test_snv_of_a_constant_is_zero():
    np.testing.assert_array_equal(standard_normal_variate(np.ones((1, 5))), 0)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.5, 4.0), st.floats(-200, 200), st.integers(60, 200))
def test_axes_meet_where_both_measure(step, start, points):
    source = np.arange(1000.0, 1400.0, 2.0)
    target = 1100 + start + step * np.arange(points)
    low, high = max(source[0], target[0]), min(source[-1], target[-1])
    if np.sum((source >= low - 1e-5) & (source <= high + 1e-5)) < 20:
        with pytest.raises(TransferError):
            overlap(source, target)
        return
    shared = overlap(source, target)
    assert shared.axis[0] >= target[0] - 1e-5
    assert shared.axis[-1] <= target[-1] + 1e-5
    line = (3 + 0.01 * target)[None]
    np.testing.assert_allclose(shared.target(line)[0], 3 + 0.01 * shared.axis, atol=0.02)


def test_one_axis_changes_nothing():
    axis = np.linspace(1000, 1500, 60)
    x = RNG.standard_normal((2, 60))
    np.testing.assert_array_equal(overlap(axis, axis.copy()).target(x), x)


def test_conversions_are_inverse_and_found():
    a = smooth_spectra(5)
    np.testing.assert_allclose(convert(convert(a, "10^-"), "-log10"), a)
    assert find_conversion(a, convert(a, "10^-")) == "-log10"
    assert find_conversion(convert(a, "10^-"), a) == "10^-"
    assert find_conversion(a, 2 * a + 1) == "none"


def test_the_library_row_of_a_pair_is_found():
    x = smooth_spectra(6)
    np.testing.assert_array_equal(library_rows(x, x[[4, 1]] + 0.0), [4, 1])
    np.testing.assert_array_equal(library_rows(x, x[:1] + 0.1), [-1])


def test_conformal_takes_the_order_statistic():
    errors = np.arange(1.0, 10.0)[:, None] * np.array([1.0, -2.0])
    np.testing.assert_array_equal(conformal(errors), [9.0, 18.0])
    np.testing.assert_array_equal(conformal(np.arange(1.0, 20.0)[:, None]), [18.0])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_conformal_covers_nine_of_ten(seed):
    rng = np.random.default_rng(seed)
    draws = rng.standard_cauchy((400, 13, 1))
    inside = [abs(d[12, 0]) <= conformal(d[:12])[0] for d in draws]
    assert np.mean(inside) > 0.84


def test_one_huge_error_counts_for_no_more_than_some_medians():
    squares = np.array([[1.0], [1.0], [1.0], [1.0], [1e6]])
    assert capped(squares)[0] < 5


def problem(n=6, labels=True):
    x, t = smooth_spectra(20), smooth_spectra(20) + 0.03
    y = x[:, 30:32] * 5 + 0.01 * np.random.default_rng(2).standard_normal((20, 2))
    known = y[:n] if labels else np.full((n, 2), np.nan)
    axis = np.linspace(1000, 1240, 120)
    return Problem(x, y, axis, x[:n], t[:n], known, np.arange(n), np.empty((0, 120)))


def test_a_pair_that_is_left_out_takes_its_label_and_its_library_row_along():
    whole = problem()
    less = whole.keep(np.array([0, 2, 3, 4, 5]))
    assert len(less.source) == 19
    np.testing.assert_array_equal(less.library, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(less.source[less.library], less.pairs_source)


def test_a_pair_that_is_left_out_leaves_the_fleet_s_history_too():
    whole = problem()
    shown = Differences(whole.pairs_source[[1, 4]], np.ones((2, 120)))
    whole = Problem(**{**vars(whole), "fleet": (shown,)})
    less = whole.keep(np.array([0, 2, 3, 4, 5]))
    np.testing.assert_array_equal(less.fleet[0].source, whole.pairs_source[[4]])


def test_held_out_errors_are_those_of_fits_without_the_pair():
    whole = problem()
    recipe = Recipe(AsMeasured(), filters_for(120)[1])
    found = evaluate(whole, (recipe,), np.ones(6))[0]
    kept = np.array([0, 1, 2, 4, 5])
    again = evaluate(whole.keep(kept), (recipe,), np.ones(5))[0]
    read = again.path.predict(again.features.target(whole.pairs_target[3:4]))[:, 0]
    np.testing.assert_allclose(found.target_error[:, 3], whole.labels[3] - read, atol=1e-9)


def test_pairs_that_are_pairs_agree():
    whole = problem()
    assert agreement(whole, np.ones(6)) > 0.99
    mixed = Problem(
        whole.source,
        whole.y,
        whole.axis,
        whole.pairs_source,
        whole.pairs_target[[3, 0, 4, 1, 5, 2]],
        whole.labels,
        whole.library,
        whole.unpaired,
    )
    assert agreement(mixed, np.ones(6)) < 0.8


def test_transport_finds_a_change_of_scale_without_pairs():
    s = smooth_spectra(60)
    t = 1.3 * smooth_spectra(60, seed=9) + 0.1
    found = Transport(pull=0.01).fit(s, t)
    spread = np.std(found.target(t), axis=0).mean() / np.std(s, axis=0).mean()
    assert 0.9 < spread < 1.1
    np.testing.assert_allclose(found.target(t).mean(axis=0), s.mean(axis=0), atol=1e-9)
    few = Transport().fit(s[:12], t[:12])
    assert np.all(np.isfinite(few.target(t)))


def test_transport_s_plan_is_pot_s():
    ot = pytest.importorskip("ot")
    cost = np.random.default_rng(4).random((9, 11))
    a, b = np.full(9, 1 / 9), np.full(11, 1 / 11)
    ours = sinkhorn(a, b, cost, 0.05, tolerance=1e-10).plan
    np.testing.assert_allclose(ours, ot.sinkhorn(a, b, cost, 0.05, stopThr=1e-12), atol=1e-8)
