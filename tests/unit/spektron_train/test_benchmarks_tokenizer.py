from dataclasses import replace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from spektron_train.benchmarks import tokenizer
from spektron_train.benchmarks.arms import ARMS, Grid, build, parameter_count
from spektron_train.benchmarks.convergence import Augmentation, Budget, Choice, Samples, fit
from spektron_train.benchmarks.splits import DEVELOPED, QUOTED
from spektron_train.training.progress import silent

FEW = Budget(most=4, every=2, patience=4)
CHOICE = Choice(1e-3, 0.01, Augmentation(offset=0.3, slope=0.3))
GRID = Grid(1100.0, 2.0, 70, 2)


@pytest.fixture(autouse=True)
def _one_thread():
    # Two BLAS threads that wait for each other on a busy machine take twenty times as long.
    with threadpool_limits(1, user_api="blas"):
        yield


def _samples(seed, n=20):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.standard_normal((n, GRID.points)), axis=1)
    return Samples(x, np.stack([x[:, 10] - x[:, 40], x[:, 20]], axis=1), seed)


@pytest.mark.parametrize("grid", [Grid(1100.0, 2.0, 700, 4), Grid(600.0, 2.0, 597, 1)])
def test_arms_have_as_many_parameters_and_tokens(grid):
    cnn, patch = (build(arm, grid, 0) for arm in ARMS)
    assert abs(parameter_count(patch) / parameter_count(cnn) - 1) < 0.02
    x = torch.randn(3, grid.points)
    assert cnn.tokenizer(x).shape == patch.tokenizer(x).shape
    assert cnn(x).shape == patch(x).shape == (3, grid.properties)


def test_a_patch_token_sees_its_own_sixteen_channels_only():
    patch = build("patch", GRID, 0).tokenizer
    x = torch.randn(1, GRID.points)
    other = x.clone()
    other[:, 16:32] += 1
    changed = (patch(x) - patch(other)).abs().amax(dim=(0, 2)) > 0
    assert changed.tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("arm", ARMS)
def test_splits_trained_side_by_side_learn_and_keep_to_themselves(arm):
    budget = replace(FEW, most=40, every=10, warm_up=5, patience=40)
    quick = replace(CHOICE, learning_rate=3e-3)
    first, second = fit(arm, GRID, [_samples(0), _samples(1)], quick, budget)
    assert first.losses[-10:].mean() < first.losses[:10].mean()
    assert first.losses.shape == (first.steps,)
    assert 0 < first.best <= first.steps <= 40
    # What the second split learns from has no influence on the first.
    again, _ = fit(arm, GRID, [_samples(0), _samples(7)], quick, budget)
    x = _samples(5).x
    np.testing.assert_allclose(first.predict(x), again.predict(x), rtol=1e-3, atol=1e-3)
    assert not np.allclose(first.predict(x), second.predict(x))


def test_the_best_mean_weights_are_those_that_were_validated():
    samples = _samples(0)
    (fitted,) = fit("patch", GRID, [samples], CHOICE, FEW)
    held = np.random.default_rng(0).permutation(20)[:4]
    error = (fitted.predict(samples.x[held]) - samples.y[held]) / fitted.y_std
    assert np.sqrt(np.mean(error**2)) == pytest.approx(fitted.validation, rel=1e-4)


def test_training_stops_when_validation_has_not_improved_for_the_patience():
    budget = Budget(most=200, every=2, patience=10)
    still = replace(CHOICE, learning_rate=0.0)
    (fitted,) = fit("patch", GRID, [_samples(0)], still, budget)
    assert fitted.steps == fitted.best + 10 < 200


def test_settings_come_from_developed_splits():
    assert not set(tokenizer.SEARCHED_SEEDS) & set(QUOTED)
    assert set(tokenizer.SEARCHED_SEEDS) <= set(DEVELOPED)
    for task in tokenizer.tasks():
        assert tokenizer.chosen(task) in tokenizer.candidates(task)


def test_one_split_and_few_steps_give_the_whole_report():
    seen = []
    report = tokenizer.run(splits=1, advance=seen.append, budget=FEW)
    ids = [figure.id for figure in report.figures]
    assert ids[0] == "tokenizer_rmsep_gain"
    assert len(ids) == 6
    cells = [figure.value for figure in report.figures[1:]]
    assert report.figures[0].value == pytest.approx(np.mean(cells))
    assert len(report.rows) == 5 * 4
    assert seen
    assert any("circular" in note for note in report.notes)


@pytest.mark.parametrize("which", [0, 1])
def test_test_references_change_no_prediction(which, monkeypatch):
    """Permuted references of test samples: what is predicted, chosen and trained stays the same."""
    task = tokenizer.tasks()[which]
    test = task.split(QUOTED[0]).test
    references = task.data.references.copy()
    references[test] = np.random.default_rng(0).permutation(references[test]) + 1.0
    changed = replace(task, data=replace(task.data, references=references))
    seen = []
    monkeypatch.setattr(tokenizer, "rmsep", lambda predicted, _: seen.append(predicted) or [0.0])
    for each in (task, changed):
        tokenizer.measure(each, QUOTED[:1], FEW, silent)
    half = len(seen) // 2
    assert half == 4
    for before, after in zip(seen[:half], seen[half:], strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("arm", ARMS)
def test_search_reads_no_test_row(arm, monkeypatch):
    monkeypatch.setattr(tokenizer, "SEARCHED_SEEDS", DEVELOPED[:1])
    task = tokenizer.tasks()[0]
    test = task.split(DEVELOPED[0]).test
    spectra, references = task.data.spectra.copy(), task.data.references.copy()
    spectra[test], references[test] = 0.0, 1e6
    blind = replace(task, data=replace(task.data, spectra=spectra, references=references))
    found = [tokenizer.search(each, arm, CHOICE, FEW) for each in (task, blind)]
    assert found[0] == found[1]
