from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_train.physics.internal import Coordinate, CoordinateError, values
from spektron_train.physics.modes import cartesian_modes, rigid_motions
from spektron_train.physics.molecule import Molecule, library
from spektron_train.physics.primitives import primitives
from spektron_train.physics.surface import Surface, stored
from spektron_train.physics.units import WAVENUMBER
from spektron_train.physics.valence import coordinate_type, valence_force_constants
from spektron_train.physics.wilson import (
    energy_distribution,
    force_constants,
    gf_modes,
    gradient_term,
    internals,
    solve,
)

BAR = ("H2O", "CO2", "NH3", "CH4", "C2H2", "C2H4", "H2CO", "C6H6")
LIGHT = {"H": 2, "C": 13, "N": 15, "O": 18}


@cache
def surface_of(name):
    return stored(name, "hf" if name == "C6H6" else "b3lyp")


@pytest.mark.parametrize("name", BAR)
def test_gf_equals_the_cartesian_hessian_at_a_stationary_point(name):
    surface = surface_of(name)
    space = internals(surface.molecule)
    expected = cartesian_modes(surface).wavenumbers
    # In bent coordinates, without the gradient term: at a stationary point it is nothing.
    bent = solve(space, force_constants(space, surface)).wavenumbers
    assert np.abs(bent - expected).max() < 0.1
    assert np.abs(gf_modes(surface).wavenumbers - expected).max() < 1e-6


@pytest.mark.parametrize("name", ["H2O", "CO2", "C2H4", "HOOH", "allene"])
def test_gf_equals_the_cartesian_hessian_elsewhere_by_the_gradient_term(name, computed):
    surface = computed(name, optimise=False)
    assert np.abs(surface.gradient).max() > 1e-3
    space = internals(surface.molecule)
    expected = cartesian_modes(surface).wavenumbers
    f = force_constants(space, surface)
    assert np.abs(solve(space, f).wavenumbers - expected).max() > 1
    straight = solve(space, f + gradient_term(space, surface.gradient))
    np.testing.assert_allclose(straight.wavenumbers, expected, rtol=0, atol=1e-6)


def test_force_constants_of_bent_coordinates_are_second_differences_of_the_energy():
    # Of a made-up energy, half the sum of k (q - q0)2 away from its minimum, F is k itself.
    molecule = library("H2O")
    coordinates = primitives(molecule)
    k, at = np.array([0.5, 0.4, 0.2]), np.array([1.7, 1.9, 1.6])

    def gradient(x):
        space = internals(molecule.moved(x), coordinates)
        return space.b.T @ (k * (values(coordinates, x) - at))

    x, step = molecule.positions, 1e-4
    rows = []
    for column in range(9):
        moved = np.zeros(9)
        moved[column] = step
        moved = moved.reshape(3, 3)
        rows.append((gradient(x + moved) - gradient(x - moved)) / (2 * step))
    hessian = (np.array(rows) + np.array(rows).T) / 2
    surface = Surface(
        molecule, gradient(x), hessian, np.zeros((9, 3)), np.zeros((9, 3, 3)), "made up"
    )
    space = internals(molecule, coordinates)
    u = space.combinations
    found = u @ force_constants(space, surface) @ u.T
    np.testing.assert_allclose(found, np.diag(k), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["H2O", "CO2", "C2H4", "C6H6", "HOOH"])
def test_a_valence_field_gives_what_its_cartesian_hessian_gives(name):
    molecule = library(name)
    space = internals(molecule)
    types = {coordinate_type(c, molecule.symbols) for c in space.coordinates}
    constants = {t: 0.1 + 0.05 * i for i, t in enumerate(sorted(types))}
    modes = solve(space, valence_force_constants(space, constants))
    # At its minimum the Hessian of half the sum of k (q - q0)2 is B^T k B.
    k = np.array([constants[coordinate_type(c, molecule.symbols)] for c in space.coordinates])
    hessian = space.b.T @ (k[:, None] * space.b)
    size = len(hessian)
    surface = Surface(
        molecule, np.zeros(size), hessian, np.zeros((size, 3)), np.zeros((size, 3, 3)), "valence"
    )
    expected = cartesian_modes(surface).wavenumbers
    np.testing.assert_allclose(modes.wavenumbers, expected, rtol=0, atol=1e-6)


def test_a_valence_field_without_a_constant_is_an_error():
    with pytest.raises(CoordinateError, match="no force constant of: bend H-O-H"):
        valence_force_constants(internals(library("H2O")), {"stretch H-O": 0.5})


def test_a_diatomic_is_its_textbook_oscillator():
    molecule = library("HCl")
    space = internals(molecule)
    modes = solve(space, valence_force_constants(space, {"stretch Cl-H": 0.33}))
    reduced = 1 / (1 / molecule.masses).sum()
    assert modes.wavenumbers == pytest.approx([np.sqrt(0.33 / reduced) * WAVENUMBER])


def inertia(molecule):
    centred = molecule.positions - molecule.masses @ molecule.positions / molecule.masses.sum()
    tensor = np.einsum(
        "n,nij->ij", molecule.masses, [(x @ x) * np.eye(3) - np.outer(x, x) for x in centred]
    )
    moments = np.linalg.eigvalsh(tensor)
    return moments[1:].prod() if molecule.is_linear() else moments.prod()


@pytest.mark.parametrize("name", BAR)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_isotopologues_obey_teller_and_redlich(name, data):
    surface = surface_of(name)
    light = surface.molecule
    atoms = data.draw(st.sets(st.integers(0, len(light.symbols) - 1), min_size=1))
    heavy = light.with_isotopes({atom: LIGHT[light.symbols[atom]] for atom in atoms})
    space = internals(light)
    f = force_constants(space, surface)
    ratio = np.prod(solve(internals(heavy), f).wavenumbers / solve(space, f).wavenumbers)
    # Angus et al., J. Chem. Soc. 971 (1936); all species of the group together.
    whole = (heavy.masses.sum() / light.masses.sum()) ** 1.5
    turning = np.sqrt(inertia(heavy) / inertia(light))
    parts = np.prod((light.masses / heavy.masses) ** 1.5)
    assert ratio == pytest.approx(whole * turning * parts, rel=1e-6)


@pytest.mark.parametrize("name", BAR)
def test_modes_are_orthonormal_and_move_nothing_as_a_whole(name):
    modes = gf_modes(surface_of(name))
    weighted = modes.displacements * np.repeat(np.sqrt(modes.molecule.masses), 3)
    np.testing.assert_allclose(weighted @ weighted.T, np.eye(len(weighted)), atol=1e-12)
    assert np.abs(weighted @ rigid_motions(modes.molecule).T).max() < 1e-12


@pytest.mark.parametrize("name", BAR)
def test_shares_of_energy_add_up_to_one(name):
    surface = surface_of(name)
    space = internals(surface.molecule)
    f = force_constants(space, surface)
    shares = energy_distribution(space, f, solve(space, f))
    assert shares.shape[1] == len(space.coordinates)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-9)


def test_the_energy_is_where_the_textbook_has_it():
    surface = stored("H2CO")
    space = internals(surface.molecule)
    f = force_constants(space, surface)
    shares = energy_distribution(space, f, solve(space, f))
    kinds = np.array([coordinate_type(c, surface.molecule.symbols) for c in space.coordinates])
    softest, carbonyl, hardest = shares[0], shares[3], shares[5]
    assert sum(s for s, k in zip(softest, kinds, strict=True) if "plane" in k) > 0.99
    assert carbonyl[kinds == "stretch C-O"].sum() > 0.8
    assert hardest[kinds == "stretch C-H"].sum() > 0.9


def test_wavenumbers_do_not_depend_on_which_coordinates_span_the_vibrations(computed):
    surface = computed("H2CO")
    few = (
        Coordinate("stretch", (0, 1)),
        Coordinate("stretch", (1, 2)),
        Coordinate("stretch", (1, 3)),
        Coordinate("bend", (0, 1, 2)),
        Coordinate("bend", (0, 1, 3)),
        Coordinate("out-of-plane", (0, 1, 2, 3)),
    )
    space = internals(surface.molecule, few)
    assert space.b.shape == (6, 12)
    found = solve(space, force_constants(space, surface)).wavenumbers
    np.testing.assert_allclose(found, gf_modes(surface).wavenumbers, rtol=0, atol=0.05)


def test_one_atom_has_no_vibrations(computed):
    atom = Molecule.at(("He",), np.zeros((1, 3)))
    surface = Surface(
        atom, np.zeros(3), np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3, 3)), "none"
    )
    assert gf_modes(surface).wavenumbers.size == 0
    assert cartesian_modes(surface).wavenumbers.size == 0
