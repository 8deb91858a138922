from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from scipy import stats
from ulid import ULID

from spektron_edge.bundle.manifest import Evaluation, Figures
from spektron_edge.clock import Clock, ClockWatch
from spektron_edge.faults import Faults
from spektron_edge.outbox import Gap
from spektron_edge.prediction.intervals import student_t
from spektron_edge.prediction.pipeline import evaluate
from spektron_edge.publishing.records import (
    PUBLISHED,
    ApplicabilityInfo,
    DeviceInfo,
    Response,
    StateRecord,
    Status,
    Times,
    Value,
    new_id,
    to_json,
)
from spektron_edge.publishing.reporter import Reporter
from spektron_edge.spectra.acquisition import Ages
from spektron_edge.spectra.resampling import Resampler
from tests import bundles

AGES = Ages(60.0, 60.0)


def schema(kind):
    model = PUBLISHED[kind]
    published = model.model_json_schema(by_alias=True, mode="serialization")
    Draft202012Validator.check_schema(published)
    return Draft202012Validator(published)


def checked(kind, payload: bytes) -> dict:
    """The payload as JSON, after strict parsing and a look at the published schema."""

    def never(constant):
        raise AssertionError(f"{constant} is no JSON")

    document = json.loads(payload, parse_constant=never)
    schema(kind).validate(document)
    assert document["schema"] == f"spektron.{kind}/1"
    return document


@pytest.fixture
def reporter():
    return Reporter("plant", "nir", Clock(), ClockWatch(0.0))


@pytest.fixture
def predict(reporter, tiny_model, references, now):
    def make(scan, references=references):
        resampler = Resampler.between(scan.axis_nm, bundles.GRID.axis())
        outcome = evaluate(scan, references, resampler, tiny_model, AGES, now)
        return reporter.prediction(scan, references, outcome, tiny_model, now)

    return make


@pytest.mark.parametrize("kind", PUBLISHED)
def test_every_record_has_a_schema_that_forbids_the_unknown(kind):
    document = schema(kind).schema
    assert document["additionalProperties"] is False
    assert document["properties"]["schema"]["const"] == f"spektron.{kind}/1"
    assert "schema" in document["required"]


def test_a_prediction_says_everything_about_its_scan(predict, make_scan):
    outgoing = predict(make_scan(0.4))
    document = checked("prediction", outgoing.payload)
    assert (outgoing.kind, outgoing.id) == ("prediction", document["id"])
    assert document["scan"] == {
        "number": 3,
        "boot_id": 7,
        "device_us": 123,
        "integration_us": 1000,
        "averages": 1,
        "temperature_c": 25.0,
        "saturated": 0,
        "dark_age_s": 10.0,
        "white_age_s": 5.0,
        "white_temperature_c": 24.5,
        "missing_before": 0,
        "noise_absorbance": None,
        "ended_utc": None,
        "ended_running_s": None,
        "ended_uncertainty_s": None,
    }
    flat = bundles.expected(np.full(60, 0.4))["y"]
    values = document["values"]
    assert values["moisture"]["value"] == pytest.approx(flat[0], abs=1e-4)
    assert values["protein"] == {
        "value": pytest.approx(flat[1], abs=1e-4),
        "unit": "% by mass",
        "low": None,
        "high": None,
        "basis": None,
    }
    assert document["model"]["product"] == "grain"
    assert document["time"]["clock"] == "ok"


@pytest.fixture
def measured_model(tiny_model):
    """The same as if it had been measured on 20 held-out samples, for moisture."""
    figures = {"moisture": Figures(rmsep=0.1, r2=1.0, bias=0.0, sep=0.1, rpd=9.0)}
    evaluation = Evaluation(data="grain", samples=20, figures={tiny_model.graph.precision: figures})
    product = tiny_model.product.model_copy(update={"evaluation": evaluation})
    return replace(tiny_model, product=product)


def value(reporter, model, scan, references, now, name="moisture", **changes):
    resampler = Resampler.between(scan.axis_nm, model.product.grid.axis())
    outcome = replace(evaluate(scan, references, resampler, model, AGES, now), **changes)
    sent = reporter.prediction(scan, references, outcome, model, now)
    return checked("prediction", sent.payload)["values"][name]


def test_an_interval_rests_on_what_was_held_out(
    reporter, measured_model, make_scan, references, now
):
    told = value(reporter, measured_model, make_scan(0.4), references, now, reasons=())
    half = stats.t(20).ppf(0.95) * 0.1
    assert told["basis"] == "held_out_rmsep_90"
    assert told["high"] - told["value"] == pytest.approx(half, rel=1e-3)
    assert told["value"] - told["low"] == pytest.approx(half, rel=1e-3)
    words = reporter.model_state(measured_model).interval_basis
    assert words == "held_out_rmsep_90: value +- 1.72 x RMSEP of 20 held-out samples (grain)"


def test_no_interval_is_guessed(reporter, measured_model, make_scan, references, now):
    given = (reporter, measured_model, make_scan(0.4), references, now)
    assert value(*given, name="protein", reasons=())["basis"] is None
    assert value(*given, reasons=("t2_above_limit",))["basis"] is None
    few = measured_model.product.evaluation.model_copy(update={"samples": 4})
    product = measured_model.product.model_copy(update={"evaluation": few})
    given = (reporter, replace(measured_model, product=product), *given[2:])
    assert value(*given, reasons=())["low"] is None


@pytest.mark.parametrize("freedom", [5, 7, 20, 60, 1000])
@pytest.mark.parametrize("share", [0.9, 0.95])
def test_quantiles_are_student_s(freedom, share):
    assert student_t(share, freedom) == pytest.approx(stats.t(freedom).ppf(share), rel=2e-3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"saturated": 1}, "saturated"), ({"counts": np.zeros(80)}, "not_finite")],
)
def test_an_invalid_prediction_has_null_values_and_a_reason(predict, make_scan, change, reason):
    document = checked("prediction", predict(make_scan(**change)).payload)
    assert document["valid"] is False
    assert document["reasons"] == [reason]
    assert document["applicability"] is None
    assert [v["value"] for v in document["values"].values()] == [None, None]


@pytest.mark.parametrize("temperature", [float("nan"), float("inf"), float("-inf")])
def test_a_temperature_that_is_no_number_is_null(predict, make_scan, temperature):
    document = checked("prediction", predict(make_scan(temperature_c=temperature)).payload)
    assert document["scan"]["temperature_c"] is None


def test_without_references_their_ages_are_null(predict, make_scan):
    document = checked("prediction", predict(make_scan(), None).payload)
    assert document["scan"]["dark_age_s"] is document["scan"]["white_age_s"] is None
    assert document["reasons"] == ["no_dark"]


def test_after_a_reboot_ages_are_null(predict, make_scan, references, now):
    old = replace(references, dark_taken=replace(now, boot="boot-0"))
    document = checked("prediction", predict(make_scan(), old).payload)
    assert document["scan"]["dark_age_s"] is None


def test_a_prediction_far_outside_the_domain_is_still_json(predict, make_scan):
    document = checked("prediction", predict(make_scan(np.linspace(0, 4.5, 80) ** 2 / 5)).payload)
    assert "q_above_limit" in document["reasons"]
    assert document["applicability"]["q"] > document["applicability"]["q_limit"]


def test_a_suspect_clock_is_marked(tiny_model, make_scan, references, now):
    reporter = Reporter("plant", "nir", Clock(), ClockWatch(now.utc_s + 1))
    assert reporter.times(now).clock == "suspect"
    assert reporter.times(replace(now, utc_s=now.utc_s + 1)).clock == "ok"


def test_a_fault_is_an_event_with_its_next_step_and_the_scans_concerned(reporter):
    outgoing = reporter.gap([Gap("S", 7, 4, 5), Gap("S", 7, 9, 9)], "of a test")
    document = checked("event", outgoing.payload)
    assert outgoing.kind == "event"
    assert document["code"] == "scans_missed"
    assert document["level"] == "error"
    assert document["message"] == "3 scans are missing: of a test"
    assert document["next_step"] == Faults.SCANS_MISSED.value.next_step
    assert document["scans"] == [[4, 5], [9, 9]]
    assert (document["serial"], document["boot_id"]) == ("S", 7)


def test_state_model_status_and_response_fit_their_schemas(reporter, tiny_model):
    state = StateRecord(
        site="s",
        instrument="i",
        time=reporter.times(),
        uptime_s=1.0,
        faults=("port_lost",),
        device=DeviceInfo(
            serial="S-1", firmware="1.0", protocol=1, capabilities=("lamp",), pixels=9, boot_id=7
        ),
        counters={"valid": 3},
        p50_ms=None,
        p99_ms=2.5,
        audit_head="0" * 64,
    )
    assert checked("state", to_json(state))["p50_ms"] is None
    model = checked("model", to_json(reporter.model_state(tiny_model)))
    assert model["properties"] == {"moisture": "% by mass", "protein": "% by mass"}
    assert checked("status", to_json(Status(status="offline")))["status"] == "offline"
    response = Response(command="health", ok=True, message="", correlation=None, result={"n": 1})
    assert checked("response", to_json(response))["result"] == {"n": 1}


@given(number=st.sampled_from([float("nan"), float("inf"), float("-inf")]))
def test_no_record_takes_what_json_cannot_say(number):
    for make in (
        lambda: Value(value=number, unit="%"),
        lambda: Times(utc="", running_s=number, clock="ok"),
        lambda: ApplicabilityInfo(t2=number, t2_limit=1, q=1, q_limit=1),
        lambda: Response(command="c", ok=True, message="", correlation=None, result={"x": number}),
    ):
        with pytest.raises(ValidationError):
            make()


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_the_way_into_an_event(text):
    reporter = Reporter("plant", "nir", Clock(), ClockWatch(0.0))
    assert checked("event", reporter.event("code", text).payload)["message"] == text


def test_ids_are_ulids_and_never_the_same():
    ids = [new_id() for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    assert all(str(ULID.from_str(i)) == i for i in ids)
