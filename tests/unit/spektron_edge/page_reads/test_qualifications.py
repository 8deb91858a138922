"""Qualifications as the page tells them: their worth now, what is due, and their reports."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from spektron_edge.bundle.canonical import canonical
from spektron_edge.config.loading import load_config
from spektron_edge.qualification.bench import Axis, Known
from spektron_edge.qualification.conduct import Conduct, Person
from spektron_edge.qualification.keeping import sign, signature
from spektron_edge.qualification.plan import read_plan
from spektron_edge.qualification.results import Measured, calibration_of

from ..qualification.made import Somebody

SERIAL, UNIT = "VIRT-0001", "% by mass"
MODEL = {"bundle": "corn 3", "product": "corn", "transfer": None, "adaptation": None}
AXIS = np.arange(1100.0, 1200.0, 2.0)
PLAN = """
title = "p"
version = "1"
[[noise]]
name = "white"
scans = 4
mean = 0.01
[[controls]]
name = "A"
property = "moisture"
unit = "% by mass"
target = 10.0
tolerance = 0.3
sigma = 0.05
"""


class Seeing:
    """A bench without a daemon; value: of the control sample."""

    def __init__(self, value, age_s=0.0):
        self.value, self.age_s = value, age_s

    def look(self):
        device = {"serial": SERIAL, "firmware": "1", "pixels": 50, "capabilities": []}
        state, axis = {"device": device}, Axis("a", AXIS)
        return Known({"version": "0"}, {"model": MODEL}, state, axis, None, ())

    def measure(self, scans, progress):
        return Measured(
            serial=SERIAL,
            axis_nm=AXIS,
            absorbance=np.zeros((scans, AXIS.size)),
            at_s=time.time() - self.age_s + np.arange(float(scans)) / 10,
            values={"moisture": np.full(scans, self.value)},
            units={"moisture": UNIT},
            invalid=(),
            calibration=calibration_of(MODEL),
            records=tuple(map(str, range(scans))),
        )


@pytest.fixture
def qualify(page, config_path, tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN)
    plan = read_plan(tmp_path / "plan.toml")

    def made(about="control", value=10.0, age_s=0.0):
        person = Person("anna", "here", "weekly")
        bench = Seeing(value, age_s)
        conduct = Conduct(load_config(config_path), config_path, person, bench)
        return getattr(conduct, about)(plan, Somebody())

    return made


@pytest.fixture
def running(page, config_path):
    """What the daemon says."""

    def says(model=MODEL, serial=SERIAL, every="7d"):
        page.link.known["axis"] = {"serial": serial}
        page.link.known["model"] = {"record": {"model": model}}
        text = config_path.read_text().partition("[qualification]")[0]
        config_path.write_text(f'{text}[qualification]\nevery = "{every}"\n' if every else text)

    return says


def test_before_anything_was_done(asked):
    found = asked("/qualifications", "viewer").json()
    assert found == {
        "in_use": None,
        "schedule": {"every_s": None, "standing": "no_schedule", "due_utc": None},
        "qualifications": [],
        "broken_off": [],
        "trends": [],
        "next": None,
    }
    assert asked("/qualifications/1/report.html").status_code == 404
    assert asked("/qualifications/0/report.html").status_code == 404
    assert asked("/qualifications?limit=51").status_code == 422


def test_what_they_are_worth_now(asked, qualify, running, page):
    qualify("operation")
    qualify(value=10.02)
    qualify(value=11.0)
    sign(page.state_dir, 2, signature("bert", "reviewed", "read it", "here"))

    def told(before=""):
        found = asked(f"/qualifications{before}", "viewer").json()
        return found, {q["number"]: (q["verdict"], q["worth"]) for q in found["qualifications"]}

    found, worth = told()
    assert worth == {
        3: ("fail", "failed"),
        2: ("pass", "not_known"),
        1: ("incomplete", "incomplete"),
    }
    running()
    found, worth = told()
    assert found["in_use"] == {"serial": SERIAL, "calibration": MODEL}
    assert worth[2] == ("pass", "replaced")
    assert found["schedule"]["standing"] == "failed"
    qualify(value=9.98)
    found, worth = told()
    assert worth[4] == ("pass", "holds")
    # A control sample takes no comparison's place.
    assert found["schedule"] == {"every_s": 604_800.0, "standing": "due", "due_utc": None}
    newest = found["qualifications"][0]
    assert (newest["kind"], newest["about"], newest["report"]) == ("pq", "control", "whole")
    assert [(s["by"], s["meaning"]) for s in newest["signatures"]] == [("anna", "responsible")]
    assert [s["by"] for s in found["qualifications"][2]["signatures"]] == ["anna", "bert"]
    (trend,) = found["trends"]
    assert [(p["number"], p["verdict"]) for p in trend["points"]] == [
        (2, "pass"),
        (3, "fail"),
        (4, "pass"),
    ]
    assert trend["levels"] == pytest.approx(
        {
            "target_high": 10.3,
            "target_low": 9.7,
            "centre": 10.0,
            "sigma_high": 10.15,
            "sigma_low": 9.85,
        }
    )
    running(model={**MODEL, "transfer": {"id": "abc"}})
    assert told()[1][4] == ("pass", "other_calibration")
    running(serial="VIRT-0002")
    found, worth = told()
    assert worth[4] == ("pass", "other_instrument")
    assert found["trends"] == []
    running(every=None)
    assert told()[0]["schedule"]["standing"] == "no_schedule"
    older, worth = told("?limit=1&before=3")
    assert list(worth) == [2]
    assert older["next"] == 2


def test_a_report_is_sent_as_it_was_signed(asked, qualify, page):
    done = qualify()
    html = asked("/qualifications/1/report.html", "viewer")
    assert html.content == done.page.read_bytes()
    assert 'filename="qualification-0001-pq.html"' in html.headers["content-disposition"]
    assert "sandbox" in html.headers["content-security-policy"]
    whole = asked("/qualifications/1/report.json", "viewer")
    assert canonical(whole.json()) == (done.folder / "report.json").read_bytes()
    assert whole.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("name", ["report.json", "report.html", "data.zip"])
def test_what_was_changed_is_told_and_not_sent(asked, qualify, running, name):
    done = qualify()
    running()
    assert asked("/qualifications").json()["qualifications"][0]["worth"] == "holds"
    path = done.folder / name
    path.write_bytes(path.read_bytes().replace(b"p", b"q", 1))
    found = asked("/qualifications").json()["qualifications"][0]
    assert (found["report"], found["worth"]) == ("broken", "not_known")
    refused = asked("/qualifications/1/report.html")
    assert refused.status_code == 409
    assert refused.json()["error"] == "qualification_broken"


def test_another_report_in_its_place(asked, qualify):
    """Both are this device's, and soundly signed."""
    bad, good = qualify(value=11.0), qualify(value=10.0)
    for path in good.folder.iterdir():
        (bad.folder / path.name).write_bytes(path.read_bytes())
    found = asked("/qualifications").json()["qualifications"]
    assert [(q["number"], q["report"]) for q in found] == [(2, "whole"), (1, "broken")]
    assert asked("/qualifications/1/report.json").status_code == 409
    for path in good.folder.iterdir():
        path.unlink()
    found = asked("/qualifications").json()["qualifications"]
    assert found[0]["report"] == "not_there"
    assert json.dumps(found)


def test_a_report_with_another_key(asked, qualify, page):
    """The box was replaced and its key with it: nothing was changed, and nothing is proven here."""
    qualify()
    assert asked("/qualifications").json()["qualifications"][0]["report"] == "whole"
    (page.state_dir / "device-key.pem").unlink()
    qualify()
    found = asked("/qualifications").json()["qualifications"]
    assert [(q["number"], q["report"]) for q in found] == [(2, "whole"), (1, "other_key")]
    assert asked("/qualifications/1/report.json").status_code == 409


def test_runs_that_were_broken_off_are_named(asked, qualify, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(self, step, number, of):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Somebody, "place", killed)
        with pytest.raises(Killed):
            qualify()
    qualify()
    found = asked("/qualifications").json()
    assert found["broken_off"] == [1]
    assert [q["number"] for q in found["qualifications"]] == [2]
