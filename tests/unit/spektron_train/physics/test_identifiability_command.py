"""`spektron-train physics identifiability`."""

import json

import pytest

from spektron_train.cli import main

RUN = ["physics", "identifiability"]


def test_case_a_as_json(capsys):
    assert main([*RUN, "--case", "a", "--molecules", "8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"seeds", "a"}
    water = found["a"]["closings"][0]
    assert (water["molecule"], water["alone"]["rank"]) == ("H2O", 6)
    # No number is infinite in JSON.
    points = {(one["molecule"], one["point"]): one for one in found["a"]["closings"]}
    assert points["CO2", "generic"]["closed"]["condition"] is None


def test_cases_b_and_c_as_json(capsys):
    for case, names in (("b", 3), ("c", 4)):
        assert main([*RUN, "--case", case, "--molecules", "6", "--draws", "2", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["seeds"] == [1000, 1001]
        assert len(found[case]) == names
        assert all(one["trials"] == 2 * one["molecules"] for one in found[case].values())


def test_everything_in_words_and_as_a_picture(tmp_path, capsys):
    picture = tmp_path / "x" / "y.png"
    assert main([*RUN, "--molecules", "6", "--seed", "3", "--plot", str(picture)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for part in (
        "a: all constants",
        "b: a transferable field",
        "c: bond moments",
        "d: four to one",
    ):
        assert part in told
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--molecules", "100000"], "molecules are listed"),
        (["--case", "d", "--plot", "x.png"], "cases b and c"),
    ],
)
def test_what_cannot_be_done(capsys, extra, said):
    assert main([*RUN, *extra]) == 2
    assert said in capsys.readouterr().err
