"""Normal modes sorted by projection; intensities against selection rules; both theorems."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_train.physics.lines import lines
from spektron_train.physics.modes import cartesian_modes, rigid_motions
from spektron_train.physics.molecule import library, library_names
from spektron_train.physics.surface import compute
from spektron_train.physics.symmetry.activity import activity
from spektron_train.physics.symmetry.fields import levels, random_surface, symmetrised
from spektron_train.physics.symmetry.modes import assign, projectors
from spektron_train.physics.symmetry.theorems import (
    Exclusion,
    Fibre,
    Invariance,
    check,
    silent_stiffened,
)

SEEDS = st.integers(0, 2**32 - 1)
SILENT = [n for n in library_names() if activity(library(n)).silent]


def _drawn(name, seed):
    found = activity(library(name))
    surface = random_surface(found.symmetry, np.random.default_rng(seed))
    return found, replace(surface, hessian=symmetrised(found.symmetry, surface.hessian))


def _told(found):
    return {one.irrep: one.freedom for one in found.species}


@given(st.sampled_from(library_names()), SEEDS)
@settings(max_examples=30, deadline=None)
def test_modes_of_any_symmetric_field_are_those_that_reduction_counts(name, seed):
    found, surface = _drawn(name, seed)

    sorted_ = assign(found.symmetry, found.irreps, cartesian_modes(surface))

    assert Counter(sorted_.irreps) == _told(found)
    assert sorted_.purity.min() > 0.999


@given(st.sampled_from(library_names()), SEEDS)
@settings(max_examples=30, deadline=None)
def test_intensities_are_there_where_selection_rules_say(name, seed):
    found, surface = _drawn(name, seed)
    sorted_ = assign(found.symmetry, found.irreps, cartesian_modes(surface))
    seen = lines(surface, sorted_.modes)

    rules = {one.irrep: one for one in found.species}
    largest = max(seen.infrared.max(), 1e-9), seen.raman.max()
    # One mode of a degenerate level may lie across a tensor's only component: species together.
    for irrep, one in rules.items():
        these = np.array(sorted_.irreps) == irrep
        assert (seen.infrared[these].max() > 1e-14 * largest[0]) == one.infrared
        assert (seen.raman[these].max() > 1e-14 * largest[1]) == one.raman


@pytest.mark.parametrize("name", ["H2O", "CO2", "NH3", "CH4", "C2H4", "C6H6", "SF6", "allene"])
def test_computed_spectra_obey(name):
    """GFN2-xTB knows no group theory: its optimised geometry and intensities have the symmetry."""
    surface = compute(library(name), "gfn2")
    found = activity(surface.molecule)
    sorted_ = assign(found.symmetry, found.irreps, cartesian_modes(surface))
    seen = lines(surface, sorted_.modes)

    assert found.group.name == activity(library(name)).group.name
    assert found.symmetry.moved < 1e-4
    assert Counter(sorted_.irreps) == _told(found)
    for one in found.species:
        these = np.array(sorted_.irreps) == one.irrep
        if not one.infrared:
            assert seen.infrared[these].max() < 1e-4 * seen.infrared.max()
        if not one.raman:
            assert seen.raman[these].max() < 1e-4 * seen.raman.max()


@pytest.mark.parametrize("name", ["C6H6", "CH4", "CO2", "ferrocene"])
def test_modes_that_all_fall_together_are_still_told_apart(name):
    found, surface = _drawn(name, 0)
    molecule = found.symmetry.molecule
    roots = np.repeat(np.sqrt(molecule.masses), 3)
    rigid = rigid_motions(molecule)
    flat = (np.eye(len(roots)) - rigid.T @ rigid) * np.outer(roots, roots)

    sorted_ = assign(found.symmetry, found.irreps, cartesian_modes(replace(surface, hessian=flat)))

    assert Counter(sorted_.irreps) == _told(found)
    weighted = sorted_.modes.displacements * roots
    np.testing.assert_allclose(weighted @ weighted.T, np.eye(found.vibrations), atol=1e-9)


def test_modes_of_a_field_without_the_symmetry_are_of_no_species():
    found = activity(library("C6H6"))
    surface = random_surface(found.symmetry, np.random.default_rng(0))

    sorted_ = assign(found.symmetry, found.irreps, cartesian_modes(surface))

    assert set(sorted_.irreps) == {None}


def test_modes_of_another_molecule_are_refused():
    found, _ = _drawn("CH4", 0)
    _, other = _drawn("H2O", 0)
    with pytest.raises(ValueError, match="9 coordinates; the molecule has 15"):
        assign(found.symmetry, found.irreps, cartesian_modes(other))


@pytest.mark.parametrize("name", ["C6H6", "SF6", "CO2", "HCN", "S4", "C5"])
def test_projectors_split_all_displacements(name):
    from .point_groups import GENERATORS, arrangement

    molecule = arrangement(name) if name in GENERATORS else library(name)
    found = activity(molecule, 1e-3)
    whole = projectors(found.symmetry, found.irreps)

    np.testing.assert_allclose(whole.sum(axis=0), np.eye(whole.shape[1]), atol=1e-9)
    for one in whole:
        np.testing.assert_allclose(one @ one, one, atol=1e-9)


@given(st.sampled_from(library_names()), SEEDS)
@settings(max_examples=15, deadline=None)
def test_both_theorems(name, seed):
    found = check(library(name), np.random.default_rng(seed))

    assert found.holds
    assert (found.exclusion is None) != activity(library(name)).symmetry.centrosymmetric
    assert (found.fibre.silent > 0) == (name in SILENT)


@given(st.sampled_from(SILENT), SEEDS)
@settings(max_examples=10, deadline=None)
def test_two_fields_of_one_spectrum(name, seed):
    found, surface = _drawn(name, seed)
    other = replace(surface, hessian=silent_stiffened(found, surface.hessian))
    first, second = levels(surface), levels(other)
    lit = [s.wavenumbers[(s.infrared > 1e-14) | (s.raman > 1e-14)] for s in (first, second)]

    np.testing.assert_allclose(lit[0], lit[1], rtol=1e-9)
    assert not np.allclose(surface.hessian, other.hessian, rtol=1e-3)
    assert not np.allclose(first.wavenumbers, second.wavenumbers, rtol=1e-3)


def test_what_does_not_hold_is_said():
    assert not Invariance(images=4, field_apart=0.5, spectrum_apart=1e-3).holds
    assert not Fibre(1, 1, field_apart=0.1, spectrum_apart=1e-3, shift=0.1).holds
    assert not Fibre(1, 1, field_apart=0.0, spectrum_apart=0.0, shift=0.0).holds
    assert not Exclusion(3, 1, both=1, overlap=0.0, gain=1, atoms=3).holds
    assert not Exclusion(3, 1, both=0, overlap=1e-3, gain=1, atoms=3).holds
    assert not Exclusion(3, 1, both=0, overlap=0.0, gain=0, atoms=3).holds
    assert Exclusion(0, 1, both=0, overlap=0.0, gain=0, atoms=2).holds
