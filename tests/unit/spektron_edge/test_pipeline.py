from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_bridge.protocol import LampState
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import BackendError
from spektron_edge.prediction.pipeline import evaluate
from spektron_edge.spectra.acquisition import Ages
from spektron_edge.spectra.resampling import Resampler
from tests import bundles

AGES = Ages(60.0, 60.0)


@pytest.fixture
def run(tiny_model, references, now):
    def make(scan, references=references, resampler=None, model=tiny_model, at=now):
        if resampler is None:
            resampler = Resampler.between(scan.axis_nm, bundles.GRID.axis())
        return evaluate(scan, references, resampler, model, AGES, at)

    return make


def smooth(axis_nm):
    """A spectrum inside the tiny model's domain, without noise between the grid's points."""
    place = (axis_nm - 1200.0) / 1180.0
    peaks = sum(
        0.25 * np.exp(-(((place - c) / w) ** 2)) for c, w in ((0.2, 0.1), (0.5, 0.15), (0.8, 0.1))
    )
    return 0.3 + 0.2 * place + peaks


def failed(outcome, kind):
    assert outcome.values is None
    assert outcome.applicability is None
    assert not outcome.valid
    assert outcome.reasons == (kind.value.code,)
    assert outcome.fault.kind is kind
    return True


def test_a_good_scan_gives_valid_values(run, make_scan):
    scan = make_scan()
    outcome = run(make_scan(smooth(scan.axis_nm)))
    wanted = bundles.expected(smooth(bundles.GRID.axis()))["y"]
    assert outcome.valid
    assert outcome.fault is None
    np.testing.assert_allclose(outcome.values, wanted, atol=1e-3)


def test_a_scan_outside_the_domain_has_values_and_reasons(run, make_scan):
    absorbance = smooth(make_scan().axis_nm)
    absorbance[40:43] += 0.3
    outcome = run(make_scan(absorbance))
    assert outcome.values is not None
    assert "q_above_limit" in outcome.reasons
    assert not outcome.valid
    assert outcome.fault is None


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"saturated": 3}, Faults.SATURATED),
        ({"lamp": LampState.WARMING}, Faults.LAMP_NOT_WARM),
        ({"lamp": LampState.OFF}, Faults.LAMP_NOT_WARM),
        ({"counts": np.full(80, np.nan)}, Faults.NOT_FINITE),
        ({"counts": np.zeros(80)}, Faults.NOT_FINITE),
        ({"counts": np.zeros(0)}, Faults.NO_REFERENCE),
        ({"counts": np.zeros(81)}, Faults.NO_REFERENCE),
        ({"serial": "other"}, Faults.NO_REFERENCE),
        ({"boot_id": 1}, Faults.NO_REFERENCE),
        ({"integration_us": 1}, Faults.NO_REFERENCE),
    ],
)
def test_a_bad_scan_says_what_is_wrong(run, make_scan, change, kind):
    assert failed(run(make_scan(**change)), kind)


def test_without_or_with_old_references_there_is_no_value(run, make_scan, now):
    assert failed(run(make_scan(), None), Faults.NO_DARK)
    late = replace(now, running_s=now.running_s + 100)
    assert failed(run(make_scan(), at=late), Faults.REFERENCE_EXPIRED)


def test_an_axis_that_does_not_fit_the_model_is_the_scan_s_fault(run, make_scan):
    fault = Fault(Faults.AXIS_OUTSIDE_MODEL, "why")
    assert failed(run(make_scan(), resampler=fault), Faults.AXIS_OUTSIDE_MODEL)


class Engine:
    provider = "TestExecutionProvider"

    def __init__(self, inner, change):
        self._inner = inner
        self._change = change

    def infer(self, x, theta):
        return self._change(self._inner.infer(x, theta))


def broken(_):
    raise BackendError("the engine is on fire")


def nan(outputs):
    return replace(outputs, y=np.full_like(outputs.y, np.nan))


@pytest.mark.parametrize(
    ("change", "kind"), [(broken, Faults.BUNDLE_INVALID), (nan, Faults.NOT_FINITE)]
)
def test_an_engine_that_fails_is_a_fault(run, make_scan, tiny_model, change, kind):
    model = replace(tiny_model, backend=Engine(tiny_model.backend, change))
    assert failed(run(make_scan(), model=model), kind)


def test_values_come_in_the_order_of_the_properties_whatever_their_columns(
    run, make_scan, tiny_model
):
    swapped = tiny_model.product.model_copy(
        update={"properties": tuple(reversed(tiny_model.product.properties))}
    )
    scan = make_scan()
    values = run(scan, model=replace(tiny_model, product=swapped)).values
    np.testing.assert_array_equal(values, run(scan).values[::-1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    counts=st.lists(
        st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 599, 600, 601, 65535])),
        min_size=80,
        max_size=80,
    )
)
def test_no_counts_whatever_make_it_raise(run, make_scan, counts):
    outcome = run(make_scan(counts=np.array(counts, np.float64)))
    assert outcome.valid == (outcome.reasons == ())
    if outcome.values is not None:
        assert np.all(
            np.isfinite([*outcome.values, outcome.applicability.t2, outcome.applicability.q])
        )
