from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.bundle.merit import Merit, median_merits, merit, merits


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    reference = rng.uniform(8, 12, (30, 2))
    return reference + rng.normal(0.1, 0.3, reference.shape), reference


def test_r2_and_rmsep_are_sklearns(data):
    metrics = pytest.importorskip("sklearn.metrics")
    for j in range(2):
        predicted, reference = data[0][:, j], data[1][:, j]
        seen = merit(predicted, reference)
        assert seen.r2 == pytest.approx(metrics.r2_score(reference, predicted))
        assert seen.rmsep**2 == pytest.approx(metrics.mean_squared_error(reference, predicted))


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=2, max_size=30),
)
def test_rmsep_is_made_of_bias_and_sep(pairs):
    predicted, reference = np.array(pairs).T
    seen = merit(predicted, reference)
    n = len(pairs)
    assert seen.rmsep**2 == pytest.approx(seen.bias**2 + seen.sep**2 * (n - 1) / n, abs=1e-9)
    assert np.all(np.isfinite(list(seen.as_dict().values())))


def test_references_that_hardly_vary_leave_finite_figures():
    seen = merit(np.array([0.0, 1.0]), np.array([0.0, 1e-160]))
    assert seen.r2 == -1e9
    assert merit(np.array([0.0, 1e9]), np.array([1e-160, 1e9])).rpd <= 1e9


def test_a_constant_error_is_all_bias():
    reference = np.array([1.0, 2.0, 4.0])
    seen = merit(reference + 0.5, reference)
    assert (seen.bias, seen.rmsep) == (0.5, 0.5)
    assert seen.sep == pytest.approx(0.0, abs=1e-15)


def test_rpd_is_spread_over_sep(data):
    seen = merit(data[0][:, 0], data[1][:, 0])
    assert seen.rpd == pytest.approx(np.std(data[1][:, 0], ddof=1) / seen.sep)


@pytest.mark.parametrize(("error", "r2"), [(0.0, 1.0), (0.1, 0.0)])
def test_where_the_reference_does_not_vary_r2_is_as_in_sklearn(error, r2):
    assert merit(np.full(3, 2.0 + error), np.full(3, 2.0)).r2 == r2


@pytest.mark.parametrize(
    ("predicted", "reference"),
    [
        (np.zeros(1), np.zeros(1)),
        (np.zeros(3), np.zeros(4)),
        (np.zeros((2, 2)), np.zeros((2, 2))),
        (np.zeros(0), np.zeros(0)),
    ],
)
def test_other_shapes_are_refused(predicted, reference):
    with pytest.raises(ValueError, match="vectors of one length"):
        merit(predicted, reference)


def test_columns_keep_their_names(data):
    seen = merits(*data, ("oil", "starch"))
    assert seen["starch"] == merit(data[0][:, 1], data[1][:, 1])
    assert list(seen) == ["oil", "starch"]


def test_medians_are_taken_figure_by_figure():
    runs = [{"oil": Merit(r, 1 - r, 0.0, r, 2.0)} for r in (0.1, 0.3, 0.2)]
    assert median_merits(runs)["oil"] == Merit(0.2, 0.8, 0.0, 0.2, 2.0)
