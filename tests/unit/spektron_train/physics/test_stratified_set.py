"""The set of symmetric and other molecules: what is listed, computed and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spektron_train.physics.stratified.compute import entry
from spektron_train.physics.stratified.draw import draw, may_have_centre, molecules
from spektron_train.physics.stratified.spectral_set import (
    PROPERTIES,
    SpectralSet,
    SpectralSetError,
    load,
    save,
)


def test_list_is_long_and_without_twins() -> None:
    listed = molecules()
    assert len(listed) >= 1000
    assert len(set(listed)) == len(listed)


def test_a_seed_gives_one_list() -> None:
    assert draw(6, 3, draws=60) == draw(6, 3, draws=60)


@pytest.mark.parametrize("smiles", ["Fc1ccc(F)cc1", "F/C=C/F", "FC#CF"])
def test_what_has_a_centre_may_have_one(smiles: str) -> None:
    assert may_have_centre(smiles)


@pytest.mark.parametrize("smiles", ["Fc1ccc(Cl)cc1", "FC(Cl)Br"])
def test_what_no_exchange_of_atoms_leaves_as_it_is_has_no_centre(smiles: str) -> None:
    assert not may_have_centre(smiles)


def test_a_centre_parts_what_both_techniques_see_and_the_file_keeps_it(tmp_path: Path) -> None:
    trans, cis = entry("F/C=C/F"), entry("F/C=C\\F")
    assert (trans.group, trans.centre, cis.group, cis.centre) == ("C2h", True, "C2v", False)
    assert trans.formula == cis.formula == "C2H2F2"
    assert trans.infrared + trans.raman == trans.observable == 12
    strong = trans.lines[:, 1:] / trans.lines[:, 1:].max(axis=0) > 1e-4
    assert not strong.all(axis=1).any()
    levels = trans.lines[:, 0]
    assert trans.properties["zero_point_energy"] == pytest.approx(
        levels.sum() / 2 * 0.011962659, rel=1e-6
    )
    path = tmp_path / "set.npz"
    save(SpectralSet((trans, cis), "GFN2", "a command"), path)
    found = load(path)
    assert [one.smiles for one in found.entries] == ["F/C=C/F", "F/C=C\\F"]
    assert found.centre.tolist() == [True, False]
    assert found.targets.shape == (2, len(PROPERTIES))
    np.testing.assert_allclose(found.entries[1].lines, cis.lines, rtol=1e-6)
    assert found.entries[0].symbols == trans.symbols


def test_what_is_no_set_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    path.write_text("text")
    with pytest.raises(SpectralSetError, match="no array archive"):
        load(path)
    np.savez(path, format=np.array(1))
    with pytest.raises(SpectralSetError, match="holds no"):
        load(path)
    one = entry("FC#CF")
    save(SpectralSet((replace(one, lines=np.full_like(one.lines, np.nan)),), "m", "c"), path)
    with pytest.raises(SpectralSetError, match="not a number"):
        load(path)
