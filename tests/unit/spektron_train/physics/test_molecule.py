import numpy as np
import pytest

from spektron_train.physics.molecule import (
    BOHR_PER_ANGSTROM,
    Molecule,
    MoleculeError,
    isotope_mass,
    library,
    library_names,
)

# Wang et al., Chinese Physics C 45, 030003 (2021), rounded.
AME2020 = {
    ("H", 1): 1.007825032,
    ("H", 2): 2.014101778,
    ("C", 13): 13.003354835,
    ("N", 15): 15.000108899,
    ("O", 18): 17.999159613,
    ("Cl", 37): 36.965902602,
}


@pytest.mark.parametrize(("symbol", "number"), AME2020)
def test_isotope_masses_are_those_of_the_evaluation(symbol, number):
    assert isotope_mass(symbol, number) == pytest.approx(AME2020[symbol, number], rel=2e-7)


def test_the_library_holds_forty_molecules_in_one_piece_each():
    names = library_names()
    assert len(names) >= 40
    for name in names:
        molecule = library(name)
        assert len(molecule.bonds()) >= len(molecule.symbols) - 1
        assert np.isclose(molecule.masses.sum(), sum(map(isotope_mass, molecule.symbols)))
    linear = {name for name in names if library(name).is_linear()}
    assert linear == {"CO2", "C2H2", "HCN", "HCl", "N2O", "OCS", "N2"}


def test_an_isotope_changes_one_mass():
    water = library("H2O")
    heavy = water.with_isotopes({1: 2})
    assert heavy.masses[1] == isotope_mass("H", 2)
    assert (heavy.masses[[0, 2]] == water.masses[[0, 2]]).all()
    for wrong in ({3: 2}, {-1: 2}, {0: 40}):
        with pytest.raises(MoleculeError, match=r"no atom|no isotope"):
            water.with_isotopes(wrong)


def test_a_file_is_read_in_angstrom(tmp_path):
    path = tmp_path / "hcl.xyz"
    path.write_text("2\nhydrogen chloride\nCl 0 0 0\nh 0 0 1.27 extra\n")
    read = Molecule.read_xyz(path)
    assert read.symbols == ("Cl", "H")
    assert read.positions[1, 2] == pytest.approx(1.27 * BOHR_PER_ANGSTROM)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 is not a number of atoms"),
        ("two\n", "line 1 is not a number of atoms"),
        ("-1\n\n", "-1 atoms"),
        ("2\n\nH 0 0 0\n", "2 atoms are promised; 1 are there"),
        ("1\n\nQ 0 0 0\n", "'Q' is not an element|line 3"),
        ("1\n\nH 0 0\n", "line 3"),
        ("1\n\nH 0 0 nan\n", "not a number"),
        ("2\n\nH 0 0 0\nH 0 0 0\n", "same place"),
        ("\udcff", "not a text file"),
    ],
)
def test_a_file_that_is_no_molecule_is_an_error(tmp_path, text, message):
    path = tmp_path / "wrong.xyz"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(MoleculeError, match=message):
        Molecule.read_xyz(path)


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(MoleculeError, match="H2O, CO2"):
        library("water")
