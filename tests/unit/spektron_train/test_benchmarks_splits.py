import numpy as np
import pytest

from spektron_train.benchmarks.splits import (
    DEVELOPED,
    QUOTED,
    corn_split,
    paired,
    quoted,
    spread,
    tablet_split,
)


def test_developed_and_quoted_seeds_are_disjoint_and_enough():
    assert not set(DEVELOPED) & set(QUOTED)
    assert len(QUOTED) >= 20


@pytest.mark.parametrize("seed", [DEVELOPED[0], QUOTED[0], QUOTED[-1]])
@pytest.mark.parametrize(
    ("split", "samples", "train", "test"),
    [
        (corn_split, 80, 60, 20),
        (tablet_split, 642, 400, 212),
        (lambda seed: tablet_split(seed, 100), 642, 100, 212),
    ],
)
def test_train_and_test_are_disjoint_rows_of_the_set(seed, split, samples, train, test):
    found = split(seed)
    rows = np.concatenate([found.train, found.test])
    assert (len(found.train), len(found.test)) == (train, test)
    assert len(np.unique(rows)) == len(rows)
    assert rows.min() >= 0
    assert rows.max() < samples
    assert np.array_equal(split(seed).test, found.test)


def test_splits_differ_between_seeds_and_a_smaller_training_set_keeps_the_test_rows():
    tests = {tuple(corn_split(seed).test) for seed in (*DEVELOPED, *QUOTED)}
    assert len(tests) == len(DEVELOPED) + len(QUOTED)
    assert np.array_equal(tablet_split(3, 100).test, tablet_split(3).test)


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="430"):
        tablet_split(0, 431)
    for wrong in (0, 21):
        with pytest.raises(ValueError, match="20"):
            quoted(wrong)
    assert quoted(None) == QUOTED
    assert quoted(2) == QUOTED[:2]


def test_spread_and_paired_differences_by_hand():
    found = paired(np.array([3.0, 5.0, 7.0, 9.0]), np.array([2.0, 3.0, 4.0, 5.0]))
    assert (found.mean, found.median, found.low, found.high) == (2.5, 2.5, 1.75, 3.25)
    assert found.standard_error == pytest.approx(np.sqrt(5 / 3) / 2)
    assert np.isnan(spread(np.array([1.0])).standard_error)
    with pytest.raises(ValueError, match="pair"):
        paired(np.zeros(2), np.zeros(3))
