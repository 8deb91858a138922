"""Adaptations as the page tells them, from folders that a device keeps."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from spektron_edge.adaptation.evidence import EvidenceFile
from spektron_edge.adaptation.evidence_store import EvidenceStore
from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.clock import Clock
from spektron_edge.outbox import Outgoing
from spektron_edge.page.drift_signs import followed, signs
from spektron_edge.page.reasons import reason
from spektron_edge.publishing.records import Event, Times, new_id, to_json
from spektron_edge.said import Sayings
from tests.adaptations import SERIAL, adapted, agreed, put, use

from .predicted import iso, outbox, record


@pytest.fixture
def store(page):
    return AdaptationStore(page.state_dir)


def test_a_device_that_never_adapted(asked):
    found = asked("/adaptation", "viewer").json()
    assert found == {
        "serial": None,
        "mode": "frozen",
        "approvals_needed": 1,
        "in_use": None,
        "not_applied": None,
        "hindered": None,
        "evidence": [],
        "followed": None,
        "waiting": [],
        "kept": [],
        "shadow": None,
        "stability": {},
    }
    assert asked("/adaptation/1").json()["error"] == "adaptation_missing"
    assert asked("/adaptation/1").status_code == 404
    assert asked("/adaptation/0").status_code == asked("/adaptation/x").status_code == 404


def test_what_is_in_use_beside_what_is_proposed(asked, store, tiny_model):
    use(store, tiny_model, why="first")
    number = put(store, tiny_model, adapted(tiny_model, gain=0.02), why="second")
    found = asked("/adaptation", "viewer").json()
    assert (found["serial"], found["in_use"], found["not_applied"]) == (SERIAL, 1, None)
    (waiting,) = found["waiting"]
    assert (waiting["number"], waiting["approved_by"]) == (number, [])
    assert waiting["why"] == [{"code": "as_written", "values": {"text": "second"}}]
    assert waiting["metrics"] == {"trust": 0.9}
    assert waiting["made"] == "2026-11-22T00:00:00Z"
    assert [(k["number"], k["status"], k["in_use"]) for k in found["kept"]] == [
        (2, "proposed", False),
        (1, "installed", True),
    ]
    assert found["kept"][1]["approved_by"] == ["anna"]
    assert found["kept"][1]["approvals"][0]["through"] == "test"

    one = asked(f"/adaptation/{number}", "viewer").json()
    state = store.load(store.read().entry(number))
    added = state.adapted.correction.apply(state.examples) - state.examples
    np.testing.assert_allclose(one["correction"], added.mean(axis=0))
    np.testing.assert_allclose(one["wavelength_nm"], state.adapted.correction.axis_nm)
    assert one["coefficients"]["gain"] == 0.02
    told = {"text": "z_inst moved by 4 standard errors"}
    assert one["evidence"] == [{"code": "as_written", "values": told}]
    assert one["problem"] is None


def test_an_approval_of_two_is_counted(asked, store, tiny_model, config_path):
    config_path.write_text(
        config_path.read_text() + '[adaptation]\nmode = "propose"\napprovals = 2\n'
    )
    number = put(store, tiny_model)
    store.approve(number, agreed("anna"), 2, tiny_model)
    found = asked("/adaptation").json()
    assert (found["mode"], found["approvals_needed"], found["in_use"]) == ("propose", 2, None)
    assert found["waiting"][0]["approved_by"] == ["anna"]


def test_a_file_that_is_damaged_is_told_and_hides_nothing_else(asked, store, tiny_model):
    number = use(store, tiny_model)
    entry = store.read().entry(number)
    (store.folder / entry.file).write_bytes(b"no")
    found = asked("/adaptation").json()
    assert found["in_use"] == number
    assert found["not_applied"]["code"] == "unusable"
    assert entry.file in found["not_applied"]["values"]["detail"]
    one = asked(f"/adaptation/{number}").json()
    assert (one["correction"], one["wavelength_nm"], one["metrics"]) == (None, None, {})
    assert entry.file in one["problem"]["values"]["detail"]


def test_evidence_with_its_limits(asked, page, store, tiny_model):
    put(store, tiny_model)
    evidence, now = EvidenceStore(page.state_dir), Clock().now()
    evidence.service("lamp changed", "eve", now)
    known = {"instrument": (SERIAL, "tiny"), "errors": {"moisture": 0.1}}
    for offset in (0.0, 5.0):
        values = {"moisture": np.array([10.0, 10.1, 9.9]) + offset}
        spectra = np.full((3, 4), 0.3)
        evidence.stability("tile-3", "eve", now, spectra=spectra, values=values, **known)
    far = {"t2": 30.0, "t2_limit": 20.0, "q": 1e-6, "q_limit": 1e-5}
    shadow = {
        "adaptation": {"version": 1, "id": "x", "mode": "propose", "approved_by": []},
        "values": {"moisture": {"value": 9.0, "low": None, "high": None, "unit": "%"}},
        "valid": True,
        "reasons": [],
    }
    with closing(outbox(page, [record(0, applicability=far, shadow=shadow)])) as box:
        for code in ("drift_detected", "scan_gap"):
            event = Event(
                id=new_id(),
                site="lab",
                instrument="m5",
                time=Times(utc=iso(1), running_s=1.0, clock="ok"),
                code=code,
                level="warning",
                message=f"told of {code}",
            )
            box.commit([Outgoing(event.id, "event", to_json(event))])
        found = asked("/adaptation").json()
        signs = {sign["name"]: sign for sign in found["evidence"]}
        assert (signs["t2"]["value"], signs["t2"]["limit"], signs["t2"]["over"]) == (
            30.0,
            20.0,
            True,
        )
        assert signs["q"]["over"] is False
        assert signs["drift"]["over"] is True
        assert signs["drift"]["told_at"] == iso(1)
        (told,) = signs["drift"]["reasons"]
        assert told["values"] == {"text": "told of drift_detected"}
        assert signs["service"]["over"] is True
        (service,) = signs["service"]["reasons"]
        assert service["values"].items() >= {"what": "lamp changed", "who": "eve"}.items()
        kept = signs["stability"]
        assert (kept["sample"], kept["property"]) == ("tile-3", "moisture")
        assert (kept["over"], round(kept["value"], 6)) == (True, 5.0)
        assert found["stability"]["tile-3"]["astray"] == ["moisture"]
        assert found["stability"]["tile-3"]["measured"] == 2
        assert (found["shadow"]["number"], found["shadow"]["of_scan_utc"]) == (1, iso(0))
        assert found["shadow"]["values"]["moisture"]["value"] == 9.0


_OF_EVENT = Sayings.AS_WRITTEN.of(text="is far")
_NEAREST = Sayings.NEAREST_STATISTIC.of(statistic="q")
_DRIFT = Sayings.DRIFT.of(statistic="q", size=3.0, scan=12, telling="q, t2")


@pytest.mark.parametrize(
    ("known", "over", "said", "told_at"),
    [
        (None, True, _OF_EVENT, "2026-11-22T10:00:00Z"),
        ({"samples": 3, "told": None}, True, _OF_EVENT, "2026-11-22T10:00:00Z"),
        ({"samples": 8, "told": None}, False, _NEAREST, None),
        ({"samples": 8, "told": str(_DRIFT)}, True, _DRIFT, None),
        ({"samples": 3, "told": None, "since": "2026-11-22T09:00:00Z"}, False, _NEAREST, None),
    ],
)
def test_a_drift_is_told_with_what_it_rests_on(known, over, said, told_at):
    """After a restart of the daemon, what was told before speaks until there is enough anew."""
    event = {
        "code": "drift_detected",
        "message": "is far",
        "time": {"utc": "2026-11-22T10:00:00Z"},
    }
    since = {"since": "2026-11-22T11:00:00Z", "spectra": 90, "statistic": "q", "share": 0.25}
    state = {
        "time": {"utc": "2026-11-22T12:00:00Z"},
        "drift": None if known is None else since | known,
    }
    (sign,) = signs(None, state, event, EvidenceFile(), SERIAL, Clock().now())
    assert (sign.name, sign.over) == ("drift", over)
    assert sign.reasons == (reason(said),)
    assert sign.told_at == told_at
    told = followed(state)
    assert (told is None) is (known is None)
    if told is not None:
        assert (told.at, told.spectra, told.samples) == (state["time"]["utc"], 90, known["samples"])
