import numpy as np
import pytest
from sklearn.linear_model import Ridge

from spektron_train.reference.joint_ridge import fit_joint_ridge

rng = np.random.default_rng(0)
F = rng.standard_normal((12, 40))
Z = rng.standard_normal((12, 6))
Y = rng.standard_normal((12, 2))


def unit(block):
    return np.sqrt(np.mean(np.sum((block - block.mean(axis=0)) ** 2, axis=1)))


ONE = np.ones((1, 1))
TWO = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])


def test_one_block_and_penalty_is_ridge():
    penalty = 0.3
    fitted = fit_joint_ridge([F], Y, ONE, penalties=np.array([penalty]))
    oracle = Ridge(alpha=penalty * unit(F) ** 2).fit(F, Y)
    new = rng.standard_normal((5, 40))
    assert fitted.predict(new) == pytest.approx(oracle.predict(new), abs=1e-9)
    assert fitted.share == pytest.approx(np.ones((1, 2)))


def test_leave_one_out_is_what_it_says():
    # Two penalties only: the weights must be those of honestly left out samples.
    penalties = np.array([1e-3, 1.0])
    errors = []
    for penalty in penalties:
        alpha = penalty * unit(F) ** 2
        left = [
            Y[i] - Ridge(alpha=alpha).fit(np.delete(F, i, 0), np.delete(Y, i, 0)).predict(F[[i]])[0]
            for i in range(12)
        ]
        errors.append(np.mean(np.square(left), axis=0))
    error = np.stack(errors)
    weights = np.exp(-(error / error.min(axis=0) - 1) * 12 / 20)
    weights /= weights.sum(axis=0)
    new = rng.standard_normal((5, 40))
    each = [Ridge(alpha=p * unit(F) ** 2).fit(F, Y).predict(new) for p in penalties]
    expected = sum(w * y for w, y in zip(weights, each, strict=True))
    # The mean of the left samples differs by 1/n, which the closed form accounts for only to first
    # order in the blocks' scale.
    assert fit_joint_ridge([F], Y, ONE, penalties=penalties).predict(new) == pytest.approx(
        expected, abs=0.05
    )


def test_weights_follow_the_block_that_carries_the_property():
    y = Z @ rng.standard_normal((6, 1))
    assert fit_joint_ridge([F, Z], y, TWO).share[1, 0] > 0.5
    few = np.tile(F[:, :3], 5)
    y = few[:, :3] @ rng.standard_normal((3, 1))
    assert fit_joint_ridge([few, Z], y, TWO).share[1, 0] < 0.3


def test_scatter_between_scans_shrinks():
    # Most of y rides on a direction so faint that a scan's noise covers it.
    scores = rng.standard_normal((20, 4))
    loadings = rng.standard_normal((4, 40)) * np.array([[1.0], [1.0], [1.0], [0.01]])
    x, y = scores @ loadings, scores @ np.array([[0.1], [0.0], [0.0], [1.0]])
    scans = x + 0.1 * rng.standard_normal((8, 20, 40))
    clean, wary = fit_joint_ridge([x], y, ONE), fit_joint_ridge([x], y, ONE, again=[scans])
    new = x + 0.1 * rng.standard_normal(x.shape)

    def rmse(model):
        return np.sqrt(np.mean((model.predict(new) - y) ** 2))

    assert rmse(wary) < 0.7 * rmse(clean)


@pytest.mark.parametrize(
    ("blocks", "y"), [([F[:3]], Y[:3]), ([F, Z[:5]], Y), ([F], Y[:, 0]), ([], Y)]
)
def test_shapes_are_checked(blocks, y):
    with pytest.raises(ValueError, match="at least 4"):
        fit_joint_ridge(blocks, y, np.ones((1, len(blocks))))


def test_shares_are_of_the_blocks_that_there_are():
    with pytest.raises(ValueError, match="shares"):
        fit_joint_ridge([F], Y, TWO)
