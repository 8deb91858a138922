import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge as Oracle

from spektron_edge.spectra.preprocessing import savgol_kernel
from spektron_train.data.instrument_noise import DetectorNoise
from spektron_train.reference.applicability import (
    applicability_arrays,
    components_for,
    fit_applicability,
    q_limit,
    t2_limit,
)
from spektron_train.reference.ridge import fit_ridge, folds, search_penalties

KERNEL = savgol_kernel(15, 2, 1)


@pytest.fixture
def mixtures():
    """60 spectra of three bands, 120 channels, and the three concentrations."""
    rng = np.random.default_rng(3)
    axis = np.arange(120)
    bands = np.stack([np.exp(-(((axis - c) / 12) ** 2)) for c in (30, 60, 85)])
    y = rng.random((60, 3))
    return 0.4 + 0.3 * y @ bands, y


@pytest.mark.parametrize("shape", [(30, 8), (12, 50)])
def test_ridge_equals_scikit_learn(shape):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape), rng.standard_normal((shape[0], 3))
    relative = np.array([1e-4, 1e-2, 1.0])
    ours = fit_ridge(x, y, relative)
    top = np.linalg.norm(x - x.mean(axis=0), 2) ** 2
    for j, r in enumerate(relative):
        oracle = Oracle(alpha=r * top).fit(x, y[:, j])
        assert np.allclose(ours.coefficients[:, j], oracle.coef_, atol=1e-9)
        assert np.allclose(ours.predict(x)[:, j], oracle.predict(x), atol=1e-9)


def test_ridge_refuses_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="penalty"):
        fit_ridge(np.ones((4, 2)), np.ones((4, 3)), np.ones(2))


def test_folds_partition():
    parts = list(folds(17, 5, np.random.default_rng(0)))
    assert sorted(np.concatenate(parts)) == list(range(17))


def test_more_noise_asks_for_more_penalty(mixtures):
    x, y = mixtures
    quiet, loud = (
        search_penalties(
            x, y, KERNEL, noise=DetectorNoise(rms=rms), rng=np.random.default_rng(0), repeats=2
        )
        for rms in (1e-5, 3e-3)
    )
    assert np.all(loud.relative >= quiet.relative)
    assert loud.relative.sum() > quiet.relative.sum()
    assert np.all(quiet.rmsecv < 1e-2)
    assert quiet.residuals.shape == y.shape


def test_out_of_fold_residuals_come_from_models_that_did_not_see_the_sample():
    # Pure noise: in-sample ridge would explain it, out-of-fold ridge cannot.
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 60)), rng.standard_normal((40, 1))
    search = search_penalties(
        x, y, np.ones(1), noise=DetectorNoise(rms=0), rng=rng, grid=np.array([1e-6]), draws=1
    )
    assert search.residuals.std() > 0.8 * y.std()


def test_t2_limit_covers_new_observations():
    rng = np.random.default_rng(0)
    k, n = 3, 40
    beyond = 0
    for _ in range(400):
        sample, new = rng.standard_normal((n, k)), rng.standard_normal((50, k))
        d = new - sample.mean(axis=0)
        t2 = np.einsum("ij,jk,ik->i", d, np.linalg.inv(np.cov(sample.T)), d)
        beyond += int(np.sum(t2 > t2_limit(k, n)))
    assert 0.007 < beyond / 20000 < 0.013


def test_q_limit_is_the_quantile_of_a_scaled_chi_square():
    q = 2.5 * stats.chi2.rvs(8, size=200_000, random_state=0)
    assert np.isclose(q_limit(q), 2.5 * stats.chi2.ppf(0.99, 8), rtol=0.02)


def test_pca_equals_scikit_learn(mixtures):
    x, _ = mixtures
    model = fit_applicability(
        x, KERNEL, noise=DetectorNoise(rms=0), rng=np.random.default_rng(0), draws=1, explained=0.9
    )
    filtered = np.lib.stride_tricks.sliding_window_view(x, 15, axis=1) @ KERNEL
    oracle = PCA(model.score_std.size).fit(filtered)
    overlap = np.abs(model.loadings @ oracle.components_.T)
    assert np.allclose(overlap, np.eye(len(overlap)), atol=1e-6)
    assert np.allclose(model.score_std**2, oracle.explained_variance_)
    assert components_for(filtered, 0.9) == PCA(0.9).fit(filtered).n_components_


def test_applicability_passes_good_spectra_and_flags_foreign_ones(mixtures):
    x, _ = mixtures
    rng = np.random.default_rng(0)
    noise = DetectorNoise()
    model = fit_applicability(x[:50], KERNEL, noise=noise, rng=rng)
    scans = np.concatenate([noise.add(x[50:], rng) for _ in range(20)])
    flagged = sum(bool(model.assess(scan).reasons) for scan in scans)
    assert flagged <= 0.1 * len(scans)
    stranger = x[0] + 0.2 * np.exp(-(((np.arange(120) - 100) / 6) ** 2))
    assert "q_above_limit" in model.assess(stranger).reasons
    concentrated = x.mean(axis=0) + 20 * (x[0] - x.mean(axis=0))
    assert "t2_above_limit" in model.assess(concentrated).reasons
    again = type(model).from_arrays(applicability_arrays(model))
    assert again.assess(x[0]) == model.assess(x[0])
