"""A guided transfer as the page sees it, beside a session that measures real cups of corn."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from spektron_edge.transfer_session import Scans, Session
from tests.corn_bench import SERIAL, Cups, configure, measure


@pytest.fixture
def config_path(tmp_path):
    return configure(tmp_path / "device")


@pytest.fixture
def session(config_path):
    return Session(config_path, "local:anna")


@pytest.fixture(scope="module")
def cups():
    return Cups()


def test_before_anything_was_done(asked):
    found = asked("/transfer", "viewer").json()
    assert len(found.pop("samples_known")) > 50
    nothing = {"serial": None, "open": None, "fitting": False, "last": None, "kept": []}
    assert found == nothing
    assert asked("/transfer/report").status_code == 404
    assert asked("/transfer/picture.svg").status_code == 404


def test_from_the_first_cup_to_a_transfer_in_use(asked, session, cups):
    session.start(SERIAL)
    begun = asked("/transfer").json()
    assert begun["serial"] == SERIAL
    assert begun["open"]["next"] == begun["open"]["wanted"][0] == session.next_sample()
    assert len(begun["open"]["wanted"]) == 10

    empty = session.next_sample()
    session.add(empty, Scans(np.zeros((3, 700)), cups.axis_nm))
    names = measure(session, cups, 3)
    session.add("new0", cups.scans("new0"), new=True, labels={"moisture": 10.0})
    found = asked("/transfer").json()["open"]
    quality = {s["sample"]: s["quality"] for s in found["samples"]}
    assert quality == {empty: "bad", **dict.fromkeys(names, "good"), "new0": "good"}
    told = {s["sample"]: s for s in found["samples"]}
    assert [why["code"] for why in told[empty]["reasons"]] == ["no_spectrum"]
    assert told["new0"]["labels"] == {"moisture": 10.0}
    assert found["next"] == found["wanted"][0] not in quality
    assert len(found["wanted"]) == 6
    assert [step["code"] for step in found["steps"]] == [s.code for s in session.status().steps]
    assert found["steps"][0] == {"code": "again_unlike", "values": {"sample": empty}}

    with session.begin_finish(dry_run=True) as fitting:
        seen = False
        while fitting.running and not seen:
            seen = asked("/transfer").json()["fitting"]
        fitting.wait(lambda _: None)
        session.conclude_finish(fitting)
    assert seen
    dry = asked("/transfer").json()
    assert dry["fitting"] is False
    assert dry["last"]["accepted"] is False
    moisture = dry["last"]["predicted"]["moisture"]
    assert 0 < moisture["rmsep_low"] <= moisture["rmsep"] <= moisture["rmsep_high"]

    measure(session, cups, 1)
    assert asked("/transfer").json()["last"] is None  # it was made of other samples

    session.finish()
    done = asked("/transfer").json()
    assert done["open"] is None
    assert done["last"]["accepted"] is True
    (kept,) = done["kept"]
    assert (kept["number"], kept["in_use"], kept["by"]) == (1, True, "local:anna")
    assert set(names) < set(kept["samples"])
    assert kept["predicted"]["moisture"]["valid"] is True
    assert (kept["product"], kept["hindered"]["code"]) == ("corn", "not_connected")

    picture = asked("/transfer/picture.svg?at=5", "viewer")
    assert picture.headers["content-type"] == "image/svg+xml"
    root = ET.fromstring(picture.text)
    assert len(root.findall("{http://www.w3.org/2000/svg}svg")) == 2
    assert "style" not in picture.text  # which the page's policy would not let pass
    report = asked("/transfer/report", "viewer")
    assert report.text.startswith("<!doctype html>")
    assert "sandbox" in report.headers["content-security-policy"]

    session.rollback(SERIAL)
    after = asked("/transfer").json()
    assert after["kept"][0]["in_use"] is after["last"]["accepted"] is False


def test_an_open_transfer_of_another_bundle_is_still_shown(asked, session, cups, config_path):
    session.start(SERIAL)
    (name,) = measure(session, cups, 1)
    text = config_path.read_text()
    config_path.write_text(f'bundle = "gone.spektron"\n{text}')
    found = asked("/transfer").json()
    assert [s["sample"] for s in found["open"]["samples"]] == [name]
    (step,) = found["open"]["steps"]
    assert step["code"] == "not_judged"
    assert "gone.spektron" in step["values"]["detail"]
    assert found["samples_known"] == []


def test_a_damaged_session_is_told_with_what_to_do(asked, session):
    session.start(SERIAL)
    (session.store.folder / "session.json").write_text("{")
    answer = asked("/transfer")
    assert (answer.status_code, answer.json()["error"]) == (409, "state_damaged")
    assert "transfer discard" in answer.json()["message"]


def test_figures_that_are_damaged_are_no_picture(asked, session, cups):
    session.start(SERIAL)
    measure(session, cups, 3)
    folder = session.finish(dry_run=True).folder
    for damage in ("{", "[]", '{"spectra": {"axis": ["x"]}}'):
        (folder / "report.json").write_text(damage)
        assert asked("/transfer/picture.svg").status_code == 404
