"""What every transfer method must do; one that is new in REGISTRY must pass all of this."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.transfer import TransferError
from spektron_edge.transfer.methods import REGISTRY, NoTransfer
from spektron_edge.transfer.methods.method import SpectrumMap
from tests import transfer_worlds as worlds

pytestmark = pytest.mark.numerics

FIELDS = {
    "latent_transport": {"latents": worlds.latents},
    "spektron_route": {
        "encoder": worlds.encoder,
        "gradient": worlds.gradient,
        "theta0": worlds.THETA,
        "rate": 0.01,
        "cap": 0.1,
    },
}
NEEDS = {"pairs", "labels", "unpaired", "standards", "latents", "gradient"}
WORLD = worlds.world()
TEST = slice(55, None)
GIVEN = {
    "pairs": ("pairs_source", "pairs_target"),
    "labels": ("labels", "pairs_target", "pairs_source"),
    "unpaired": ("unpaired",),
    "standards": ("standards_source", "standards_target"),
    "latents": ("unpaired",),
    "gradient": (),
}


@pytest.fixture(params=REGISTRY, ids=str)
def method(request):
    return REGISTRY[request.param](**FIELDS.get(request.param, {}))


@pytest.fixture
def fitted(method):
    return method.fit(**WORLD.arguments())


def refusal(call, *args, **kwargs):
    with pytest.raises(TransferError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def test_its_class_says_what_it_is(method):
    assert REGISTRY[method.key] is type(method)
    assert method.needs <= NEEDS
    assert type(method).__doc__


def test_fit_returns_the_method_with_fitted_attributes(method):
    before = set(vars(method))
    assert method.fit(**WORLD.arguments()) is method
    new = {name for name in set(vars(method)) - before if not name.startswith("_")}
    assert new
    assert all(name.endswith("_") for name in new)


@pytest.mark.parametrize("rows", [1, 7])
def test_shapes(fitted, rows):
    spectra = WORLD.t[:rows]
    assert fitted.predict(spectra).shape == (rows, 2)
    assert fitted.transform(spectra).shape == spectra.shape


def test_one_property_as_a_vector_is_the_first_of_two(method, fitted):
    both = fitted.predict(WORLD.t[TEST])
    one = {**WORLD.arguments(), "source_y": WORLD.y[:30, 0], "labels": WORLD.y[:8, 0]}
    alone = method.fit(**one).predict(WORLD.t[TEST])
    assert alone.shape == (25,)
    np.testing.assert_allclose(alone, both[:, 0], atol=1e-6)


def test_inputs_are_left_as_they_were(method):
    arguments = {name: value.copy() for name, value in WORLD.arguments().items()}
    parameters = {name: np.copy(value) for name, value in method.get_params().items()}
    spectra = WORLD.t.copy()
    method.fit(**arguments)
    method.predict(spectra)
    method.transform(spectra)
    np.testing.assert_array_equal(spectra, WORLD.t)
    for name, value in WORLD.arguments().items():
        np.testing.assert_array_equal(arguments[name], value)
    for name, value in method.get_params().items():
        np.testing.assert_array_equal(parameters[name], np.copy(value))


def test_the_same_input_gives_the_same_output_to_the_bit(method, fitted):
    first = fitted.predict(WORLD.t[TEST])
    again = method.fit(**WORLD.arguments()).predict(WORLD.t[TEST])
    np.testing.assert_array_equal(first, again)


def test_the_order_of_samples_does_not_matter(method, fitted):
    first = fitted.predict(WORLD.t[TEST])
    rng = np.random.default_rng(3)
    arguments = WORLD.arguments()
    for group in (
        ("source_X", "source_y"),
        ("pairs_source", "pairs_target", "labels"),
        ("unpaired",),
        ("standards_source", "standards_target"),
    ):
        order = rng.permutation(len(arguments[group[0]]))
        arguments |= {name: arguments[name][order] for name in group}
    again = method.fit(**arguments).predict(WORLD.t[TEST])
    np.testing.assert_allclose(again, first, atol=1e-5)


def test_a_row_does_not_depend_on_its_neighbours(fitted):
    together = fitted.predict(WORLD.t[TEST])
    alone = np.concatenate([fitted.predict(row[None]) for row in WORLD.t[TEST]])
    np.testing.assert_allclose(together, alone, atol=1e-8)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.01, 100), st.floats(-50, 50))
@pytest.mark.parametrize("key", REGISTRY)
def test_another_unit_of_the_property_is_another_unit_of_the_prediction(key, factor, zero):
    method = REGISTRY[key](**FIELDS.get(key, {}))
    arguments = WORLD.arguments()
    plain = method.fit(**arguments).predict(WORLD.t[TEST])
    arguments |= {name: zero + factor * arguments[name] for name in ("source_y", "labels")}
    moved = method.fit(**arguments).predict(WORLD.t[TEST])
    np.testing.assert_allclose(moved, zero + factor * plain, atol=1e-5 * factor + 1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_better_than_none_where_the_target_differs_in_scale_and_offset(method, seed):
    made = worlds.world(seed)
    none = NoTransfer().fit(**made.arguments()).predict(made.t[TEST])
    found = method.fit(**made.arguments()).predict(made.t[TEST])
    if method.key == "none":
        np.testing.assert_array_equal(found, none)
    else:
        assert np.all(worlds.r2(found, made.y[TEST]) > worlds.r2(none, made.y[TEST]))
        assert np.all(worlds.r2(found, made.y[TEST]) > 0.5)


def test_between_two_instruments_that_are_one_nothing_is_lost(method):
    same = worlds.world(3, change=lambda spectra: spectra)
    arguments = same.arguments()
    arguments |= {
        "pairs_target": arguments["pairs_source"],
        "standards_target": arguments["standards_source"],
    }
    method.fit(**arguments)
    assert np.all(worlds.r2(method.predict(same.t[TEST]), same.y[TEST]) > 0.85)
    if isinstance(method, SpectrumMap):
        # Relative to what samples differ by; DS loses what its pairs do not span.
        gap = np.std(method.transform(same.t[TEST]) - same.t[TEST], axis=0)
        assert np.mean(gap) < 0.2 * np.mean(same.t[TEST].std(axis=0))


def test_a_method_that_maps_no_spectra_leaves_them_alone(fitted):
    if not isinstance(fitted, SpectrumMap) or fitted.key == "none":
        np.testing.assert_array_equal(fitted.transform(WORLD.t), WORLD.t)


def test_it_does_with_what_it_says_that_it_needs(method):
    kept = {"source_X", "source_y", *(name for need in method.needs for name in GIVEN[need])}
    less = {name: value for name, value in WORLD.arguments().items() if name in kept}
    assert np.all(np.isfinite(method.fit(**less).predict(WORLD.t)))


def test_what_is_missing_is_named(method):
    told = WORLD.arguments()
    bare = {name: told[name] for name in ("source_X", "source_y")}
    if method.needs:
        message = refusal(method.fit, **bare)
        assert message.startswith(method.key)
        assert "give" in message
    else:
        method.fit(**bare)


def test_nothing_can_be_predicted_before_it_is_fitted(method):
    assert "fit" in refusal(method.predict, WORLD.t)
    assert "fit" in refusal(method.transform, WORLD.t)


def test_as_many_transfer_samples_as_it_says_are_enough(method):
    few = WORLD.arguments(method.least)
    assert np.all(np.isfinite(method.fit(**few).predict(WORLD.t)))
    assert "at least" in refusal(method.fit, **WORLD.arguments(2))


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_of_spectra_does_not_matter_or_is_refused(method, factor):
    arguments = {
        name: value * (1.0 if name in ("source_y", "labels") else factor)
        for name, value in WORLD.arguments().items()
    }
    if method.key in FIELDS and factor > 1:
        # This encoder saturates: it was made for one unit, and says so.
        assert "unit" in refusal(method.fit, **arguments)
    else:
        assert np.all(np.isfinite(method.fit(**arguments).predict(factor * WORLD.t)))


@pytest.mark.parametrize("name", ["pairs_source", "pairs_target", "unpaired", "standards_target"])
def test_the_same_spectrum_throughout_is_no_traceback(method, name):
    arguments = WORLD.arguments()
    arguments[name] = np.repeat(arguments[name][:1], len(arguments[name]), axis=0)
    try:
        found = method.fit(**arguments).predict(WORLD.t)
    except TransferError:
        return
    assert np.all(np.isfinite(found))


BAD = [
    ("source_X", lambda a: a[:5], "at least 8"),
    ("source_X", lambda a: a[0], "one row a spectrum"),
    ("source_X", lambda a: a[:, :6], "eight"),
    ("source_X", lambda a: np.where(a == a[2, 3], np.nan, a), "not a finite number"),
    ("source_X", lambda a: [["a"] * 120] * 30, "must be numbers"),
    ("source_y", lambda a: a[:-1], "one row for each"),
    ("source_y", lambda a: np.full_like(a, np.nan), "not finite"),
    ("source_y", lambda a: np.ones_like(a), "the same for all"),
    ("pairs_source", lambda a: a[:-1], "same sample"),
    ("pairs_source", lambda a: a[:, :-1], "one axis"),
    ("pairs_target", lambda a: a + np.inf, "not a finite number"),
    ("pairs_target", lambda a: a[:2], "same sample"),
    ("labels", lambda a: a[:-1], "one row for each"),
    ("labels", lambda a: a[:, :1], "properties"),
    ("labels", lambda a: a + np.inf, "not finite"),
    ("unpaired", lambda a: a[:, :-1], "one axis"),
    ("unpaired", lambda a: a * np.nan, "not a finite number"),
    ("standards_source", lambda a: None, "both"),
    ("standards_target", lambda a: a[:1], "same standard"),
    ("standards_target", lambda a: a[:, :9], "one axis"),
]


@pytest.mark.parametrize(("name", "spoil", "told"), BAD, ids=[f"{b[0]} {b[2]}" for b in BAD])
def test_bad_input_is_refused_with_what_to_do(method, name, spoil, told):
    arguments = WORLD.arguments()
    assert told in refusal(method.fit, **{**arguments, name: spoil(arguments[name])})


@pytest.mark.parametrize(
    "spectra",
    [WORLD.t[:, :-1], WORLD.t[0], WORLD.t * np.nan, "spectra"],
    ids=["channels", "vector", "nan", "text"],
)
def test_bad_spectra_are_refused_too(fitted, spectra):
    refusal(fitted.predict, spectra)
    refusal(fitted.transform, spectra)


def test_hyperparameters_can_be_read_and_set(method):
    parameters = method.get_params()
    assert all(hasattr(method, name) for name in parameters)
    assert method.set_params(**parameters) is method
    assert "no hyperparameter" in refusal(method.set_params, nonsense=1)


def test_scikit_learn_can_clone_it(method):
    base = pytest.importorskip("sklearn.base")
    copy = base.clone(method)
    assert type(copy) is type(method)
    assert not hasattr(copy, "n_features_in_")


NUMBERS = [
    (key, name)
    for key, cls in REGISTRY.items()
    for name, value in cls(**FIELDS.get(key, {})).get_params().items()
    if isinstance(value, int | float) and not isinstance(value, bool) and name != "seed"
]


@pytest.mark.parametrize(("key", "name"), NUMBERS)
@pytest.mark.parametrize("value", [-1, np.nan])
def test_a_hyperparameter_that_makes_no_sense_is_refused(key, name, value):
    method = REGISTRY[key](**{**FIELDS.get(key, {}), name: value})
    assert name in refusal(method.fit, **WORLD.arguments())
