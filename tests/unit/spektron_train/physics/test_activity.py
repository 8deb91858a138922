"""Selection rules against textbooks."""

from fractions import Fraction

import pytest

from spektron_train.physics.molecule import library, library_names
from spektron_train.physics.symmetry.activity import activity
from spektron_train.physics.symmetry.operations import SymmetryError
from tests.textbook_activities import TABLE, molecule, wrong


@pytest.mark.parametrize("name", TABLE)
def test_activities_are_the_textbooks(name):
    found = activity(molecule(name))

    assert found.group.name == TABLE[name].group
    told = TABLE[name].activities()
    assert {s.irrep: (s.fundamentals, s.infrared, s.raman) for s in found.species} == told
    assert wrong(found.species, TABLE[name]) == 0


def test_the_table_is_wide_enough():
    assert len(TABLE) >= 20
    assert len({entry.group for entry in TABLE.values()}) >= 12


def test_a_wrong_table_is_noticed():
    benzene = activity(library("C6H6"))

    assert wrong(benzene.species, TABLE["CH4"]) == 34


@pytest.mark.parametrize("name", library_names())
def test_degrees_of_freedom_are_complete(name):
    found = activity(library(name))

    atoms = len(found.symmetry.molecule.symbols)
    assert found.vibrations == 3 * atoms - (5 if found.symmetry.linear else 6)
    both = sum(one.freedom for one in found.species if one.infrared and one.raman)
    assert found.infrared + found.raman - both + found.silent == found.vibrations


def test_both_figures_of_benzene():
    benzene = activity(library("C6H6"))

    assert (benzene.infrared, benzene.raman, benzene.silent) == (7, 12, 11)
    assert benzene.observable_share == benzene.literal_ratio == Fraction(19, 30)


def test_the_literal_ratio_counts_twice_what_both_show():
    water = activity(library("H2O"))

    assert water.observable_share == 1
    assert water.literal_ratio == 2


def test_modes_can_exclude_each_other_without_a_centre():
    ferrocene = activity(library("ferrocene"))

    assert not ferrocene.symmetry.centrosymmetric
    assert not any(one.infrared and one.raman for one in ferrocene.species)


@pytest.mark.parametrize(
    ("name", "isotopes", "group"),
    [
        ("CH4", {1: 2}, "C3v"),
        ("CH4", {1: 2, 2: 2}, "C2v"),
        ("H2O", {1: 2}, "Cs"),
        ("C2H2", {2: 2}, "C*v"),
        ("C2H2", {2: 2, 3: 2}, "D*h"),
        ("SF6", {0: 34}, "Oh"),
        ("C6H6", {6: 2}, "C2v"),
    ],
)
def test_other_isotopes_lower_the_symmetry(name, isotopes, group):
    assert activity(library(name).with_isotopes(isotopes)).group.name == group


def test_an_atom_does_not_vibrate():
    atom = library("H2O")
    with pytest.raises(SymmetryError, match="does not vibrate"):
        activity(type(atom)(("O",), atom.positions[:1], atom.masses[:1]))


@pytest.mark.parametrize("tolerance", [0.0, -1.0, 0.5, float("nan")])
def test_tolerances_that_make_no_sense(tolerance):
    with pytest.raises(SymmetryError, match="tolerance"):
        activity(library("H2O"), tolerance)
