from __future__ import annotations

import numpy as np
import pytest

from spektron_edge.prediction.diagnostics import Applicability, ApplicabilityModel
from spektron_edge.spectra.preprocessing import correlate_valid
from tests import bundles


@pytest.fixture
def arrays():
    return bundles.source_arrays()


def test_t2_and_q_are_those_of_a_principal_component_analysis(arrays):
    model = ApplicabilityModel.from_arrays(arrays)
    calibration = correlate_valid(bundles.spectra(40), arrays["pca_kernel"])
    mean = calibration.mean(axis=0)
    covariance = np.cov(calibration, rowvar=False)
    variance, vectors = np.linalg.eigh(covariance)
    axes, spread = vectors[:, ::-1][:, :3], variance[::-1][:3]
    for spectrum in bundles.spectra(10, seed=8):
        centred = correlate_valid(spectrum, arrays["pca_kernel"]) - mean
        scores = centred @ axes
        seen = model.assess(spectrum)
        assert seen.t2 == pytest.approx(np.sum(scores**2 / spread), rel=1e-6)
        assert seen.q == pytest.approx(np.sum((centred - axes @ scores) ** 2), rel=1e-4)


def test_mahalanobis_distance_is_sklearns(arrays):
    decomposition = pytest.importorskip("sklearn.decomposition")
    model = ApplicabilityModel.from_arrays(arrays)
    pca = decomposition.PCA(3).fit(correlate_valid(bundles.spectra(40), arrays["pca_kernel"]))
    spectra = bundles.spectra(10, seed=8)
    scores = pca.transform(correlate_valid(spectra, arrays["pca_kernel"]))
    wanted = np.sum(scores**2 / pca.explained_variance_, axis=1)
    np.testing.assert_allclose([model.assess(s).t2 for s in spectra], wanted, rtol=1e-6)


def test_good_spectra_are_inside_and_strange_ones_outside(arrays):
    model = ApplicabilityModel.from_arrays(arrays)
    assert all(model.assess(s).reasons == () for s in bundles.spectra(50, seed=8))
    spike = bundles.spectra(1)[0]
    spike[30] += 0.2
    assert "q_above_limit" in model.assess(spike).reasons
    far = 30 * (bundles.spectra(1)[0] - bundles.spectra(40).mean(axis=0))
    assert "t2_above_limit" in model.assess(bundles.spectra(1)[0] + far).reasons


def test_an_offset_in_absorbance_is_no_reason(arrays):
    model = ApplicabilityModel.from_arrays(arrays)
    spectrum = bundles.spectra(1)[0]
    assert model.assess(spectrum + 0.5).q == pytest.approx(model.assess(spectrum).q, rel=1e-6)


def test_the_nearest_neighbour_is_found_and_its_limit_is_the_calibration_s_own(arrays):
    calibration = bundles.spectra(40)
    without = {name: values for name, values in arrays.items() if name != "x"}
    assert ApplicabilityModel.from_arrays(without).assess(calibration[0]).neighbour is None
    model = ApplicabilityModel.from_arrays({**arrays, "x": calibration})
    filtered = correlate_valid(calibration, arrays["pca_kernel"]) - arrays["pca_mean"]
    scores = filtered @ arrays["pca_loadings"].T / arrays["pca_score_std"]
    distances = np.linalg.norm(scores[:, None] - scores[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    seen = model.assess(calibration[0])
    assert seen.neighbour == pytest.approx(0.0, abs=1e-6)
    assert seen.neighbour_limit == pytest.approx(distances.min(axis=1).max(), rel=1e-6)
    far = bundles.spectra(1)[0] + 30 * (bundles.spectra(1)[0] - calibration.mean(axis=0))
    assert model.assess(far).neighbour > seen.neighbour_limit


@pytest.mark.parametrize(
    "spectra", [np.zeros((1, 60)), np.zeros((5, 59)), np.full((5, 60), np.nan)]
)
def test_calibration_spectra_that_do_not_fit_give_no_neighbours(arrays, spectra):
    model = ApplicabilityModel.from_arrays({**arrays, "x": spectra})
    assert model.assess(bundles.spectra(1)[0]).neighbour is None


def test_a_distance_that_is_no_number_counts_as_outside():
    nan = float("nan")
    reasons = Applicability(t2=nan, t2_limit=1.0, q=nan, q_limit=1.0).reasons
    assert reasons == ("t2_above_limit", "q_above_limit")


@pytest.mark.parametrize("name", [n for n in bundles.source_arrays() if n.startswith("pca_")])
def test_a_missing_array_is_named(arrays, name):
    del arrays[name]
    with pytest.raises(ValueError, match=name):
        ApplicabilityModel.from_arrays(arrays)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pca_mean", np.zeros(5)),
        ("pca_mean", np.zeros((1, 54))),
        ("pca_loadings", np.zeros((2, 54))),
        ("pca_score_std", np.array([1.0, 0.0, 1.0])),
        ("pca_score_std", np.array([1.0, np.nan, 1.0])),
        ("pca_kernel", np.zeros((2, 3))),
        ("pca_kernel", np.array(1.0)),
        ("pca_kernel", np.array(["a", "b"])),
        ("pca_t2_limit", np.array([1.0, 2.0])),
        ("pca_t2_limit", np.array(np.inf)),
        ("pca_q_limit", np.array(np.nan)),
        ("pca_mean", np.full(54, np.nan)),
    ],
)
def test_arrays_that_cannot_work_are_refused(arrays, name, value):
    arrays[name] = value
    with pytest.raises(ValueError, match=r".+"):
        ApplicabilityModel.from_arrays(arrays)
