import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from spektron_train.benchmarks import peers
from spektron_train.benchmarks.conv_peer import Recipe, cui_fearn, network
from spektron_train.benchmarks.peers import pls, ridge, svr

QUICK = Recipe(learning_rates=(1e-2,), penalties=(1e-3,), epochs=100)


def quick_cnn(x_train, y_train, x_test, rng):
    return cui_fearn(x_train, y_train, x_test, rng, QUICK)


PEERS = [pls, ridge, svr, quick_cnn]


@pytest.fixture(autouse=True)
def _one_thread():
    # Two BLAS threads that wait for each other on a busy machine take twenty times as long.
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="module")
def linear():
    """Two constituents with broad bands, mixed linearly; (x_train, y_train, x_test, y_test)."""
    rng = np.random.default_rng(0)
    u = np.linspace(0, 1, 60)
    bands = np.exp(-(((u - np.array([[0.3], [0.6], [0.5]])) / 0.1) ** 2))
    content = rng.uniform(0.2, 1.0, (70, 3))
    x = content @ bands + 1e-4 * rng.standard_normal((70, 60))
    y = 10 * content[:, :2]
    return x[:50], y[:50], x[50:], y[50:]


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.__name__)
def test_beats_the_mean_on_a_linear_set(peer, linear):
    x_train, y_train, x_test, y_test = linear
    predicted = peer(x_train, y_train, x_test, np.random.default_rng(0))
    assert predicted.shape == y_test.shape
    error = np.sqrt(np.mean((predicted - y_test) ** 2, axis=0))
    # So small a network needs more than 50 samples and 100 epochs.
    share = 0.8 if peer is quick_cnn else 0.1
    assert np.all(error < share * y_test.std(axis=0))


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.__name__)
def test_a_prediction_depends_on_its_own_test_spectrum_only(peer, linear):
    x_train, y_train, x_test = linear[0], linear[1][:, :1], linear[2]
    whole = peer(x_train, y_train, x_test, np.random.default_rng(3))
    part = peer(x_train, y_train, x_test[[4, 2]], np.random.default_rng(3))
    np.testing.assert_allclose(part, whole[[4, 2]], rtol=1e-4)


def test_pls_path_is_scikit_learns_with_each_number_of_components(linear):
    x_train, y_train, x_test, _ = linear
    path = peers._pls_path(x_train, y_train, x_test, 3)
    for components in (1, 2, 3):
        for j in range(y_train.shape[1]):
            model = PLSRegression(components, scale=False).fit(x_train, y_train[:, j])
            expected = model.predict(x_test).ravel()
            np.testing.assert_allclose(path[components - 1, :, j], expected, rtol=1e-9)


def test_pls_has_nothing_to_add_to_an_exact_fit():
    x = np.outer(np.arange(8.0), np.array([1.0, 2.0, 0.5]))
    path = peers._pls_path(x, x[:, :1], x[2:4], 3)
    np.testing.assert_allclose(path[:, :, 0], [[2.0, 3.0]] * 3, atol=1e-9)


def test_ridge_predicts_as_scikit_learn_with_the_chosen_penalty(linear, monkeypatch):
    x_train, y_train, x_test, _ = linear
    monkeypatch.setattr(peers, "PENALTIES", np.array([1e-4]))
    monkeypatch.setattr(peers, "PREPROCESSINGS", (peers.raw,))
    s_max = np.linalg.norm(x_train - x_train.mean(axis=0), 2)
    model = Ridge(alpha=1e-4 * s_max**2, solver="svd").fit(x_train, y_train)
    found = ridge(x_train, y_train, x_test, np.random.default_rng(0))
    np.testing.assert_allclose(found, model.predict(x_test), rtol=1e-8)


def test_preprocessing_removes_what_it_says(linear):
    x = linear[0]
    tilted = x + 0.3 + np.linspace(0, 0.5, 60)
    shift = peers.derivative(tilted) - peers.derivative(x)
    np.testing.assert_allclose(shift, 0.5 / 59, atol=1e-9)
    np.testing.assert_allclose(
        peers.snv_derivative(3 * x + 0.3), peers.snv_derivative(x), atol=1e-9
    )


def test_the_published_network_has_its_published_layers():
    shapes = [tuple(p.shape) for p in network(100).parameters() if p.ndim > 1]
    assert shapes == [(1, 1, 5), (36, 100), (18, 36), (12, 18), (1, 12)]
