"""What is due by schedule and after each change of the calibration, and who is told."""

from __future__ import annotations

import contextlib

import pytest

from spektron_edge.config.qualification import QualificationSettings
from spektron_edge.daemon.qualification import marked
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.prediction.pipeline import failed
from spektron_edge.qualification.book import BookStore
from spektron_edge.qualification.standing import standing
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
