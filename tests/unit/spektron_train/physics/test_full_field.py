"""Case a: how many constants of the whole field a spectrum leaves open."""

import numpy as np
import pytest

from spektron_train.physics.identifiability.counting import count
from spektron_train.physics.identifiability.full_field import (
    close,
    closings,
    every_constant,
    isotopologues,
    reachable,
    symmetric_constants,
    symmetric_point,
    without_symmetry,
)
from spektron_train.physics.identifiability.jacobian import jacobian, rank_of, spectrum
from spektron_train.physics.molecule import library, library_names
from spektron_train.physics.surface import stored
from spektron_train.physics.symmetry.activity import activity

NAMES = ("H2O", "NH3", "H2CO", "CH4", "C2H4", "CO2", "C2H2")


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(11)
    return {name: closings(name, stored(name), rng) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_general_field_is_open_from_four_atoms_on(found, name):
    generic, _ = found[name]
    n = generic.vibrations
    assert generic.alone.unknowns == n * (n + 1) // 2
    # A field turned about a linear molecule's axis has the same spectrum, of any isotopologue.
    linear = name in ("CO2", "C2H2")
    assert generic.alone.rank == min(reachable(n), generic.alone.unknowns - linear)
    assert (generic.alone.deficit > linear) == (len(library(name).symbols) > 3)
    assert generic.closed.deficit == linear


@pytest.mark.parametrize("name", NAMES)
def test_of_a_symmetric_field_the_silent_part_is_open(found, name):
    _, symmetric = found[name]
    species = activity(library(name)).species
    sizes = {one: one.fundamentals * (one.fundamentals + 1) // 2 for one in species}
    assert symmetric.alone.unknowns == sum(sizes.values())
    assert symmetric.alone.deficit == sum(sizes[one] for one in species if one.silent)
    assert symmetric.closed.full


def test_which_isotopologue_shows_what_is_silent_in_ethylene(found):
    _, symmetric = found["C2H4"]
    assert symmetric.isotopologues == ("2H5",)


def test_more_isotopologues_never_tell_less():
    molecule = library("H2CO")
    point = without_symmetry(symmetric_point(stored("H2CO"))[2], np.random.default_rng(4))
    every = every_constant(point)
    others = list(isotopologues(molecule))
    assert len(others) == 2**4 - 1
    rows = jacobian(point, every)
    alone, added, closed = close(point, every, molecule, others)
    assert alone == rank_of(rows)
    assert len(added) == 1
    assert closed.full
    # Without others to ask, nothing is added.
    assert close(point, every, molecule, []) == (alone, (), alone)


def test_constants_are_relative_changes():
    point = symmetric_point(stored("H2O"))[2]
    every = every_constant(point)
    rows = jacobian(point, every)[:3]
    diagonal = [every.names.index(f"F{i},{i}") for i in range(3)]
    np.testing.assert_allclose(rows[:, diagonal], np.eye(3) / 2, atol=1e-9)
    np.testing.assert_allclose(np.delete(rows, diagonal, axis=1), 0, atol=1e-9)


def test_symmetric_constants_keep_the_symmetry():
    symmetry, space, point = symmetric_point(stored("NH3"))
    whole = symmetric_constants(symmetry, space, every_constant(point))
    shift = 0.05 * np.tensordot(np.arange(1, 7), whole.f, axes=1)
    levels, _, _ = spectrum(type(point)(**{**vars(point), "f": point.f + shift}))
    gaps = np.diff(levels)
    assert (gaps < 1e-6).sum() == 2


@pytest.mark.parametrize("name", library_names())
def test_four_to_one_is_the_counting_whatever_the_molecule(name):
    one = count(name)
    assert one.ratio == 4.0
    assert one.distinct <= 3 * one.unknowns
    assert one.symmetric <= one.constants


def test_benzene_shows_fewer_numbers_than_it_has_modes():
    one = count("C6H6")
    # 11 levels, 4 of them infrared and 7 Raman active, none both.
    assert (one.distinct, one.unknowns, one.symmetric, one.constants) == (22, 30, 34, 465)
