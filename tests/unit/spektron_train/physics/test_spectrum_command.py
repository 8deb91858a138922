import json

import pytest

from spektron_train.cli import main
from spektron_train.physics.surface import load


def run(capsys, *words):
    code = main(["physics", *words])
    return code, capsys.readouterr()


def test_a_stored_spectrum_is_shown(capsys):
    code, said = run(capsys, "spectrum", "H2CO", "--method", "b3lyp")
    assert code == 0
    assert "B3LYP/def2-TZVP" in said.out
    assert "1820" in said.out


def test_isotopes_change_the_spectrum_and_its_title(capsys):
    words = "spectrum", "H2O", "--method", "b3lyp", "--json"
    light = json.loads(run(capsys, *words)[1].out)
    heavy = json.loads(run(capsys, *words, "--isotopes", "1=2", "2=2")[1].out)
    for before, after in zip(light["modes"], heavy["modes"], strict=True):
        assert 0.7 < after["wavenumber_cm1"] / before["wavenumber_cm1"] < 0.76
    assert heavy["molecule"] == "H2O with 2H1, 2H2"
    assert list(light["modes"][0]["energy"]) == ["bend H1-O0-H2"]


def test_a_file_is_computed_and_drawn(capsys, tmp_path):
    path, picture = tmp_path / "hcl.xyz", tmp_path / "hcl.png"
    path.write_text("2\n\nCl 0 0 0\nH 0 0 1.3\n")
    code, said = run(capsys, "spectrum", str(path), "--plot", str(picture), "--json")
    assert code == 0
    found = json.loads(said.out)
    assert "GFN2" in found["method"]
    assert len(found["modes"]) == 1
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_surface_is_computed_and_kept(capsys, tmp_path):
    path = tmp_path / "water.npz"
    code, _ = run(capsys, "hessian", "H2O", "--out", str(path))
    assert code == 0
    assert load(path).command == "spektron-train physics hessian H2O --method gfn2"
    kept, made = (run(capsys, "spectrum", of, "--json")[1].out for of in (str(path), "H2O"))
    assert json.loads(kept)["modes"] == json.loads(made)["modes"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["spectrum", "water"], 3, "there are: H2O"),
        (["spectrum", "none.xyz"], 3, "none.xyz"),
        (["spectrum", "none.npz"], 3, "none.npz"),
        (["spectrum", "H2O", "--isotopes", "7=2"], 3, "no atom 7"),
        (["spectrum", "H2O", "--isotopes", "0=99"], 3, "no isotope 99 of O"),
    ],
)
def test_what_cannot_be_done_says_why(capsys, words, code, message):
    found, said = run(capsys, *words)
    assert found == code
    assert message in said.err


@pytest.mark.parametrize(
    "words",
    [["--isotopes", "1:2"], ["--plot", "x.zip"], ["--width", "0"], ["--method", "mp2"]],
)
def test_arguments_that_mean_nothing_are_usage_errors(capsys, words):
    with pytest.raises(SystemExit) as stopped:
        main(["physics", "spectrum", "H2O", *words])
    assert stopped.value.code == 2


def test_a_radical_is_an_error_of_the_run(capsys, tmp_path):
    path = tmp_path / "oh.xyz"
    path.write_text("2\n\nO 0 0 0\nH 0 0 1\n")
    code, said = run(capsys, "spectrum", str(path))
    assert code == 6
    assert "odd number of electrons" in said.err
