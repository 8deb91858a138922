"""Point groups and character tables: found on atoms that have them, and against molsym."""

import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import special_ortho_group

from spektron_train.physics.molecule import Molecule, library, library_names
from spektron_train.physics.symmetry.activity import activity
from spektron_train.physics.symmetry.characters import irreps
from spektron_train.physics.symmetry.operations import find_symmetry
from spektron_train.physics.symmetry.point_group import point_group

from .point_groups import COUNTS, GENERATORS, arrangement, operations

FINITE = [name for name in library_names() if "*" not in activity(library(name)).group.name]


@pytest.mark.parametrize("name", GENERATORS)
def test_a_group_is_found_and_its_table_is_complete(name):
    symmetry = find_symmetry(arrangement(name), 1e-3)
    group = point_group(symmetry)
    table = irreps(symmetry, group)

    assert group.name == name
    order = len(operations(name))
    assert len(symmetry.matrices) == order
    rows = np.stack([one.characters for one in table])
    np.testing.assert_allclose(
        rows @ rows.T / order, np.diag([one.parts for one in table]), atol=1e-9
    )
    # As many as the regular representation holds: none is missing, none is there twice.
    assert sum(one.degeneracy**2 // one.parts for one in table) == order
    assert len({one.name for one in table}) == len(table)
    assert len(table) == COUNTS.get(name, len(table))


@pytest.mark.parametrize("name", ["C3v", "C5", "D2d", "D4h", "D5h", "S8", "Td", "Oh", "I"])
def test_characters_are_those_of_classes(name):
    symmetry = find_symmetry(arrangement(name), 1e-3)
    table = irreps(symmetry, point_group(symmetry))
    matrices = symmetry.matrices

    for g in matrices:
        conjugate = g @ matrices @ g.T
        apart = np.abs(conjugate[:, None] - matrices).max(axis=(2, 3))
        image = apart.argmin(axis=1)
        assert apart.min(axis=1).max() < 1e-9
        for one in table:
            np.testing.assert_allclose(one.characters[image], one.characters, atol=1e-9)


@given(st.sampled_from(library_names()), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_turned_shuffled_and_shaken_molecules_keep_their_group(name, seed):
    rng = np.random.default_rng(seed)
    molecule = library(name)
    order = rng.permutation(len(molecule.symbols))
    places = molecule.positions[order] @ special_ortho_group.rvs(3, random_state=rng).T
    shaken = places + rng.normal(size=3) * 10 + rng.uniform(-0.008, 0.008, places.shape)

    before = activity(molecule)
    after = activity(
        Molecule(tuple(molecule.symbols[i] for i in order), shaken, molecule.masses[order])
    )

    assert after.group.name == before.group.name
    assert after.species == before.species
    assert after.symmetry.moved < 0.05
    exact = after.symmetry
    np.testing.assert_allclose(
        exact.molecule.positions @ exact.matrices.transpose(0, 2, 1),
        exact.molecule.positions[exact.images],
        atol=1e-9,
    )


def test_a_distortion_above_the_tolerance_counts():
    benzene = library("C6H6")
    longer = benzene.moved(benzene.positions * [1.02, 1.0, 1.0])

    assert activity(longer).group.name == "D6h"
    assert activity(longer, 0.01).group.name == "D2h"


@pytest.mark.parametrize("name", ["C3v", "D5h", "Td", "D6d"])
def test_operations_that_fit_badly_do_not_spoil_those_that_fit(name):
    """Of all operations within the tolerance, a group is taken."""
    rng = np.random.default_rng(0)
    exact = arrangement(name)
    for size in (0.02, 0.05, 0.1, 0.2):
        shaken = exact.moved(exact.positions + rng.normal(size=exact.positions.shape) * size)
        found = find_symmetry(shaken)
        assert len(operations(name)) % len(found.matrices) == 0


def _molsym(molecule):
    import molsym

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return molsym.Symtext.from_molecule(
            molsym.Molecule(
                np.array(molecule.symbols), molecule.positions.copy(), molecule.masses.copy()
            )
        )


def _plain(name):
    """B1, B2 and B3 depend on the axes that each side chose."""
    plain = name.replace("_", "")
    return "B" + plain[2:] if plain[0] == "B" and plain[1:2].isdigit() else plain


@pytest.mark.parametrize("name", [name for name in FINITE if name != "cubane"])
def test_molsym_finds_the_same(name):
    """Detection, operations, tables and reduction, none of it ours."""
    found = activity(library(name))
    oracle = _molsym(found.symmetry.molecule)
    images = np.asarray(oracle.atom_map).T
    displaced = [
        np.trace(symel.rrep) * np.sum(images[i] == np.arange(images.shape[1]))
        for i, symel in enumerate(oracle.symels)
    ]
    rigid = [np.trace(s.rrep) * (1 + np.linalg.det(s.rrep)) for s in oracle.symels]
    counts = oracle.reduction_coefficients(np.array(displaced) - rigid, by_class=False)

    theirs, ours = Counter(), Counter()
    for irrep, count in zip(oracle.irreps, counts, strict=True):
        symbol = irrep.symbol
        if found.group.name == "D2h":  # molsym writes A_1g for what has no other A beside it
            symbol = symbol.replace("A_1", "A")
        theirs[_plain(symbol), irrep.d] += int(count)
    for one in found.species:
        ours[_plain(one.irrep), one.degeneracy] += one.fundamentals
    assert str(oracle.pg.str) == found.group.name
    assert +theirs == ours


@pytest.mark.parametrize("name", ["C3v", "D3h", "D2d", "D4d", "C4v", "D5", "C2h", "D5d"])
def test_molsym_has_the_same_table(name):
    symmetry = find_symmetry(arrangement(name), 1e-3)
    oracle = _molsym(symmetry.molecule)
    theirs = Counter(
        (
            _plain(irrep.symbol.split("(")[0]),
            *sorted(np.round(row.real, 6)[oracle.symel_to_class_map] + 0.0),
        )
        for irrep, row in zip(oracle.irreps, oracle.character_table, strict=True)
        if "(" not in irrep.symbol
    )
    ours = Counter(
        (_plain(one.name), *sorted(np.round(one.characters, 6) + 0.0))
        for one in irreps(symmetry, point_group(symmetry))
        if one.parts == 1
    )
    assert theirs == ours
