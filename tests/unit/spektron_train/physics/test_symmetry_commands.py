"""`spektron-train physics activity | theorems`."""

import json
import sys

import pytest

from spektron_train.cli import main


def test_activity_as_json(capsys):
    assert main(["physics", "activity", "C6H6", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["point_group"] == "D6h"
    assert found["centrosymmetric"] is True
    assert (found["infrared"], found["raman"], found["silent"]) == (7, 12, 11)
    assert found["observable_share"] == pytest.approx(19 / 30)
    assert {
        "irrep": "E1u",
        "degeneracy": 2,
        "fundamentals": 3,
        "infrared": True,
        "raman": False,
    } in (found["species"])


def test_activity_in_words(capsys):
    assert main(["physics", "activity", "H2O"]) == 0

    told = " ".join(capsys.readouterr().out.split())
    assert "H2O: C2v" in told
    assert "(N_IR + N_Raman) / (3N - 6): 6/3 = 2.000" in told


def test_a_file_and_its_tolerance(tmp_path, capsys):
    path = tmp_path / "bent.xyz"
    path.write_text("3\n\nO 0 0 0\nH 0.76 0.6 0\nH -0.75 0.6 0\n")

    groups = []
    for extra in ([], ["--tolerance", "0.001"]):
        assert main(["physics", "activity", str(path), "--json", *extra]) == 0
        groups.append(json.loads(capsys.readouterr().out)["point_group"])
    assert groups == ["C2v", "Cs"]


def test_theorems(capsys):
    assert main(["physics", "theorems", "C2H4", "NH3", "--seed", "7", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["failed"] == []
    assert found["molecules"]["C2H4"]["exclusion"]["gain"] == 5
    assert found["molecules"]["NH3"]["exclusion"] is None
    assert main(["physics", "theorems", "C2H4"]) == 0
    assert "5 + 6" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [("1\n\nHe 0 0 0\n", "does not vibrate"), ("2\n\nHe 0 0\n", "2 atoms are promised")],
)
def test_what_has_no_selection_rules(tmp_path, capsys, text, said):
    path = tmp_path / "x.xyz"
    path.write_text(text)

    assert main(["physics", "activity", str(path)]) == 3
    assert said in capsys.readouterr().err


def test_a_tolerance_that_makes_no_sense(capsys):
    with pytest.raises(SystemExit):
        main(["physics", "activity", "H2O", "--tolerance", "3"])
    assert "not a tolerance" in capsys.readouterr().err


def test_a_library_that_is_not_installed(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit.Chem", None)

    assert main(["physics", "observability", "O"]) == 5
    assert "pip install 'spektron-edge[physics]'" in capsys.readouterr().err
