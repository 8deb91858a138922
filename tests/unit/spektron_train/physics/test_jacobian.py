"""The Jacobian of spectra: against differences, and against what must hold for any field."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_train.physics.identifiability.degeneracy import near_degeneracies
from spektron_train.physics.identifiability.full_field import (
    every_constant,
    symmetric_point,
    without_symmetry,
)
from spektron_train.physics.identifiability.jacobian import (
    Directions,
    clusters,
    differences,
    independent,
    jacobian,
    rank_of,
    spectrum,
)
from spektron_train.physics.identifiability.montecarlo import unknowns
from spektron_train.physics.identifiability.valence import transferable
from spektron_train.physics.smiles import from_smiles
from spektron_train.physics.surface import stored

SMILES = ("CCO", "C#CCN", "OC1CN1", "C=NCOC")


def agree(point, directions, step=1e-5):
    exact = jacobian(point, directions)
    apart = differences(point, directions, step=step) - exact
    return float(np.linalg.norm(apart, 2) / np.linalg.norm(exact, 2))


@pytest.mark.parametrize("smiles", SMILES)
def test_derivatives_of_all_parameters_of_a_model_are_differences(smiles):
    model = transferable(from_smiles(smiles), 3)
    every, _ = unknowns(model)
    assert agree(model.point, every) < 1e-6


@pytest.mark.parametrize("name", ["H2O", "H2CO", "NH3"])
def test_derivatives_at_symmetric_and_at_other_points_are_differences(name):
    point = symmetric_point(stored(name))[2]
    every = every_constant(point)
    # Sums over degenerate levels have derivatives; so has everything without symmetry.
    assert agree(point, every) < 1e-6
    assert agree(without_symmetry(point, np.random.default_rng(5)), every) < 1e-5


@given(st.integers(0, 2**31), st.sampled_from(SMILES))
@settings(max_examples=10, deadline=None)
def test_no_force_field_changes_the_sums_of_intensities(seed, smiles):
    point = transferable(from_smiles(smiles), seed).point
    rows = jacobian(point, every_constant(point), near=0.0)
    n = len(point.f)
    scale = np.abs(rows).max()
    for part in (rows[n : 2 * n], rows[2 * n :]):
        assert np.abs(part.sum(axis=0)).max() < 1e-8 * scale


def test_positions_that_are_counted_twice_tell_nothing_new():
    model = transferable(from_smiles("CCO"), 0)
    rows = jacobian(model.point, model.field)
    n = len(model.point.f)
    twice = np.vstack([rows, rows[:n]])
    assert len(twice) == 4 * n
    assert rank_of(twice).rank == rank_of(rows).rank


def test_what_one_gap_does_to_single_levels_it_does_not_do_to_symmetric_functions():
    found = near_degeneracies(stored("H2CO"), np.random.default_rng(2), (1e-6, 1e-5, 1e-4))
    sizes = np.array([one.single for one in found])
    gaps = np.array([one.gap for one in found])
    np.testing.assert_allclose(gaps[1:] / gaps[:-1], 10, rtol=1e-3)
    np.testing.assert_allclose(sizes[:-1] / sizes[1:], 10, rtol=0.05)
    # Differences over more than the gap are of no derivative.
    assert found[0].single_missed > 0.5
    for one in found:
        assert one.symmetric == pytest.approx(found[0].symmetric, rel=1e-3)
        assert one.symmetric_missed < 1e-4


def test_as_many_symmetric_functions_as_levels():
    point = transferable(from_smiles("CC(C)N"), 0).point
    wavenumbers, _, _ = spectrum(point)
    groups = clusters(wavenumbers)
    assert len(groups) < len(wavenumbers) == groups[-1].stop
    assert [g.stop for g in groups[:-1]] == [g.start for g in groups[1:]]
    assert jacobian(point, every_constant(point)).shape[0] == 3 * len(wavenumbers)


@given(st.integers(0, 5), st.integers(0, 2**31))
def test_rank_and_independent_directions(rank, seed):
    rng = np.random.default_rng(seed)
    # The first rows are at right angles, the others combinations of them.
    first = np.linalg.qr(rng.normal(size=(16, rank)))[0].T
    f = np.vstack([first, rng.normal(size=(6 - rank, rank)) @ first])
    assert rank_of(f).rank == rank
    assert rank_of(f).deficit == 16 - rank
    directions = Directions.of_field(tuple("abcdef"), f.reshape(6, 4, 4), 9)
    assert independent(directions) == list(range(rank))
    assert independent(directions, most=2) == list(range(min(rank, 2)))
