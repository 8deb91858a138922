"""What an instrument sees of a molecule, from SMILES to a manifest's JSON."""

import json

import numpy as np
import pytest

from spektron_edge.bundle.observability import Observability
from spektron_train.cli import main
from spektron_train.physics.molecule import MoleculeError
from spektron_train.physics.observability import FATES, Instrument, observability
from spektron_train.physics.smiles import from_smiles


def _observed(capsys, *arguments):
    assert main(["physics", "observability", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_carbon_dioxide_by_either_technique(capsys):
    infrared = _observed(capsys, "O=C=O")
    raman = _observed(capsys, "O=C=O", "--technique", "raman")

    assert infrared["point_group"] == raman["point_group"] == "D*h"
    assert infrared["freedom"]["seen"] == 3
    assert raman["freedom"]["seen"] == 1
    seen = [level["wavenumber_cm1"] for level in raman["levels"] if level["fate"] == "seen"]
    assert raman["groups"] == [
        {"bond": "C=O", "bonds": 2, "seen_cm1": seen, "lost_cm1": infrared["groups"][0]["seen_cm1"]}
    ]
    assert infrared["note"].startswith(
        "infrared 400-4000 cm-1 at 8 cm-1: of 4 vibrational degrees of freedom 3 seen, 1 inactive"
    )


@pytest.mark.parametrize("smiles", ["CCO", "c1ccccc1", "C=C", "O"])
def test_every_degree_of_freedom_has_one_fate(smiles):
    drawn = from_smiles(smiles)
    for technique in ("infrared", "raman"):
        found = observability(drawn, Instrument(technique, 700, 3000, 20))

        assert sum(found.freedom(fate) for fate in FATES) == found.activity.vibrations
        assert max(level.intensity for level in found.levels) == 1
        for level in found.levels:
            if level.fate in ("seen", "overlapped", "weak"):
                assert 700 <= level.wavenumber <= 3000
        seen = [level.wavenumber for level in found.levels if level.fate == "seen"]
        assert (np.diff(seen) >= 20 - 0.1).all()


def test_a_wider_range_and_a_finer_resolution_lose_nothing():
    drawn = from_smiles("CCO")
    coarse = observability(drawn, Instrument("raman", 700, 3000, 30)).freedom("seen")
    fine = observability(drawn, Instrument("raman", 100, 4000, 2)).freedom("seen")

    assert fine > coarse


def test_bonds_and_isotopes_are_those_that_were_written():
    heavy = from_smiles("[2H]OC#N")

    assert set(heavy.bonds.values()) == {"O-H", "C-O", "C#N"}
    assert sorted(np.round(heavy.molecule.masses).astype(int)) == [2, 12, 14, 16]


def test_an_inner_salt_is_neutral():
    assert from_smiles("C[N+](=O)[O-]").molecule.symbols.count("O") == 2


@pytest.mark.parametrize(
    ("smiles", "said"),
    [
        ("no", "not a SMILES"),
        ("", "not a SMILES"),
        ("O.O", "more than one molecule"),
        ("[NH4+]", "is an ion"),
        ("[CH3]", "unpaired electrons"),
        ("C" * 30, "60 are the most"),
    ],
)
def test_what_cannot_be_computed(smiles, said, capsys):
    with pytest.raises(MoleculeError, match=said):
        from_smiles(smiles)
    assert main(["physics", "observability", smiles]) == 3
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "extra",
    [
        ["--range", "4000", "400"],
        ["--range", "-5", "400"],
        ["--range", "nan", "9"],
        ["--resolution", "0"],
    ],
)
def test_an_instrument_that_makes_no_sense(extra, capsys):
    assert main(["physics", "observability", "O", *extra]) == 2
    assert "cm-1" in capsys.readouterr().err


def test_an_atom_does_not_vibrate(capsys):
    assert main(["physics", "observability", "[He]"]) == 3
    assert "does not vibrate" in capsys.readouterr().err


def test_in_words(capsys):
    assert main(["physics", "observability", "O"]) == 0
    told = capsys.readouterr().out
    assert "O-H stretching: seen" in told
    assert "degrees of freedom 3 seen" in " ".join(told.split())


@pytest.mark.parametrize("smiles", ["O=C=O", "c1ccccc1", "CCO", "C"])
def test_a_bundles_manifest_takes_it(smiles, capsys):
    told = _observed(capsys, smiles, "--technique", "raman")
    assert json.loads(Observability.model_validate(told).model_dump_json()) == told


def test_ir_is_infrared(capsys):
    told = _observed(capsys, "O", "--technique", "ir")
    assert told == _observed(capsys, "O")
    assert told["instrument"]["technique"] == "infrared"
