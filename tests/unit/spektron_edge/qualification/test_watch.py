"""What is due by schedule and after each change of the calibration, and who is told."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime, timezone

import pytest

from spektron_edge.config.qualification import QualificationSettings
from spektron_edge.daemon.qualification import marked
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.prediction.pipeline import failed
from spektron_edge.qualification.book import BookStore
from spektron_edge.qualification.standing import due_s, standing, worth
from spektron_edge.qualification.watch import QualificationWatch

from .made import CALIBRATION, run

DAY = 86_400.0
NOW = 1.8e9 + 3 * DAY
OTHER = CALIBRATION.model_copy(update={"transfer": "abc"})


def judged(*runs, now_s=NOW, serial="VIRT-0001", calibration=CALIBRATION):
    found = standing(runs, serial, calibration, 7 * DAY, now_s)
    return None if found is None else found.code


def test_what_is_due():
    assert judged() == "qualification_due"
    assert judged(run()) is None
    assert judged(run(), now_s=NOW + 5 * DAY) == "qualification_due"
    # A control sample keeps it up, and takes no comparison's place.
    assert judged(run(about="control")) == "qualification_due"
    weekly = run(2, "control", utc_s=NOW + 4 * DAY)
    assert judged(run(), weekly, now_s=NOW + 5 * DAY) is None


def test_another_state_or_instrument_is_due_at_once():
    assert judged(run(), calibration=OTHER) == "qualification_due"
    assert judged(run(), run(calibration=OTHER), calibration=OTHER) is None
    # Back again, what was shown before still holds for its time.
    assert judged(run(), run(calibration=OTHER)) is None
    assert judged(run(), serial="VIRT-0002") == "qualification_due"
    assert judged(run(kind="oq", about="operation")) == "qualification_due"


def test_a_failure_stays_until_the_same_passes():
    assert judged(run(1), run(2, verdict="fail")) == "qualification_failed"
    assert judged(run(1, verdict="fail"), run(2)) is None
    assert judged(run(1, verdict="fail"), run(2, "control")) == "qualification_failed"
    assert judged(run(1), run(2, "control", "fail"), run(3)) == "qualification_failed"
    assert judged(run(1), run(2, "control", "fail"), run(3, "control")) is None
    assert judged(run(1), run(2, verdict="incomplete")) is None
    assert judged(run(1, verdict="fail"), run(2, verdict="incomplete")) == "qualification_failed"
    assert judged(run(1, verdict="incomplete")) == "qualification_due"


def test_a_date_ahead_says_nothing():
    assert judged(run(utc_s=NOW + 60)) is None
    assert judged(run(utc_s=NOW + 2 * DAY)) == "qualification_due"


def test_the_age_is_that_of_the_measurements():
    """Values of last month, compared today, say nothing of this week; a control sample does."""
    weekly, late = run(1, utc_s=NOW), run(2, utc_s=NOW - 40 * DAY)
    assert judged(late) == "qualification_due"
    assert judged(weekly, late) is None
    assert judged(late, run(3, "control", utc_s=NOW)) is None


def test_a_clock_that_was_set_back_and_summer_time(monkeypatch):
    """Runs that lie ahead say nothing, and hide none that lies behind."""
    sound = run(1, utc_s=NOW - DAY)
    assert judged(sound, run(2, "control", utc_s=NOW + 400 * DAY)) is None
    assert judged(run(1, utc_s=NOW + 400 * DAY)) == "qualification_due"
    # A box without a battery began in 1970: as soon as its clock is right, the next one is due.
    assert judged(run(1, utc_s=3600.0), now_s=7200.0) is None
    assert judged(run(1, utc_s=3600.0)) == "qualification_due"
    # Seven days are 168 hours, wherever the hour is put forward or back between them.
    last = datetime(2026, 10, 22, 12, tzinfo=timezone.utc).timestamp()
    for zone in ("Europe/Berlin", "America/New_York", "UTC"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert judged(run(utc_s=last), now_s=last + 7 * DAY) is None
        assert judged(run(utc_s=last), now_s=last + 7 * DAY + 1) == "qualification_due"
    monkeypatch.undo()
    time.tzset()


def test_when_the_next_one_is_due():
    def due(*runs):
        return due_s(runs, "VIRT-0001", CALIBRATION, 7 * DAY, NOW)

    assert due() is None
    assert due(run(about="control", utc_s=NOW)) is None
    assert due(run(utc_s=NOW - 9 * DAY)) == NOW - 2 * DAY
    assert due(run(utc_s=NOW - 9 * DAY), run(2, "control", utc_s=NOW)) == NOW + 7 * DAY
    assert due(run(calibration=OTHER)) is None


def test_what_a_report_is_worth_now():
    def of(i, *runs, in_use=("VIRT-0001", CALIBRATION), every_s=7 * DAY):
        return worth(runs[i], runs, in_use, every_s, NOW)

    assert of(0, run(utc_s=NOW)) == "holds"
    assert of(0, run(verdict="fail")) == "failed"
    assert of(0, run(verdict="incomplete")) == "incomplete"
    assert of(0, run(utc_s=NOW), in_use=None) == "not_known"
    assert of(0, run(), in_use=("VIRT-0002", CALIBRATION)) == "other_instrument"
    assert of(0, run(), in_use=("VIRT-0001", OTHER)) == "other_calibration"
    assert of(0, run(utc_s=NOW - 8 * DAY)) == "expired"
    assert of(0, run(utc_s=NOW - 8 * DAY), every_s=None) == "holds"
    control = run(2, "control", utc_s=NOW)
    assert [of(i, run(utc_s=NOW - 8 * DAY), control) for i in (0, 1)] == ["holds", "holds"]
    twice = run(utc_s=NOW), run(2, verdict="fail", utc_s=NOW)
    assert [of(i, *twice) for i in (0, 1)] == ["replaced", "failed"]
    assert of(0, run(utc_s=NOW), run(2, verdict="incomplete")) == "holds"
    # Standards are measured whatever predicts; what is installed belongs to the bundle.
    operated = run(kind="oq", about="operation", utc_s=NOW - 90 * DAY)
    assert of(0, operated, in_use=("VIRT-0001", OTHER)) == "holds"
    installed = run(kind="iq", about="installation")
    assert of(0, installed, in_use=("VIRT-0001", OTHER)) == "holds"
    newer = CALIBRATION.model_copy(update={"bundle": "corn 4"})
    assert of(0, installed, in_use=("VIRT-0001", newer)) == "other_calibration"


class Notices:
    def __init__(self):
        self.said = []

    def begin(self, fault):
        self.said.append(fault.code)

    def end(self, kinds):
        self.said += [f"no {kind.value.code}" for kind in kinds]

    def say(self, code, message):
        self.said.append(code)

    @contextlib.contextmanager
    def noticed(self):
        try:
            yield
        except Fault as fault:
            self.begin(fault)


class Desk:
    def __init__(self, folder):
        self.store, self.notices, self.audited = BookStore(folder), Notices(), []
        self.in_use, self.every_s, self.room = ("VIRT-0001", CALIBRATION), 7 * DAY, True
        self.watch = QualificationWatch(
            self.store,
            lambda: self.in_use,
            lambda: self.every_s,
            lambda: NOW,
            self.notices,
            self.audit,
        )

    def audit(self, action):
        if self.room:
            self.audited.append(action.what)
        return self.room

    def look(self, at):
        self.notices.said.clear()
        self.watch.look_after(at)
        return [said for said in self.notices.said if not said.startswith("no ")]


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def done(what="qualification_done"):
    return Action(what=what, who="anna", details={"number": 1})


def test_the_watch_tells_once_and_takes_back(desk):
    assert desk.look(1.0) == ["qualification_due"]
    assert desk.watch.fault.kind is Faults.QUALIFICATION_DUE
    assert desk.look(2.0) == []
    desk.store.end(run(), done())
    assert desk.look(3.0) == ["qualification_done"]
    assert desk.watch.fault is None
    assert desk.audited == ["qualification_done"]
    desk.in_use = ("VIRT-0001", OTHER)
    assert desk.look(4.0) == ["qualification_due"]
    desk.every_s = None
    assert desk.look(20.0) == []
    assert desk.watch.fault is None
    assert desk.audited == ["qualification_done"]


def test_before_an_instrument_is_known_nothing_is_said(desk):
    desk.in_use = None
    assert desk.look(1.0) == []


def test_a_full_disk_loses_no_line(desk):
    desk.room = False
    desk.store.begin(lambda number: done("qualification_begun"))
    desk.store.end(run(), done())
    desk.look(1.0)
    assert desk.audited == []
    desk.room = True
    desk.look(2.0)
    desk.look(20.0)
    assert desk.audited == ["qualification_begun", "qualification_done"]
    assert desk.store.read().untold == ()


def test_a_damaged_book_is_told_and_the_daemon_goes_on(desk):
    desk.store.folder.mkdir()
    (desk.store.folder / "book.json").write_text("{")
    # Nobody knows of a qualification: it is due.
    assert desk.look(1.0) == ["state_damaged", "qualification_due"]


def test_marking(desk):
    outcome = failed(Fault(Faults.SATURATED, "full"))
    mark, warn = (QualificationSettings(every="7d", predictions=p) for p in ("mark", "warn"))
    assert marked(outcome, desk.watch, warn) is outcome
    assert marked(outcome, desk.watch, mark).reasons == ("saturated", "qualification_due")
    desk.store.end(run(), done())
    desk.look(1e9)
    assert marked(outcome, desk.watch, mark) is outcome
    # The first scan with another calibration, before anybody had time to look.
    desk.in_use = ("VIRT-0001", OTHER)
    assert marked(outcome, desk.watch, mark).reasons == ("saturated", "qualification_due")


def test_how_often():
    for text, seconds in (("12h", 43_200.0), ("7d", 7 * DAY), ("4w", 28 * DAY)):
        assert QualificationSettings(every=text).every_s == seconds
    for text in ("0d", "7", "7 d", "-1d", "99999d", "1m"):
        with pytest.raises(ValueError, match="pattern"):
            QualificationSettings(every=text)
