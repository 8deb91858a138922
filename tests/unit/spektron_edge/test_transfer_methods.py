"""Single transfer methods against chemotools, scikit-learn, POT, diPLSlib and closed forms."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.bundle import read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.inference import load_model
from spektron_edge.transfer import TransferError
from spektron_edge.transfer.evaluation import RELATIVE
from spektron_edge.transfer.filters import filters_for
from spektron_edge.transfer.methods import (
    DifferencePenalisedRidge,
    DirectStandardisation,
    DomainInvariantPls,
    DomainInvariantRidge,
    ExternalParameterOrthogonalisation,
    JointUpdate,
    LatentTransport,
    MeanShift,
    NoTransfer,
    PiecewiseDirectStandardisation,
    RidgeCalibration,
    SlopeBias,
    SmoothCorrection,
    SpektronRoute,
    StandardsCorrection,
    bundled,
)
from spektron_edge.transfer.methods.invariance import Populations
from spektron_edge.transfer.methods.latent_alignment import Settings, align, barycentres
from spektron_edge.transfer.methods.test_time import Budget, adapt, spans
from tests import transfer_worlds as worlds

RNG = np.random.default_rng(0)
DERIVATIVE = filters_for(worlds.CHANNELS)[1]


def random_pairs(n, channels=30, seed=6):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, channels)), rng.standard_normal((n, channels))


def fit_map(method, s, t):
    """The map alone needs no calibration worth the name."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((12, s.shape[1]))
    return method.fit(x, rng.standard_normal(12), s, t)


# ---- maps of spectra


def test_direct_standardisation_without_a_ridge_is_chemotools():
    adaptation = pytest.importorskip("chemotools.adaptation")
    s, t = random_pairs(8)
    s, t = s - s.mean(axis=0), t - t.mean(axis=0)
    new = np.random.default_rng(2).standard_normal((3, 30))
    theirs = adaptation.DirectStandardization().fit(t, X_source=s).transform(new)
    ours = fit_map(DirectStandardisation(ridge=1e-13), s, t).transform(new)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_piecewise_without_a_ridge_is_chemotools_with_as_many_components_as_pairs_allow():
    adaptation = pytest.importorskip("chemotools.adaptation")
    s, t = random_pairs(4)
    new = np.random.default_rng(2).standard_normal((3, 30))
    theirs = adaptation.PiecewiseDirectStandardization(
        window_length=2, n_components=3, scale=False
    ).fit(t, X_source=s)
    ours = fit_map(PiecewiseDirectStandardisation(half=2, ridge=0, towards="mean"), s, t)
    np.testing.assert_allclose(ours.transform(new), theirs.transform(new), atol=1e-5)


def test_piecewise_is_scikit_learn_s_ridge_in_each_window():
    linear_model = pytest.importorskip("sklearn.linear_model")
    s, t = random_pairs(9)
    new = np.random.default_rng(2).standard_normal((3, 30))
    ours = fit_map(PiecewiseDirectStandardisation(half=3, ridge=0.2, towards="mean"), s, t)
    found = ours.transform(new)
    for channel in range(30):
        window = slice(max(0, channel - 3), channel + 4)
        centred = t[:, window] - t[:, window].mean(axis=0)
        alpha = 0.2 * np.sum(centred**2) / 9
        oracle = linear_model.Ridge(alpha=alpha).fit(t[:, window], s[:, channel])
        np.testing.assert_allclose(found[:, channel], oracle.predict(new[:, window]), atol=1e-8)


def test_a_piecewise_map_towards_something_else_is_refused():
    with pytest.raises(TransferError, match="towards"):
        fit_map(PiecewiseDirectStandardisation(towards="zero"), *random_pairs(5))


@settings(max_examples=20, deadline=None)
@given(st.floats(0.8, 1.3), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))
def test_scale_offset_and_slope_are_taken_back(scale, offset, slope):
    def change(spectra):
        return scale * spectra + offset + slope * worlds.U

    made = worlds.world(4, change=change, noise=0.0)
    arguments = made.arguments()
    glass = arguments["standards_source"]
    arguments["standards_target"] = change(glass)
    spread = made.x.std(axis=0).mean()
    # The full correction may take some of a slope for a change of band-pass.
    for method, most in ((SmoothCorrection(), 0.5), (StandardsCorrection(), 0.05)):
        gap = method.fit(**arguments).transform(made.t) - made.x
        assert np.abs(gap).mean() < most * spread


def test_a_fixed_pattern_is_what_the_smooth_correction_leaves():
    pattern = 0.01 * np.sin(60 * worlds.U)
    made = worlds.world(4, change=lambda spectra: 1.1 * spectra + pattern)
    arguments = made.arguments()
    gaps = [
        np.abs(SmoothCorrection(remainder=r).fit(**arguments).transform(made.t) - made.x).mean()
        for r in (True, False)
    ]
    assert gaps[0] < 0.5 * gaps[1]


def test_epo_leaves_the_derivative_of_no_direction_that_it_removed():
    made = worlds.world(1, noise=1e-2)
    method = ExternalParameterOrthogonalisation(components=3).fit(**made.arguments())
    difference = made.arguments()["pairs_source"] - made.arguments()["pairs_target"]
    rest = DERIVATIVE.apply(difference - difference.mean(axis=0))
    directions = np.linalg.svd(rest)[2][:3]
    oracle = DERIVATIVE.apply(made.t + method.shift_)
    oracle = oracle - oracle @ directions.T @ directions
    np.testing.assert_allclose(DERIVATIVE.apply(method.transform(made.t)), oracle, atol=1e-10)


def test_mean_shift_makes_the_means_of_pairs_equal():
    made = worlds.world(2)
    arguments = made.arguments()
    mapped = MeanShift().fit(**arguments).transform(arguments["pairs_target"])
    np.testing.assert_allclose(mapped.mean(0), arguments["pairs_source"].mean(0), atol=1e-12)


def test_slope_and_bias_are_those_of_numpy():
    made = worlds.world(2)
    arguments = made.arguments()
    method = SlopeBias().fit(**arguments)
    raw = NoTransfer().fit(**arguments).predict(arguments["pairs_target"])
    for j in range(2):
        slope, bias = np.polyfit(raw[:, j], made.y[:8, j], 1)
        np.testing.assert_allclose([method.slope_[j], method.bias_[j]], [slope, bias], rtol=1e-8)


def test_a_slope_below_zero_is_none():
    made = worlds.world(2)
    arguments = {**made.arguments(), "labels": -made.y[:8]}
    np.testing.assert_array_equal(SlopeBias().fit(**arguments).slope_, [1.0, 1.0])


# ---- calibrations


def test_the_calibration_is_scikit_learn_s_ridge_with_the_penalty_that_errs_least():
    linear_model = pytest.importorskip("sklearn.linear_model")
    made = worlds.world(5, noise=5e-3)
    x, y = DERIVATIVE.apply(made.x[:40]), made.y[:40, 0]
    top = np.linalg.norm(x - x.mean(axis=0), 2) ** 2
    oracle = linear_model.RidgeCV(alphas=RELATIVE * top).fit(x, y)
    ours = RidgeCalibration().fit(made.x[:40], made.y[:40])
    found = ours.predict(made.x[40:])[:, 0]
    np.testing.assert_allclose(found, oracle.predict(DERIVATIVE.apply(made.x[40:])), atol=1e-5)


def test_what_pairs_move_makes_the_calibration_smoother():
    made = worlds.world(5)
    rough = RidgeCalibration().fit(made.x, made.y)
    moved = 1e-2 * np.random.default_rng(0).standard_normal((6, worlds.CHANNELS))
    smooth = RidgeCalibration().fit(made.x, made.y, moved)
    assert np.sum(smooth.linear_.slopes**2) < np.sum(rough.linear_.slopes**2)


def test_a_calibration_is_not_read_before_it_is_fitted():
    with pytest.raises(TransferError, match="fit"):
        RidgeCalibration().predict(np.ones((1, 20)))


@pytest.mark.parametrize("method", [MeanShift, SlopeBias])
def test_scikit_learn_s_pls_may_be_the_calibration(method):
    pls = pytest.importorskip("sklearn.cross_decomposition").PLSRegression(4, scale=False)
    made = worlds.world(2)
    found = method(calibration=pls).fit(**made.arguments()).predict(made.t[55:])
    assert np.all(worlds.r2(found, made.y[55:]) > 0.9)
    assert not hasattr(pls, "coef_")


def test_difference_penalised_ridge_is_least_squares_on_stacked_rows():
    made = worlds.world(6, noise=5e-3)
    arguments = made.arguments()
    x, y = DERIVATIVE.apply(arguments["source_X"]), arguments["source_y"]
    difference = DERIVATIVE.apply(arguments["pairs_source"] - arguments["pairs_target"])
    shift = difference.mean(axis=0)
    top = np.linalg.norm(x - x.mean(axis=0), 2) ** 2
    size, pairs = len(x), len(difference)
    stacked = np.concatenate(
        [
            x - x.mean(axis=0),
            np.sqrt(size / pairs * 2.0) * (difference - shift),
            np.sqrt(1.5e-3 / pairs * top) * np.eye(x.shape[1]),
        ]
    )
    wanted = np.zeros((len(stacked), 2))
    wanted[:size] = y - y.mean(axis=0)
    slopes = np.linalg.lstsq(stacked, wanted, rcond=None)[0]
    oracle = y.mean(axis=0) + (DERIVATIVE.apply(made.t) + shift - x.mean(axis=0)) @ slopes
    found = DifferencePenalisedRidge(penalty=2.0).fit(**arguments).predict(made.t)
    np.testing.assert_allclose(found, oracle, atol=1e-8)


def test_the_joint_update_is_scikit_learn_s_weighted_ridge_on_centred_groups():
    linear_model = pytest.importorskip("sklearn.linear_model")
    made = worlds.world(7, noise=5e-3)
    arguments = made.arguments()
    method = JointUpdate(weight=5.0).fit(**arguments)
    x, t = DERIVATIVE.apply(made.x[:30]), DERIVATIVE.apply(made.t[:8])
    stacked = np.concatenate([x - x.mean(axis=0), t - t.mean(axis=0)])
    y, labels = made.y[:30], made.y[:8]
    wanted = np.concatenate([y - y.mean(axis=0), labels - labels.mean(axis=0)])
    weights = np.r_[np.ones(30), np.full(8, 5.0)]
    top = np.linalg.norm(x - x.mean(axis=0), 2) ** 2
    new = DERIVATIVE.apply(made.t[55:]) - t.mean(axis=0)
    found = method.predict(made.t[55:])
    for j in range(2):
        gaps = []
        for alpha in RELATIVE * top:
            oracle = linear_model.Ridge(alpha=alpha, fit_intercept=False)
            oracle.fit(stacked, wanted[:, j], sample_weight=weights)
            gaps.append(np.abs(labels[:, j].mean() + oracle.predict(new) - found[:, j]).max())
        assert min(gaps) < 1e-7


def test_labelled_target_samples_need_no_source_spectra():
    made = worlds.world(8)
    arguments = made.arguments()
    del arguments["pairs_source"]
    found = JointUpdate().fit(**arguments).predict(made.t[55:])
    assert np.all(worlds.r2(found, made.y[55:]) > 0.9)
    with pytest.raises(TransferError, match="pairs"):
        MeanShift().fit(**arguments)


# ---- populations


def test_di_pls_is_diplslib_s():
    """dipals of diPLSlib 2.5.0 on first derivatives, 3 components, lambda = 10 y'y 14/13 / d.

    That one divides covariances by 14, this one by 13.
    """
    rng = np.random.default_rng(11)
    s = rng.standard_normal((14, 20)).cumsum(axis=1)
    t = 1.3 * rng.standard_normal((14, 20)).cumsum(axis=1) + 0.5
    y = s[:, 4] - 0.5 * s[:, 15] + 0.1 * rng.standard_normal(14)
    test = rng.standard_normal((3, 20)).cumsum(axis=1)
    for strength, golden in (
        (0.0, [1.69622717, -1.59549989, 0.8431531]),
        (10.0, [1.98040401, -2.00979302, 1.6305898]),
    ):
        method = DomainInvariantPls(components=3, strength=strength).fit(s, y, unpaired=t)
        np.testing.assert_allclose(method.predict(test), golden, atol=1e-7)


def test_di_pls_without_strength_is_scikit_learn_s_pls():
    cross_decomposition = pytest.importorskip("sklearn.cross_decomposition")
    made = worlds.world(9, noise=5e-3)
    method = DomainInvariantPls(components=4, strength=0.0).fit(**made.arguments())
    x, t = DERIVATIVE.apply(made.x[:30]), DERIVATIVE.apply(made.t)
    moved = t - DERIVATIVE.apply(made.arguments()["unpaired"]).mean(axis=0) + x.mean(axis=0)
    for j in range(2):
        oracle = cross_decomposition.PLSRegression(4, scale=False).fit(x, made.y[:30, j])
        found = method.predict(made.t)[:, j]
        np.testing.assert_allclose(found, oracle.predict(moved).ravel(), atol=1e-6)


def test_invariant_ridge_is_least_squares_on_stacked_rows():
    made = worlds.world(9, noise=5e-3)
    arguments = made.arguments()
    method = DomainInvariantRidge(penalty=0.5).fit(**arguments)
    x, t = DERIVATIVE.apply(made.x[:30]), DERIVATIVE.apply(arguments["unpaired"])
    values, vectors = np.linalg.eigh(np.cov(t.T) - np.cov(x.T))
    invariant = np.sqrt(0.5 * 30 * np.abs(values))[:, None] * vectors.T
    top = np.linalg.norm(x - x.mean(axis=0), 2) ** 2
    y, new = made.y[:30], DERIVATIVE.apply(made.t[55:]) - t.mean(axis=0)
    found = method.predict(made.t[55:])
    gaps = []
    for alpha in RELATIVE * top:
        rows = [x - x.mean(axis=0), invariant, np.sqrt(alpha) * np.eye(x.shape[1])]
        wanted = np.concatenate([y - y.mean(axis=0), np.zeros((2 * x.shape[1], 2))])
        slopes = np.linalg.lstsq(np.concatenate(rows), wanted, rcond=None)[0]
        gaps.append(np.abs(y.mean(axis=0) + new @ slopes - found).max(axis=0))
    assert np.all(np.min(gaps, axis=0) < 1e-7)


def test_populations_differ_in_the_covariances_of_numpy():
    made = worlds.world(3)
    both = Populations.of(made.x[:20], made.t[30:50])
    found = both.directions @ np.diag(both.eigenvalues) @ both.directions.T
    in_basis = [DERIVATIVE.apply(z) @ both.basis for z in (made.x[:20], made.t[30:50])]
    oracle = np.cov(in_basis[1].T) - np.cov(in_basis[0].T)
    np.testing.assert_allclose(found, oracle, atol=1e-10)


# ---- latents

PLAIN = Settings(components=4, epsilon=0.05, relaxed=1.0, pull=1e-6)


def clouds(n=60, k=60, d=6, seed=0):
    rng = np.random.default_rng(seed)
    scale = np.linspace(2, 0.5, d)
    return scale * rng.standard_normal((n, d)), scale * rng.standard_normal((k, d))


def test_alignment_of_pairs_takes_back_a_shift_and_a_scale():
    z, _ = clouds(40)
    shift = np.linspace(-1, 1, 6)
    settings_ = Settings(components=6, epsilon=0.05, relaxed=1.0, pull=1e-9)
    for factor, pairs in ((1.3, 40), (1.0, 5)):
        target = (z - shift) / factor
        found = align(z, target[:pairs], np.arange(pairs), settings_).apply(target)
        np.testing.assert_allclose(found, z, atol=1e-3)


def test_alignment_of_populations_takes_back_a_shift_and_most_of_a_scale():
    z, other = clouds(150, 150)
    none = np.full(150, -1)
    target = (other + 0.7) / 1.5
    found = align(z, target, none, PLAIN).apply(target)
    assert np.linalg.norm(found.mean(axis=0) - z.mean(axis=0)) < 1e-6
    spread = np.std(found @ np.eye(6)[:, :3], axis=0) / np.std(z[:, :3], axis=0)
    assert np.all(np.abs(spread - 1) < 0.15)


def test_a_strong_pull_leaves_only_the_shift():
    z, other = clouds()
    stiff = Settings(components=4, epsilon=0.05, relaxed=1.0, pull=1e9)
    found = align(z, other, np.full(60, -1), stiff)
    np.testing.assert_allclose(found.apply(other) - other, np.tile(found.shift, (60, 1)), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 12))
def test_few_latents_never_blow_up(seed, k):
    z, other = clouds(20, k, seed=seed)
    pulled = Settings(components=5, epsilon=0.05, relaxed=1.0, pull=1.0)
    found = align(z, other, np.full(k, -1), pulled).apply(other)
    assert np.all(np.isfinite(found))
    assert np.std(found) < 3 * np.std(z)


def test_barycentres_are_pot_s():
    ot = pytest.importorskip("ot")
    a, b = clouds(35, 40, d=3)
    found, mass = barycentres(b, a, np.full(40, -1), 0.1, np.inf)
    cost = ot.dist(b, a) / ot.dist(b, a).mean()
    plan = ot.sinkhorn(np.full(40, 1 / 40), np.full(35, 1 / 35), cost, 0.1, stopThr=1e-13)
    np.testing.assert_allclose(found, plan @ a / plan.sum(axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(mass, np.full(40, 1 / 40), atol=1e-9)


@pytest.mark.parametrize(
    "wrong",
    [lambda x: np.ones(len(x)), lambda x: np.ones((1, 4)), lambda x: np.full((len(x), 4), np.nan)],
    ids=["vector", "rows", "nan"],
)
def test_latents_that_are_none_are_refused(wrong):
    with pytest.raises(TransferError, match="latents"):
        LatentTransport(latents=wrong).fit(**worlds.world().arguments())


def test_mapped_latents_of_the_target_lie_nearer_to_the_source_s():
    made = worlds.world(1)
    method = LatentTransport(latents=worlds.latents).fit(**made.arguments())
    wanted = worlds.latents(made.x[55:])
    before = np.linalg.norm(worlds.latents(made.t[55:]) - wanted)
    assert np.linalg.norm(method.transform_latents(made.t[55:]) - wanted) < 0.2 * before


def test_latents_may_stand_in_place_of_spectra():
    made = worlds.world(1)
    arguments = made.arguments()
    found = LatentTransport(latents=worlds.latents).fit(**arguments).predict(made.t[55:])
    for name in ("source_X", "pairs_source", "pairs_target", "unpaired"):
        arguments[name] = worlds.latents(arguments[name])
    del arguments["standards_source"], arguments["standards_target"]
    plain = LatentTransport(latents=np.asarray).fit(**arguments)
    np.testing.assert_allclose(plain.predict(worlds.latents(made.t[55:])), found, atol=1e-9)


# ---- training at test time


def bowl(theta):
    """Least at 0.3 everywhere."""
    return float(np.sum((theta - 0.3) ** 2)), 2 * (theta - 0.3)


def test_adam_finds_the_bottom():
    found = adapt(np.zeros(3, np.float32), bowl, Budget(steps=300, rate=0.02, cap=1.0))
    np.testing.assert_allclose(found.theta, 0.3, atol=1e-2)
    assert len(found.losses) == 301
    assert found.theta.dtype == np.float32


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-4, 10), st.floats(1e-4, 0.2), st.integers(1, 20))
def test_no_entry_leaves_its_cap_and_no_step_makes_it_worse(rate, cap, steps):
    start = np.array([0.5, -0.5], np.float32)
    found = adapt(start, bowl, Budget(steps=steps, rate=rate, cap=cap))
    assert np.all(np.abs(found.theta - start) <= cap + 1e-6)
    assert bowl(found.theta)[0] <= bowl(start)[0] + 1e-6
    assert len(found.losses) == steps + 1


def test_where_nothing_is_better_the_start_stays():
    start = np.full(2, 0.3, np.float32)
    found = adapt(start, bowl, Budget(steps=5, rate=0.1, cap=1.0))
    np.testing.assert_array_equal(found.theta, start)


@pytest.mark.parametrize(
    ("slope", "told"),
    [
        (lambda theta: (np.nan, theta), "not finite"),
        (lambda theta: (1.0, theta * np.inf), "not finite"),
        (lambda theta: (1.0, np.ones(5)), "shape"),
    ],
)
def test_a_gradient_that_is_none_is_refused(slope, told):
    with pytest.raises(TransferError, match=told):
        adapt(np.ones(2, np.float32), slope, Budget(1, 0.1, 1.0))


def test_masks_hide_their_share_in_spans():
    keep = spans(4, 200, 0.4, seed=1)
    np.testing.assert_allclose(1 - keep.mean(axis=1), 0.4)
    assert np.sum(np.diff(keep, axis=1) != 0) <= 4 * 2 * 8
    np.testing.assert_array_equal(keep, spans(4, 200, 0.4, seed=1))


def test_the_route_adapts_where_the_gradient_leads():
    made = worlds.world(1)
    method = SpektronRoute(
        encoder=worlds.encoder,
        gradient=worlds.gradient,
        theta0=worlds.THETA,
        rate=0.01,
        cap=0.2,
        steps=30,
    ).fit(**made.arguments())
    assert method.adapted_.losses[-1] < 0.2 * method.adapted_.losses[0]
    # The target reads higher, so what takes it back is below zero.
    assert method.adapted_.theta.sum() < 0


def test_the_route_runs_on_the_shipped_bundle():
    bundle = read_bundle(shipped_bundle())
    source = bundle.arrays(bundle.manifest.products[0].source)
    x, y = source["x"].astype(np.float64), source["y"].astype(np.float64)
    target = 1.02 * x + 0.01
    route = bundled.spektron_route(bundle, steps=2, batch=4)
    route.fit(x[:40], y[:40], x[:6], target[:6])
    assert min(route.adapted_.losses) <= route.adapted_.losses[0]
    assert np.all(np.isfinite(route.predict(target[40:])))
    plain = LatentTransport(latents=bundled.latents(load_model(bundle, None, "fp32")))
    plain.fit(x[:40], y[:40], x[:6], target[:6])
    assert worlds.r2(plain.predict(target[40:]), y[40:])[2] > 0.3
    z = bundled.latents(load_model(bundle, None, "fp32"))(x[:3])
    np.testing.assert_allclose(z, source["z_chem"][:3], atol=1e-3)


def test_spectra_on_another_grid_are_refused_by_the_bundle():
    bundle = read_bundle(shipped_bundle())
    read = bundled.latents(load_model(bundle, None, "fp32"))
    with pytest.raises(TransferError, match="grid"):
        read(np.ones((2, 50)))
    route = bundled.spektron_route(bundle)
    wrong = np.ones((2, 50), np.float32)
    with pytest.raises(TransferError, match="adapt"):
        route.gradient(wrong, wrong, route.theta0, np.zeros(128, np.float32), None)


def test_nothing_heavy_is_imported_by_the_methods():
    code = (
        "import sys, spektron_edge.transfer.methods; "
        "print(sorted({'torch', 'sklearn', 'scipy', 'onnx', 'onnxruntime'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
