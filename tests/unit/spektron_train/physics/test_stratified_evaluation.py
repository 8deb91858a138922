"""Fusion's gain by symmetry: models, splits, gains and the verdict, on sets of known answer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge

from spektron_train.cli import main
from spektron_train.physics.stratified import encoder, models, tasks
from spektron_train.physics.stratified.inputs import POINTS, TECHNIQUES, bands, measured_again
from spektron_train.physics.stratified.spectral_set import Entry, SpectralSet, load, save
from spektron_train.physics.stratified.tasks import Case, Outcome, outcomes
from spektron_train.physics.stratified.verdict import Bootstrap, difference, strata


def made_up(parted: bool, molecules: int = 240) -> SpectralSet:
    """Ten lines each, and properties that add up heights of all.

    Every other molecule has a centre. parted: then each line is seen by one technique only, and
    otherwise by both, always; else the molecules do not differ.
    """
    rng = np.random.default_rng(0)
    entries = []
    for number in range(molecules):
        centre = number % 2 == 1
        heights = rng.uniform(0.2, 1.0, 10)
        seen = np.ones((10, 2))
        if centre and parted:
            seen[::2, 0] = seen[1::2, 1] = 0
        # The first line is the scale that a spectrum's norm takes away.
        heights[:2] = 1.0
        places = 300.0 + 350 * np.arange(10)
        total = float(np.sqrt(heights).sum())
        entries.append(
            Entry(
                smiles=f"molecule {number}",
                formula=f"formula {number // 4}",
                symbols=("C",),
                positions=np.zeros((1, 3)),
                group="Ci" if centre else "C2",
                order=2,
                centre=centre,
                infrared=10,
                raman=10,
                observable=10,
                lines=np.column_stack([places, heights[:, None] * seen]),
                properties=dict.fromkeys(
                    ("zero_point_energy", "heat_capacity", "orbital_gap"), total
                ),
            )
        )
    return SpectralSet(tuple(entries), "made up", "none")


def of_ridge(found: SpectralSet) -> list[Outcome]:
    return [one for one in outcomes(found, range(4), ["ridge"]) if one.case.task == "property"]


def test_spectra_are_of_norm_one_and_a_second_measurement_is_another() -> None:
    lines = [one.lines for one in made_up(True, 12).entries]
    for measured in (lines, measured_again(lines, np.random.default_rng(0))):
        for spectra in bands(measured).values():
            assert spectra.shape == (12, POINTS)
            np.testing.assert_allclose(np.linalg.norm(spectra, axis=1), 1)
    assert all((bands(lines)[name] != bands(measured)[name]).any() for name in TECHNIQUES)


def test_paths_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x, held = rng.normal(size=(40, 24)), rng.normal(size=(7, 24))
    y = np.column_stack([x[:, 0] + 0.1 * rng.normal(size=40), x[:, 1] ** 2])
    largest = np.linalg.eigvalsh(np.cov(x.T, bias=True) * 40)[-1]
    told = models.ridge(x, y, held)
    # The middle of the penalties, and the last.
    for index, penalty in ((6, 1e-3), (12, 1.0)):
        known = Ridge(penalty * largest).fit(x, y).predict(held)
        np.testing.assert_allclose(told[index], known, rtol=1e-8)
    components = models.partial_least_squares(x, y, held)
    known = PLSRegression(3, scale=False).fit(x, y[:, 0]).predict(held)
    np.testing.assert_allclose(components[2, :, 0], known.ravel(), rtol=1e-8)
    near = models.nearest(x, y, x[:5])
    np.testing.assert_allclose(near[0], y[:5])
    assert near.shape == (10, 5, 2)


@given(st.lists(st.integers(0, 9), min_size=12, max_size=40), st.booleans())
@settings(max_examples=25, deadline=None)
def test_choosing_a_setting_parts_formulas_and_never_sees_what_is_held(kinds, joint) -> None:
    formulas = np.array([*kinds, 0, 1, 2, 3])
    x = np.column_stack([formulas, np.arange(len(formulas))]).astype(float)

    def path(known, y, held):
        assert not set(known[:, 0]) & set(held[:, 0])
        # The second setting is right.
        return np.stack([np.zeros((len(held), 2)), held])

    held = np.array([[20.0, 50.0]])
    told = models.predict(path, x, x, formulas, held, joint)
    np.testing.assert_array_equal(told.trained, x)
    if formulas.any():
        np.testing.assert_array_equal(told.test, held)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_no_formula_is_on_both_sides_of_a_split(seed) -> None:
    formulas = np.random.default_rng(0).integers(0, 60, 300)
    split = tasks._split(formulas, seed)
    assert not set(formulas[split.train]) & set(formulas[split.test])
    assert sorted([*split.train, *split.test]) == list(range(300))


def test_a_balanced_split_trains_on_as_many_of_either_kind() -> None:
    found = made_up(True, 200)
    centre = np.arange(200) < 30
    split = tasks._split(
        np.unique([one.formula for one in found.entries], return_inverse=True)[1], 0
    )
    rows = tasks._balanced(centre, split)
    assert set(rows) <= set(split.train)
    assert centre[rows].sum() == (~centre[rows]).sum() == centre[split.train].sum()


def test_a_gain_that_is_there_is_found() -> None:
    found = made_up(parted=True)
    told = difference(found, of_ridge(found), "rest", Bootstrap.over_formulas(found))
    assert told is not None
    assert told.said == "more"
    assert told.low < told.value < told.high
    assert told.centre > 0.5
    assert told.molecules[0] > 50


def test_what_does_not_differ_is_undecided() -> None:
    found = made_up(parted=False)
    rng = np.random.default_rng(0)
    before, after = rng.uniform(1, 2, len(found.entries)), rng.uniform(0, 1, len(found.entries))
    same = Outcome(Case("property", "none", "none"), before, after)
    for against in ("rest", "isomers", "symmetric"):
        told = difference(found, [same], against, Bootstrap.over_formulas(found))
        assert told is not None
        assert told.said == "undecided"


def test_isomers_are_compared_formula_by_formula() -> None:
    found = made_up(parted=True, molecules=8)
    # The second formula loses its centres; in the first, fusion removes 3/4 with, 1/2 without.
    entries = [*found.entries[:4], *(found.entries[4 + 2 * (i % 2)] for i in range(4))]
    found = SpectralSet(tuple(entries), "m", "c")
    before = np.array([2.0, 4, 2, 4, 9, 9, 9, 9])
    after = np.array([1.0, 1, 1, 1, 0, 0, 0, 0])
    one = Outcome(Case("property", "none", "none"), before, after)
    told = difference(found, [one], "isomers", Bootstrap.over_formulas(found))
    assert told is not None
    assert (told.centre, told.others, told.molecules) == (0.75, 0.5, (2, 2))
    rest = difference(found, [one], "rest", Bootstrap.over_formulas(found))
    assert rest is not None
    assert rest.others == pytest.approx(1 - 2 / 40)


def test_without_a_centre_there_is_nothing_to_compare() -> None:
    found = made_up(parted=True, molecules=8)
    found = SpectralSet(found.entries[::2], "m", "c")
    ones = np.ones(4)
    one = Outcome(Case("property", "none", "none"), ones, ones)
    assert difference(found, [one], "rest", Bootstrap.over_formulas(found)) is None


def test_a_set_without_centres_has_no_verdict_and_no_balance(tmp_path, capsys) -> None:
    path, picture = tmp_path / "set.npz", tmp_path / "a.png"
    save(SpectralSet(made_up(True, 200).entries[::2], "m", "c"), path)
    words = ["evaluate", "--stratify", "symmetry", "--set", str(path), "--splits", "1"]
    words += ["--models", "ridge", "--json", "--plot", str(picture)]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert "nothing can be said" in told["verdict"]
    assert main([*words, "--balanced"]) == 2
    assert "needed for a balance" in capsys.readouterr().err


def test_strata_leave_out_what_was_never_tested() -> None:
    found = made_up(parted=True, molecules=40)
    errors = np.where(np.arange(40) < 10, np.nan, 2.0)
    told = strata(found, [Outcome(Case("property", "n", "n"), errors, errors / 2)])
    assert [(one.name, one.molecules) for one in told["property"]] == [
        ("C2", 15),
        ("Ci", 15),
        ("R = 1", 30),
    ]
    assert {(one.before, one.after, one.gain) for one in told["property"]} == {(2.0, 1.0, 0.5)}


def test_one_encoder_reads_both_and_each_alone_and_a_seed_makes_it(monkeypatch) -> None:
    monkeypatch.setattr(encoder, "_EPOCHS", 2)
    found = made_up(True, 40)
    spectra = bands([one.lines for one in found.entries])
    y = (found.targets - found.targets.mean(axis=0)) / found.targets.std(axis=0)
    model = encoder.trained(spectra, y, 0)
    told = [encoder.read(model, {n: spectra[n]}) for n in TECHNIQUES]
    told.append(encoder.read(model, spectra))
    for one in told:
        assert one.properties.shape == (40, 3)
        assert one.spectra["raman"].shape == (40, POINTS)
    assert not np.allclose(told[0].properties, told[2].properties)
    again = encoder.read(encoder.trained(spectra, y, 0), spectra)
    np.testing.assert_array_equal(again.properties, told[2].properties)


def test_the_encoder_is_a_model_of_all_tasks_but_retrieval(monkeypatch) -> None:
    monkeypatch.setattr(encoder, "_EPOCHS", 1)
    found = outcomes(made_up(True, 120), [0], [tasks.ENCODER])
    cases = [one.case.task for one in found]
    assert (cases.count("property"), cases.count("other"), cases.count("retrieval")) == (3, 2, 1)
    for one in found:
        assert np.isfinite(one.after).sum() == np.isfinite(one.before).sum() > 20


def test_the_command_says_it_in_json_in_words_and_as_a_picture(tmp_path, capsys) -> None:
    path, picture = tmp_path / "set.npz", tmp_path / "a.png"
    save(made_up(parted=True, molecules=120), path)
    words = ["evaluate", "--stratify", "symmetry", "--set", str(path), "--splits", "3"]
    words += ["--models", "ridge"]
    assert main([*words, "--json", "--plot", str(picture)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["seeds"] == [1000, 1001, 1002]
    assert told["centrosymmetric"] == 60
    assert told["verdict"].startswith("The prediction holds")
    assert {one["model"] for one in told["cases"]} == {"ridge", "cosine"}
    assert picture.stat().st_size > 1000
    assert main([*words, "--balanced"]) == 0
    assert "The prediction holds" in capsys.readouterr().out


def test_what_is_no_set_or_too_small_a_one_is_said(tmp_path, capsys) -> None:
    path = tmp_path / "set.npz"
    words = ["evaluate", "--stratify", "symmetry", "--set", str(path)]
    assert main(words) == 3
    path.write_text("no")
    assert main(words) == 3
    save(made_up(True, 12), path)
    assert main(words) == 2
    assert "20 are the fewest" in capsys.readouterr().err


def test_the_set_that_ships_keeps_what_symmetry_says() -> None:
    found = load()
    assert len(found.entries) >= 1000
    assert found.centre.sum() >= 100
    assert "spektron_train.physics.stratified.compute" in found.command
    for one in found.entries:
        assert one.observable <= len(one.lines)
        assert (one.lines[:, 0] > 0).all()
        if one.centre:
            assert one.infrared + one.raman == one.observable
            strong = one.lines[:, 1:] > 1e-3 * one.lines[:, 1:].max(axis=0)
            gaps = np.diff(one.lines[:, 0], prepend=-np.inf, append=np.inf)
            # Rounding mixes levels that are next to equal.
            alone = np.minimum(gaps[1:], gaps[:-1]) > 2
            assert not strong[alone].all(axis=1).any(), one.smiles
