"""Cases b and c: transferable fields and bond moments, of listed molecules."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_train.physics.identifiability.draw import draw, molecules
from spektron_train.physics.identifiability.jacobian import Rank, spectrum
from spektron_train.physics.identifiability.kinds import Kinds
from spektron_train.physics.identifiability.montecarlo import (
    CASES,
    Trial,
    reached,
    summary,
    trials,
    unknowns,
)
from spektron_train.physics.identifiability.valence import transferable
from spektron_train.physics.smiles import from_smiles
from spektron_train.physics.wilson import internals

SEEDS = st.integers(0, 2**31)
LISTED = st.sampled_from(molecules())


def test_the_list():
    listed = molecules()
    assert len(set(listed)) == len(listed) >= 200


def test_more_molecules_can_be_drawn():
    found = draw(5, seed=77)
    assert len(set(found)) == 5
    assert found == draw(5, seed=77)
    assert all(4 <= len(from_smiles(one).molecule.symbols) <= 20 for one in found)


@given(LISTED, SEEDS)
@settings(max_examples=25, deadline=None)
def test_fields_have_no_more_constants_than_vibrations_and_are_positive(smiles, seed):
    model = transferable(from_smiles(smiles), seed)
    n = len(model.point.f)
    assert len(model.field.names) <= n
    assert spectrum(model.point)[0].min() > 0


def test_what_is_alike_is_alike_in_all_molecules_of_a_seed():
    first, second = (transferable(from_smiles(one), 9) for one in ("CCO", "CCCO"))
    shared = set(first.dipoles.names) & set(second.dipoles.names)
    assert "m H1-O2" in shared

    sizes = []
    for model in (first, second):
        molecule = model.space.molecule
        oxygen = molecule.symbols.index("O")
        hydrogen = next(j for i, j in molecule.bonds() if i == oxygen)
        length = np.linalg.norm(molecule.positions[hydrogen] - molecule.positions[oxygen])
        change = model.dipoles.dipole[model.dipoles.names.index("m H1-O2")]
        # A turn of the bond moves m across it, by m / r.
        sizes.append(np.linalg.norm(change[3 * hydrogen : 3 * hydrogen + 3], 2) * length)
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-9)


def test_a_bond_between_equals_has_no_moment():
    names = transferable(from_smiles("CCO"), 0).dipoles.names
    assert not any("C4-C4" in name for name in names)
    assert {"m C4-O2", "dm/dr C4-O2"} <= set(names)


@pytest.mark.parametrize("smiles", ["CCO", "C#CCN", "C=NCOC"])
def test_responses_are_derivatives_of_sums_over_bonds(smiles):
    drawn = from_smiles(smiles)
    model = transferable(drawn, 1)
    kinds = Kinds(drawn, internals(drawn.molecule).coordinates)
    x = drawn.molecule.positions
    bonds = [c.atoms for c in model.space.coordinates if c.kind == "stretch"]
    values = {}
    for group, size in ((model.dipoles, 3), (model.polarisabilities, 9)):
        array = group.dipole if size == 3 else group.polarisability
        for name, change in zip(group.names, array, strict=True):
            values[name] = change.reshape(-1, size)
    # Of each parameter alone: what its bonds add is a function of their vectors only.
    rng = np.random.default_rng(0)
    move = rng.normal(size=x.shape)
    h = 1e-5
    for name, change in values.items():
        part, _, kind = name.rpartition(" ")
        ours = [(i, j) for i, j in bonds if kinds.bond(i, j)[0] == kind]

        def whole(places, part=part, ours=ours):
            total = 0
            for i, j in ours:
                i, j = (j, i) if kinds.bond(i, j)[1] else (i, j)
                v, v0 = places[j] - places[i], x[j] - x[i]
                r, r0 = np.linalg.norm(v), np.linalg.norm(v0)
                e = v / r
                outer = np.outer(e, e)
                total = (
                    total
                    + {
                        "m": e,
                        "dm/dr": (r - r0) * e,
                        "along - across": outer,
                        "dalong/dr": (r - r0) * outer,
                        "dacross/dr": (r - r0) * (np.eye(3) - outer),
                    }[part]
                )
            return np.ravel(total)

        slope = (whole(x + h * move) - whole(x - h * move)) / (2 * h)
        found = move.reshape(-1) @ change
        scale = found @ slope / (slope @ slope)
        np.testing.assert_allclose(found, scale * slope, atol=1e-6 * np.abs(found).max())


def test_unknowns_of_a_case_hold_those_of_the_one_before():
    _, columns = unknowns(transferable(from_smiles("C1=NC1"), 0))
    field, dipoles, everything = (set(columns[case]) for case in CASES)
    assert field < dipoles < everything


def _share(found):
    return summary([one for one in found if one.generic], CASES[0])


def test_fields_of_molecules_without_symmetry_are_of_full_rank():
    found = list(trials(molecules()[:72], (0, 1, 2, 3, 4)))
    share = _share(found)
    assert share.molecules >= 25
    assert share.full >= 0.99
    # Intensities are what makes it so.
    assert summary(found, None).full < 0.9


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_fields_of_all_listed_molecules_without_symmetry_are_of_full_rank():
    share = _share(list(trials(molecules(), range(20))))
    assert share.molecules >= 200
    assert share.full >= 0.99


def test_one_spectrum_tells_3n_minus_2_constants_of_a_whole_field():
    found = reached(molecules()[:40], 0)
    assert found.molecules >= 10
    assert found.single == 1.0


def test_exceptions_are_told():
    full, open_ = Rank(3, 9, 3, 10.0), Rank(3, 9, 2, np.inf)
    ranks = [dict.fromkeys(CASES, one) for one in (full, open_)]
    found = [Trial(f"C{i}", "C1", 7, one, open_) for i, one in enumerate(ranks)]
    told = summary(found, CASES[0])
    assert told.full == 0.5
    assert told.condition == (10.0, 10.0, 10.0)
    assert [(one.smiles, one.seed, one.deficit) for one in told.exceptions] == [("C1", 7, 1)]
    assert np.isnan(summary(found, None).condition).all()


def test_constants_that_are_combinations_of_others_are_no_unknowns():
    # In an equilateral ring the angles are functions of the sides: an interaction is left out.
    names = transferable(from_smiles("C1CC1"), 0).field.names
    assert "bend C4-C4-C4" in names
    assert "stretch C4-C4 with stretch C4-C4" not in names
    # Oxirene has two vibrations out of its plane, and three kinds of constants for them.
    assert len(transferable(from_smiles("C1=CO1"), 0).held) == 1
