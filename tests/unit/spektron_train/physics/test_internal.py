import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_train.physics.internal import (
    Coordinate,
    CoordinateError,
    b_matrix,
    curvature,
    values,
)
from spektron_train.physics.molecule import Molecule, library, library_names
from spektron_train.physics.primitives import primitives
from spektron_train.physics.wilson import internals

ALL = (
    Coordinate("stretch", (0, 1)),
    Coordinate("bend", (0, 1, 2)),
    Coordinate("torsion", (0, 1, 2, 3)),
    Coordinate("out-of-plane", (0, 1, 2, 3)),
    Coordinate("linear bend", (0, 1, 2), (0.0, 0.6, 0.8)),
)


def shaken(seed):
    # Four atoms far from where any of the coordinates is undefined.
    base = np.array([[0, 0, 1.8], [0, 0, 0], [1.9, 0, -0.4], [2.0, 1.5, 1.5]])
    return base + np.random.default_rng(seed).uniform(-0.3, 0.3, (4, 3))


def torch_values(x):
    """The definitions once more, independently: by torch, with other formulas."""

    def unit(v):
        return v / torch.linalg.vector_norm(v)

    a, b, c, d = x
    stretch = torch.linalg.vector_norm(a - b)
    bend = torch.acos(unit(a - b) @ unit(c - b))
    axis = unit(c - b)
    first = (a - b) - ((a - b) @ axis) * axis
    last = (d - c) - ((d - c) @ axis) * axis
    sine = torch.linalg.cross(axis, first) @ last
    torsion = torch.atan2(sine, first @ last)
    normal = unit(torch.linalg.cross(c - b, d - b))
    out = torch.asin(unit(a - b) @ normal)
    reference = torch.tensor([0.0, 0.6, 0.8], dtype=torch.float64)
    linear = reference @ (unit(a - b) + unit(c - b))
    return torch.stack([stretch, bend, torsion, out, linear])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_b_is_the_derivative_that_torch_finds(seed):
    x = shaken(seed)
    t = torch.tensor(x)
    np.testing.assert_allclose(values(ALL, x), torch_values(t).numpy(), rtol=0, atol=1e-12)
    expected = torch.autograd.functional.jacobian(torch_values, t).reshape(5, 12).numpy()
    np.testing.assert_allclose(b_matrix(ALL, x), expected, rtol=0, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_curvature_is_the_second_derivative_that_torch_finds(seed):
    x, weights = shaken(seed), np.random.default_rng(seed).normal(size=5)
    second = torch.autograd.functional.hessian(
        lambda t: torch.tensor(weights) @ torch_values(t), torch.tensor(x)
    )
    expected = second.reshape(12, 12).numpy()
    np.testing.assert_allclose(curvature(ALL, x, weights), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", library_names())
def test_b_is_the_difference_of_coordinates(name):
    molecule = library(name)
    coordinates = primitives(molecule)[::7]
    x = molecule.positions
    b, step = b_matrix(coordinates, x), 1e-4
    for column in range(min(x.size, 12)):
        moved = np.zeros(x.size)
        moved[column] = step
        moved = moved.reshape(x.shape)
        change = values(coordinates, x + moved) - values(coordinates, x - moved)
        change = (change + np.pi) % (2 * np.pi) - np.pi
        np.testing.assert_allclose(change / (2 * step), b[:, column], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", library_names())
def test_bonds_give_coordinates_that_span_all_vibrations(name):
    molecule = library(name)
    space = internals(molecule)
    expected = 3 * len(molecule.symbols) - 6 + molecule.is_linear()
    assert space.combinations.shape[1] == expected
    # Nothing changes as the molecule moves or turns as a whole.
    turned = [np.cross(axis, molecule.positions).reshape(-1) for axis in np.eye(3)]
    moved = [np.tile(axis, len(molecule.symbols)) for axis in np.eye(3)]
    assert np.abs(space.b @ np.array([*turned, *moved]).T).max() < 1e-12


def test_two_molecules_apart_are_joined_where_they_are_nearest():
    water = library("H2O")
    apart = water.positions + np.array([0, 0, 7.0])
    dimer = Molecule.at(water.symbols * 2, np.concatenate([water.positions, apart]))
    assert internals(dimer).combinations.shape[1] == 12


def test_coordinates_that_leave_a_vibration_out_are_an_error():
    stretches = (Coordinate("stretch", (0, 1)), Coordinate("stretch", (0, 2)))
    with pytest.raises(CoordinateError, match="span 2 vibrations; there are 3"):
        internals(library("H2O"), stretches)


@pytest.mark.parametrize(
    "coordinate", [Coordinate("bend", (1, 0, 2)), Coordinate("torsion", (1, 0, 2, 3))]
)
def test_a_bend_of_a_straight_line_is_not_defined(coordinate):
    line = np.array([[0, 0, 0], [0, 0, 2.0], [0, 0, -2.0], [0, 0, -4.0]])
    with pytest.raises(CoordinateError, match="is not defined in this geometry"):
        b_matrix((coordinate,), line)


@pytest.mark.parametrize(
    ("kind", "atoms", "reference"),
    [
        ("bend", (0, 1), None),
        ("stretch", (0, 0), None),
        ("linear bend", (0, 1, 2), None),
        ("bend", (0, 1, 2), (1.0, 0.0, 0.0)),
    ],
)
def test_a_coordinate_of_the_wrong_atoms_is_an_error(kind, atoms, reference):
    with pytest.raises(CoordinateError):
        Coordinate(kind, atoms, reference)
