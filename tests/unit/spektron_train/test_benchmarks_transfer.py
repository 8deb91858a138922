"""What the transfer benchmark rests on: its peers' PLS, its choice of samples, its cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.benchmarks.old_peers import predictions
from tests.benchmarks.transfer_cases import PEERS, UNPAIRED_PEERS
from tests.benchmarks.transfer_peers import all_peers, paired_task, pls_path, unpaired_task
from tests.benchmarks.transfer_sets import Case, kennard_stone, simulated
from tests.requirements import need


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


@pytest.fixture(scope="module")
def shifted_case():
    rng = np.random.default_rng(1)
    axis = np.linspace(1000, 1200, 80)
    bands = np.exp(-0.5 * ((axis - np.array([[1040], [1100], [1160]])) / 18) ** 2)
    amounts = rng.random((60, 3))
    x = amounts @ bands + 1e-4 * rng.standard_normal((60, 80))
    t = x + 0.05 * np.sin(axis / 30) + 1e-4 * rng.standard_normal((60, 80))
    return Case(axis, axis, x[:40], t[:40], amounts[:40, :2], t[40:], amounts[40:, :2])


def left(case, predicted):
    """Share of the references' variance that is left over, the larger of two properties."""
    return np.max(np.mean((predicted - case.y_test) ** 2, axis=0) / case.y_test.var(axis=0))


def test_every_peer_transfers_a_mean_shift(shifted_case):
    pytest.importorskip("pynir")
    pytest.importorskip("ot")
    task = paired_task(shifted_case, kennard_stone(shifted_case.x_source, 8))
    for name, predicted in all_peers(task, PEERS).items():
        # Transport is not told which samples are partners.
        assert left(shifted_case, predicted) < (0.6 if "POT" in name else 0.1), name


def test_linear_transport_needs_no_pairs(shifted_case):
    pytest.importorskip("ot")
    task = unpaired_task(shifted_case, np.arange(20), np.arange(20, 40))
    found = all_peers(task, UNPAIRED_PEERS)
    assert left(shifted_case, found["linear OT (POT)"]) < 0.6


@pytest.mark.long
def test_peers_in_old_packages_agree_with_ours_and_say_their_versions(shifted_case):
    need("peers")
    task = paired_task(shifted_case, kennard_stone(shifted_case.x_source, 8))
    found, versions = predictions(task)
    ours = all_peers(task, ("EPO", "SST (pynir)"))
    np.testing.assert_allclose(found["EPO (pycaltransfer)"], ours["EPO"], atol=1e-6)
    assert any(v.startswith("pycaltransfer 0.1.8") for v in versions)
    for name in ("DS", "PDS", "SST", "EPO", "TOP", "DOP", "JYPLS", "TCA"):
        assert left(shifted_case, found[f"{name} (pycaltransfer)"]) < 0.5, name
    unpaired = unpaired_task(shifted_case, np.arange(20), np.arange(20, 40))
    alone, _ = predictions(unpaired)
    assert set(alone) == {"uDOP (pycaltransfer)", "TCA (pycaltransfer)", "DIPLS (diPLSlib)"}
    assert all(np.all(np.isfinite(values)) for values in alone.values())


@pytest.mark.long
def test_what_goes_wrong_in_the_other_environment_is_told(shifted_case):
    need("peers")
    task = paired_task(shifted_case, np.arange(8))
    with pytest.raises(RuntimeError, match="old peers failed"):
        predictions(replace(task, y=task.y[:3]))
