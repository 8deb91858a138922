"""Every refusal and every doubt of the guard, on the shipped corn bundle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spektron_edge.adaptation import guard
from spektron_edge.adaptation.adapt import adapt
from spektron_edge.adaptation.candidate import Adapted, Candidate
from spektron_edge.adaptation.drift import Drift
from spektron_edge.adaptation.evidence import Evidence, Stability
from spektron_edge.adaptation.guard import judge
from tests.corn_adapting import as_batch, corn_material, correction, measured

pytestmark = pytest.mark.numerics

NOTHING = Evidence()
SERVICED = Evidence(services=("lamp changed by Eve",))
TRUE = {"shift": 0.5}
NO_SIGN = "nothing says that the instrument changed, and not the samples"


@pytest.fixture(scope="module")
def corn():
    """Without a gradient graph, whose loss takes longest; one test has it."""
    return replace(corn_material(), steps=None)


@pytest.fixture(scope="module")
def drifted(corn):
    """(held out, candidate) after the axis moved."""
    candidate = adapt(corn, as_batch(correction(**TRUE).undo(measured())), 1)
    held = correction(**TRUE).undo(measured(train=True, seed=1)[:16])
    return as_batch(held), candidate


@pytest.fixture(scope="module")
def exchanged(corn):
    """The same with another instrument."""
    candidate = adapt(corn, as_batch(measured("mp5")), 1)
    return as_batch(measured("mp5", train=True, seed=1)[:16]), candidate


def with_correction(candidate, residual=None, **terms):
    changed = Adapted(correction(residual, **terms), candidate.adapted.theta)
    return replace(candidate, adapted=changed)


def with_figures(candidate, **figures):
    return replace(candidate, metrics={**candidate.metrics, **figures})


def refused(verdict, words):
    return any(words in text for text in verdict.refusals)


def test_an_axis_that_moved_is_used_without_anybody(drifted):
    held, _ = drifted
    full = corn_material()
    candidate = adapt(full, as_batch(correction(**TRUE).undo(measured())), 1)
    verdict = judge(full, held, candidate, NOTHING, ())
    assert (verdict.refusals, verdict.doubts) == ((), ())
    told = verdict.metrics
    assert 0 < told["loss_after"] <= 1.1 * told["loss_before"]
    assert told["misfit_after"] < told["misfit_before"]
    assert told["apart_after"] < told["apart_before"]
    assert told["source_moved"] < 0.5
    assert told["stability_samples"] == 0


def test_a_shift_of_several_channels_does_not_move_the_source(corn, drifted):
    """Cubic convolution cannot be taken back by plain fixed point beyond half a channel."""
    held, candidate = drifted
    for size in (1.5, 3.0, 5.0):
        verdict = judge(corn, held, with_correction(candidate, shift=size), NOTHING, ())
        assert verdict.metrics["source_moved"] < 0.1
        assert not refused(verdict, "would move by")


# ---- refusals


def test_a_mean_that_hardly_moved_is_refused(corn, drifted):
    held, candidate = drifted
    for figures in ({"gained": 19.9}, {"gained": float("nan")}):
        verdict = judge(corn, held, with_figures(candidate, **figures), SERVICED, ())
        assert refused(verdict, "did not move by more than samples make it")
    unmoved = adapt(corn, as_batch(measured()), 1)
    verdict = judge(corn, as_batch(measured(train=True)[:16]), unmoved, SERVICED, ())
    assert refused(verdict, "did not move by more than samples make it")


def test_few_samples_are_refused(corn, drifted):
    held, candidate = drifted
    verdict = judge(corn, held, with_figures(candidate, samples=9.0), SERVICED, ())
    assert refused(verdict, "9 distinct samples only")


def test_a_correction_the_wrong_way_is_refused_for_mean_and_domain(corn, drifted):
    held, candidate = drifted
    verdict = judge(corn, held, with_correction(candidate, shift=-0.5), SERVICED, ())
    assert refused(verdict, "comes no nearer")
    assert refused(verdict, "farther from the calibration's domain")
    assert verdict.metrics["misfit_after"] > verdict.metrics["misfit_before"]


def test_it_is_compared_with_what_is_in_use(corn, drifted):
    """The true correction is in use already: a worse one is none."""
    held, candidate = drifted
    ground = replace(corn.ground, start=Adapted(correction(**TRUE), corn.ground.model.theta))
    used = replace(corn, ground=ground)
    worse = with_correction(candidate, shift=0.3)
    assert refused(judge(used, held, worse, SERVICED, ()), "comes no nearer")
    assert not refused(judge(corn, held, worse, SERVICED, ()), "comes no nearer")


def test_a_worse_objective_is_refused(corn, drifted):
    held, candidate = drifted
    theta0 = corn.ground.model.theta

    class Worse:
        def loss(self, corrected, theta, seed):
            return 1.0 if theta.tobytes() == theta0.tobytes() else self.after

    steps = Worse()
    moved = replace(candidate, adapted=replace(candidate.adapted, theta=theta0 + np.float32(1e-3)))
    for after, is_refused in ((1.05, False), (1.15, True), (float("nan"), True)):
        steps.after = after
        verdict = judge(replace(corn, steps=steps), held, moved, SERVICED, ())
        assert refused(verdict, "objective is worse") == is_refused


CAPS = {
    "gain": 0.3,
    "gain_slope": 0.1,
    "stray": 0.1,
    "linearity_0": 0.5,
    "linearity_4": 0.5,
    "shift": 6.0,
    "stretch": 6.0,
    "water_1450_shift": 6.0,
    "water_1930_width": 240.0,
}


@pytest.mark.parametrize("name", [*CAPS, "offset", "slope", "curvature", "cubic"])
def test_a_coefficient_beyond_its_cap_is_refused(corn, name):
    level = float(np.sqrt(np.mean(corn.population.mean**2)))
    of_level = {"offset": 2.0, "slope": 0.5, "curvature": 0.5, "cubic": 0.5}
    cap = CAPS[name] if name in CAPS else of_level[name] * level
    theta = corn.ground.model.theta
    for sign in (-1, 1):
        beyond = guard._beyond_caps(corn, Adapted(correction(**{name: sign * 1.01 * cap}), theta))
        assert [text.split()[0] for text in beyond] == [name]
        within = Adapted(correction(**{name: sign * 0.99 * cap}), theta)
        assert not guard._beyond_caps(corn, within)
    unknown = Adapted(correction(**{name: float("nan")}), theta)
    assert guard._beyond_caps(corn, unknown)


def test_caps_of_residual_and_theta_are_refusals_of_the_verdict(corn, drifted):
    held, candidate = drifted
    level = float(np.sqrt(np.mean(corn.population.mean**2)))
    large = np.full(corn.axis_nm.size, 0.21 * level)
    verdict = judge(corn, held, with_correction(candidate, large, gain=0.31), SERVICED, ())
    assert refused(verdict, "a residual of")
    assert refused(verdict, "gain of 0.31 is beyond its cap")
    theta = corn.ground.model.theta.copy()
    theta[0] += np.float32(0.03)
    far = replace(candidate, adapted=replace(candidate.adapted, theta=theta))
    assert refused(judge(corn, held, far, SERVICED, ()), "theta moved by 0.03")


def test_a_theta_that_moves_the_sources_own_predictions_is_refused(corn, drifted):
    held, candidate = drifted
    theta = corn.ground.model.theta
    # Within its cap, and everywhere to the same side.
    moved = replace(candidate.adapted, theta=theta + np.float32(0.02))
    verdict = judge(corn, held, replace(candidate, adapted=moved), SERVICED, ())
    assert verdict.metrics["source_moved"] > 0.5
    assert refused(verdict, "of the source's own spectra would move by")


def tile(corn, spectrum, half_width, name="tile"):
    model = corn.ground.model
    value = model.infer(spectrum[None]).y[0].astype(np.float64)
    value = value[[p.column for p in model.product.properties]]
    return Stability(name, spectrum, value, np.full(value.size, half_width))


def test_a_stability_sample_has_to_stay_within_its_interval(corn, drifted):
    held, candidate = drifted
    known = measured(noise=0.0)[0]
    # Measured after the change, predicted before it.
    now = correction(**TRUE).undo(known[None])[0]
    good = replace(tile(corn, known, 0.5), spectrum=now)
    verdict = judge(corn, held, candidate, NOTHING, (good,))
    assert verdict.refusals == ()
    assert verdict.metrics["stability_samples"] == 1
    for off in (good.value + 1.0, np.full(good.value.size, np.nan)):
        bad = replace(good, value=off, name="glass")
        verdict = judge(corn, held, candidate, NOTHING, (good, bad))
        (refusal,) = verdict.refusals
        assert "stability sample glass would be outside its interval" in refusal


# ---- doubts


def test_an_exchange_is_left_to_people_unless_a_service_was_told(corn, exchanged):
    verdict = judge(corn, *exchanged, NOTHING, ())
    assert verdict.refusals == ()
    assert ["was a part exchanged?" in text for text in verdict.doubts] == [True]
    # A stability sample astray says that something changed, not that it is explained.
    astray = judge(corn, *exchanged, Evidence(astray=("tile",)), ())
    assert astray.doubts == verdict.doubts
    assert judge(corn, *exchanged, SERVICED, ()).doubts == ()


def by_figures(candidate, **figures):
    """Terms say all that is to say; compositions could as well."""
    known = {"gained": 100.0, "terms_by_one": 99.0, "terms_misfit": 1.0, "form_gained": 0.0}
    known |= {"terms_by_scale": 10.0}
    return with_figures(candidate, **known | figures)


DRIFT = Drift("wavelength_up", (7, 1), 1, 3.0, "instrument", ("wavelength_up",))
OF_STREAM = Evidence(drift=DRIFT)
UNKNOWN = Evidence(drift=replace(DRIFT, evidence_kind="unknown"))


@pytest.mark.parametrize(
    ("figures", "evidence", "doubted"),
    [
        ({}, NOTHING, True),
        ({}, UNKNOWN, True),
        ({}, OF_STREAM, False),
        ({}, SERVICED, False),
        ({}, Evidence(astray=("tile",)), False),
        # What compositions cannot do speaks for itself, if one cause does it.
        ({"form_gained": 3.5}, NOTHING, False),
        ({"form_gained": 3.5, "terms_by_one": 80.0}, NOTHING, True),
        ({"form_gained": 3.5, "terms_misfit": 6.0}, NOTHING, True),
        # The stream alone is not believed either where no single cause explains the change.
        ({"terms_by_one": 80.0}, OF_STREAM, True),
        ({"terms_misfit": 6.0}, OF_STREAM, True),
        ({"terms_by_one": 80.0}, SERVICED, False),
        # Of a large gain, a share may be left.
        ({"gained": 1000.0, "terms_by_one": 1000.0 - 990 * guard._UNSAID_SHARE}, OF_STREAM, False),
        ({"gained": 1000.0, "terms_by_one": 999.0 - 1000 * guard._UNSAID_SHARE}, OF_STREAM, True),
    ],
)
def test_something_has_to_say_that_the_instrument_changed(
    corn, drifted, figures, evidence, doubted
):
    held, candidate = drifted
    verdict = judge(corn, held, by_figures(candidate, **figures), evidence, ())
    assert verdict.refusals == ()
    assert verdict.doubts == ((NO_SIGN,) if doubted else ())


@pytest.mark.parametrize(
    ("by_scale", "evidence", "doubted"),
    [
        (99.0, OF_STREAM, True),
        (85.0, OF_STREAM, True),
        (83.0, OF_STREAM, False),
        (99.0, SERVICED, False),
        (99.0, Evidence(astray=("tile",)), False),
    ],
)
def test_what_a_dilution_does_as_well_is_left_to_people(corn, drifted, by_scale, evidence, doubted):
    held, candidate = drifted
    verdict = judge(corn, held, by_figures(candidate, terms_by_scale=by_scale), evidence, ())
    assert verdict.refusals == ()
    assert ["dilution" in text for text in verdict.doubts] == [True] * doubted


def test_a_product_that_is_diluted_looks_like_a_loss_of_gain(corn):
    """Nothing in its spectra says which of both it is."""
    diluted, shifted = 0.9 * measured(), correction(shift=0.6).undo(measured())
    beyond = [
        found["terms_by_one"] - found["terms_by_scale"]
        for found in (adapt(corn, as_batch(x), 1).metrics for x in (diluted, shifted))
    ]
    assert beyond[0] < guard._UNSAID < beyond[1]


def test_a_change_that_still_grows_is_left_to_people(corn, drifted):
    verdict = judge(corn, *drifted, replace(SERVICED, growing="the change still grows"), ())
    assert verdict.refusals == ()
    assert verdict.doubts == ("the change still grows",)


def test_spectra_that_are_still_beyond_the_limits_are_left_to_people(corn, exchanged):
    """A correction that helps, and not enough."""
    held, candidate = exchanged
    residual = 0.3 * candidate.adapted.correction.residual
    verdict = judge(corn, held, with_correction(candidate, residual), SERVICED, ())
    assert verdict.refusals == ()
    assert verdict.metrics["apart_after"] > 3
    assert verdict.doubts == ("corrected spectra are still beyond the applicability limits",)


def test_a_candidate_without_figures_is_refused(corn, drifted):
    held, candidate = drifted
    bare = Candidate(candidate.adapted, {"gained": 0.0, "terms_by_one": 0.0, "terms_misfit": 9.0})
    verdict = judge(corn, held, bare, NOTHING, ())
    assert refused(verdict, "did not move")
    assert refused(verdict, "0 distinct samples only")
    assert verdict.doubts == (NO_SIGN,)
