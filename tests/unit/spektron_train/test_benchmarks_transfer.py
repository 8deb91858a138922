"""What the transfer benchmark rests on: its peers' PLS, its choice of samples, its cases."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.transfer_peers import all_peers, pls_path
from tests.benchmarks.transfer_sets import Case, kennard_stone, simulated


def test_the_peers_pls_is_scikit_learn_s():
    cross = pytest.importorskip("sklearn.cross_decomposition")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 12)), rng.standard_normal(30)
    x, y = x - x.mean(axis=0), y - y.mean()
    path = pls_path(x, y, 6)
    for k in (1, 3, 6):
        oracle = cross.PLSRegression(n_components=k, scale=False).fit(x, y)
        np.testing.assert_allclose(x @ path[k - 1], oracle.predict(x).ravel(), atol=1e-8)


def test_kennard_stone_takes_the_farthest():
    x = np.array([[0.0], [1.0], [4.0], [10.0], [9.0]])
    assert set(kennard_stone(x, 2)) == {0, 3}
    assert set(kennard_stone(x, 3)) == {0, 3, 2}


def test_simulated_instruments_differ_in_axis_and_range():
    case = simulated(3)
    assert case.x_source.shape == (60, case.source_axis.size)
    assert case.x_test.shape == (40, case.target_axis.size)
    assert case.target_axis.size != case.source_axis.size
    np.testing.assert_array_equal(case.y, simulated(3).y)


def test_every_peer_transfers_a_mean_shift():
    pytest.importorskip("pynir")
    rng = np.random.default_rng(1)
    axis = np.linspace(1000, 1200, 80)
    bands = np.exp(-0.5 * ((axis - np.array([[1040], [1100], [1160]])) / 18) ** 2)
    amounts = rng.random((60, 3))
    x = amounts @ bands + 1e-4 * rng.standard_normal((60, 80))
    t = x + 0.05 * np.sin(axis / 30) + 1e-4 * rng.standard_normal((60, 80))
    case = Case(axis, axis, x[:40], t[:40], amounts[:40, :2], t[40:], amounts[40:, :2])
    found = all_peers(case, kennard_stone(case.x_source, 8))
    for name, predicted in found.items():
        rest = np.mean((predicted - case.y_test) ** 2, axis=0) / case.y_test.var(axis=0)
        assert np.all(rest < 0.1), name
