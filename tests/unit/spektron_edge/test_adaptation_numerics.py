"""Candidates on the shipped corn bundle: correction, steps of theta, and every bit again."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from spektron_edge.adaptation.adapt import adapt, apart, material
from spektron_edge.adaptation.candidate import Adapted
from spektron_edge.adaptation.correction import TERMS
from spektron_edge.adaptation.ground import Ground, open_ground
from spektron_edge.adaptation.steps import CAP, Steps
from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.adaptation_state.batch_file import as_kept
from spektron_edge.adaptation_state.recompute import recompute_for
from spektron_edge.adaptation_state.replay import replay
from spektron_edge.bundle import read_bundle
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import load_model
from tests import bundles
from tests.adaptations import agreed, put
from tests.corn_adapting import as_batch, corn_material, correction, measured
from tests.corn_bench import SERIAL, configure


@pytest.fixture(scope="module")
def corn():
    return corn_material()


@pytest.fixture(scope="module")
def layout(corn):
    arrays = corn.ground.bundle.arrays(corn.ground.model.product.source)
    names, sizes = arrays["theta_names"].tolist(), arrays["theta_sizes"].tolist()
    ends = np.cumsum(sizes)
    return {n: slice(e - s, e) for n, s, e in zip(names, sizes, ends, strict=True)}


def bits(adapted):
    c = adapted.correction
    return b"".join(a.tobytes() for a in (c.coefficients, c.residual, c.axis_nm, adapted.theta))


# ---- steps of theta


def test_layer_norms_move_within_the_cap_and_the_adapter_does_not(corn, layout):
    moved = correction(gain=0.03).undo(measured())
    theta, told = corn.steps.taken(moved, seed=1)
    change = theta - corn.ground.model.theta
    assert told["steps_gained"] > 0.01
    assert np.all(change[layout["adapter"]] == 0)
    others = [name for name in layout if name != "adapter"]
    assert others
    assert any(np.any(change[layout[name]] != 0) for name in others)
    assert np.abs(change).max() <= CAP * (1 + 1e-5)


def test_steps_are_the_same_to_the_last_bit_with_the_same_seed_only(corn):
    x = measured()
    one, two, other = (corn.steps.taken(x, seed)[0] for seed in (1, 1, 2))
    assert one.tobytes() == two.tobytes()
    assert one.tobytes() != other.tobytes()


class Lying:
    """A gradient graph whose loss falls on the batch and rises on what was held out."""

    def __init__(self, batch, falls):
        self._batch, self._falls = len(batch), falls

    def step(self, x, keep, theta, objective):
        gone = float(np.abs(theta - objective.theta0).sum())
        falls = len(x) == self._batch or self._falls
        loss = 2.0 - 0.1 * gone if falls else 2.0 + 0.1 * gone
        terms = np.zeros(5, np.float32)
        return SimpleNamespace(loss=loss, terms=terms, gradient=-np.ones_like(theta))


@pytest.mark.parametrize(("falls", "moves"), [(False, False), (True, True)])
def test_theta_stays_where_held_out_spectra_gain_nothing(corn, falls, moves):
    x = measured()
    lying = Steps(Lying(x[:8], falls), corn.steps.objective, corn.steps.rates)
    theta, told = lying.taken(x, seed=1)
    theta0 = corn.ground.model.theta
    assert (theta.tobytes() != theta0.tobytes()) == moves
    assert (told["steps_gained"] > 0) == falls


def test_theta_stays_where_nothing_can_be_held_out(corn):
    theta, told = corn.steps.taken(measured()[:9], seed=1)
    assert theta.tobytes() == corn.ground.model.theta.tobytes()
    assert told == {"steps_gained": 0.0}


def test_the_held_out_loss_leaves_the_pull_to_the_start_out(corn):
    x, steps = measured(), corn.steps
    theta = corn.ground.model.theta + np.float32(0.01)
    weights = steps.objective.weights.copy()
    weights[4] = 0.0
    without = Steps(steps.gradient, replace(steps.objective, weights=weights), steps.rates)
    assert steps.loss(x, theta, 3) == pytest.approx(without.loss(x, theta, 3), rel=1e-4)


# ---- candidates


def test_the_same_batch_and_seed_give_the_same_bits(corn):
    batch = as_batch(correction(shift=0.5).undo(measured()))
    one, two = adapt(corn, batch, 4), adapt(corn, batch, 4)
    assert bits(one.adapted) == bits(two.adapted)
    assert one.metrics == two.metrics


def test_a_drift_is_undone_by_terms(corn):
    x = measured()
    moved = correction(shift=0.5).undo(x)
    candidate = adapt(corn, as_batch(moved), 4)
    assert "equalised" not in candidate.metrics
    assert candidate.metrics["shift"] == pytest.approx(0.5, abs=0.03)
    assert candidate.metrics["samples"] == 20
    model = corn.ground.model
    good = model.infer(x).y
    before = np.abs(model.infer(moved).y - good).mean(axis=0)
    plain = np.abs(model.infer(candidate.adapted.correction.apply(moved)).y - good).mean(axis=0)
    assert np.all(plain < 0.2 * before)


@pytest.mark.parametrize("instrument", ["mp5", "mp6"])
def test_means_of_another_instrument_are_made_equal(corn, instrument):
    x = measured(instrument)
    candidate = adapt(corn, as_batch(x), 4)
    assert candidate.metrics["equalised"] == 1.0
    found = candidate.adapted.correction
    assert not found.coefficients.any()
    np.testing.assert_allclose(found.apply(x).mean(axis=0), corn.population.mean, atol=1e-12)
    assert apart(corn, found.apply(x)) < 0.3 * apart(corn, x)


def test_repeats_of_a_sample_are_one_sample(corn):
    thrice = np.concatenate([measured(seed=seed) for seed in range(3)])
    candidate = adapt(corn, as_batch(thrice), 4)
    assert candidate.metrics["samples"] == 20
    assert candidate.metrics["noise"] == pytest.approx(1.5e-4 / np.sqrt(3), rel=0.1)


def test_without_a_gradient_graph_theta_stays_and_the_spectrum_is_corrected(corn):
    candidate = adapt(
        replace(corn, steps=None), as_batch(correction(shift=0.5).undo(measured())), 4
    )
    assert candidate.adapted.theta.tobytes() == corn.ground.model.theta.tobytes()
    assert candidate.metrics["shift"] == pytest.approx(0.5, abs=0.03)
    assert "steps_gained" not in candidate.metrics


def tiny_ground(tmp_path, **changes):
    path = bundles.write_tiny(tmp_path / "tiny.spektron", **changes)
    bundle = read_bundle(path)
    config = load_config(configure(tmp_path / "device", f'bundle = "{path}"'))
    return Ground(config, bundle, load_model(bundle), SERIAL)


def with_spectra():
    arrays = bundles.source_arrays()
    arrays |= {
        "x": bundles.spectra(40).astype(np.float32),
        "y": np.zeros((40, 2), np.float32),
        "samples": np.arange(40),
    }
    return bundles.npz(arrays)


def test_a_bundle_without_gradient_graph_can_be_adapted(tmp_path):
    given = material(tiny_ground(tmp_path, replaced={"source.npz": with_spectra()}))
    assert given.steps is None
    assert given.x.shape == (40, bundles.GRID.points)
    x = bundles.spectra(30, seed=9) + 0.2
    candidate = adapt(given, as_batch(x), 1)
    assert candidate.adapted.theta.tobytes() == bundles.THETA.tobytes()
    back = candidate.adapted.correction.apply(x).mean(axis=0)
    assert np.abs(back - given.population.mean).max() < 0.05


def test_without_spectra_nothing_can_be_adapted(tmp_path):
    product = bundles.product(source_spectra="left_out", transfer_without="transfer of any kind")
    with pytest.raises(Fault) as caught:
        material(tiny_ground(tmp_path, products=[product]))
    assert caught.value.kind is Faults.TRANSFER_IMPOSSIBLE
    assert "without calibration spectra" in caught.value.detail


# ---- replay


@pytest.mark.numerics
@pytest.mark.parametrize(
    "count", [10, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_adaptations_are_made_again_to_the_last_bit(tmp_path, count):
    """Each of its own batch, drift and seed; every third is used, and later ones go on from it."""
    config = load_config(configure(tmp_path / "device"))
    ground = open_ground(config, SERIAL)
    store = AdaptationStore(config.state_dir)
    rng = np.random.default_rng(0)
    material_of = material(ground)
    # As `adapt replay` does it, all read anew; reading it takes longest, so the rest share it.
    anew = recompute_for(config, SERIAL)

    def shared(batch, seed, start):
        return adapt(replace(material_of, ground=replace(ground, start=start)), batch, seed).adapted

    numbers = []
    for i in range(count):
        name = ("shift", "gain", "offset", "stray")[i % 4]
        size = {"shift": 0.6, "gain": 0.1, "offset": 0.2, "stray": 0.01}[name]
        instrument = "mp5" if i % 10 == 9 else "m5"
        x = measured(instrument, train=i % 3 == 0, seed=i)[rng.permutation(20)[:14]]
        made_from = as_kept(as_batch(correction(**{name: size * rng.uniform(0.3, 1)}).undo(x)))
        candidate = adapt(material_of, made_from, seed=i)
        given = candidate.adapted
        number = put(store, ground.model, given, made_from, serial=SERIAL, seed=i)
        if i % 3 == 0:
            store.approve(number, agreed("anna"), 1, ground.model)
        again = anew if i % 10 == 1 else shared
        assert replay(store, number, again) == (), (i, name, instrument)
        numbers.append(number)
    assert len(set(numbers)) == count

    kept = store.load(store.read().entry(number)).adapted
    assert isinstance(kept, Adapted)
    assert kept.correction.coefficients.shape == (len(TERMS),)
    # It does tell where something differs.
    other = lambda batch, seed, start: adapt(material_of, batch, seed + 1).adapted  # noqa: E731
    assert replay(store, number, other) != ()
