"""Start, add, status and discard, with the bundle that ships and corn on mp6."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spektron_edge.faults import Faults
from spektron_edge.transfer_session import Scans, Session
from tests.corn_bench import SERIAL, measure

from .sessions import known_axis, refused, whats


def test_nothing_can_be_done_before_a_start(session, cups):
    for action in (session.status, session.finish, session.discard, session.next_sample):
        refused(Faults.TRANSFER_NOT_OPEN, action)
    refused(Faults.TRANSFER_NOT_OPEN, session.add, "1", cups.scans("1"))
    assert not session.store.read().untold


def test_a_second_start_is_refused_and_says_what_is_open(session, cups):
    session.start(SERIAL)
    measure(session, cups, 1)
    detail = refused(Faults.TRANSFER_OPEN, session.start, SERIAL)
    assert f"corn to {SERIAL}" in detail
    assert "begun by local:anna, with 1 samples" in detail


def test_a_session_survives_a_restart(config, session, cups):
    session.start(SERIAL, ["75", "55", "16"])
    added = measure(session, cups, 2)
    again = Session(config, "local:bert")
    status = again.status()
    assert [s.sample for s in status.samples] == added
    assert {*added, status.next_sample} == {"75", "55", "16"}
    assert status.advice.startswith(f"measure sample {status.next_sample} next; 1 more")


def test_everything_is_noted_for_the_audit_log(session, cups):
    session.start(SERIAL)
    (sample,) = measure(session, cups, 1)
    session.discard()
    started, added, discarded = session.store.untold()
    assert (started.what, started.who) == ("transfer_started", "local:anna")
    assert started.details["serial"] == SERIAL
    assert (added.what, added.details["sample"]) == ("transfer_sample_added", sample)
    assert (discarded.what, discarded.details["samples"]) == ("transfer_discarded", 1)
    session.store.told(2)
    assert whats(session) == ["transfer_discarded"]


def test_a_sample_measured_again_takes_the_place_of_the_first_which_is_kept(session, cups):
    session.start(SERIAL)
    session.add("5", cups.scans("8"))
    session.add("5", cups.scans("5"), labels={"oil": 3.5})
    work = session.store.read().work
    assert [a.replaced for a in work.added] == [True, False]
    (current,) = work.current
    assert current.labels == {"oil": 3.5}
    for added in work.added:
        assert (session.store.folder_of(work) / added.file).is_file()
    assert session.store.untold()[-1].details["replaces"] == work.added[0].file


def test_discarding_keeps_the_spectra_and_lets_another_start(session, cups):
    session.start(SERIAL)
    measure(session, cups, 1)
    work = session.store.read().work
    folder = session.store.folder_of(work)
    assert str(folder) in session.discard()
    assert json.loads((folder / "session.json").read_bytes())["id"] == work.id
    assert len(list(folder.glob("*.npz"))) == 1
    assert session.start(SERIAL).session != work.id


def test_folders_of_old_sessions_are_removed_and_it_is_noted(session, cups, monkeypatch):
    monkeypatch.setattr("spektron_edge.transfer_session.session_store.KEPT", 2)
    folders = []
    for _ in range(4):
        session.start(SERIAL)
        measure(session, cups, 1)
        folders.append(session.store.folder_of(session.store.read().work))
        session.discard()
    assert [folder.exists() for folder in folders] == [False, False, True, True]
    gone = [a for a in session.store.untold() if a.what == "transfer_sessions_removed"]
    assert [a.details["sessions"] for a in gone] == [folder.name for folder in folders[:2]]


@pytest.mark.parametrize(
    ("sample", "options", "told"),
    [
        ("99", {}, "is added as new"),
        ("5", {"new": True}, "5 is a sample of the source"),
        ("a,b", {"new": True}, "no name of a sample"),
        ("a\nb", {"new": True}, "no name of a sample"),
        ("ab\n", {"new": True}, "no name of a sample"),
        ("", {"new": True}, "no name of a sample"),
        ("n" * 65, {"new": True}, "no name of a sample"),
        ("5", {"labels": {"fat": 1.0}}, "one of moisture, oil, protein, starch"),
        ("5", {"labels": {"oil": float("nan")}}, "no number"),
        ("5", {"labels": {"oil": 1e300}}, "decimal point"),
        ("5", {"labels": {"moisture": 102.0}}, "decimal point"),
        ("Gr\udcfcn", {"new": True}, "no name"),
        (" ", {"new": True}, "no name"),
    ],
)
def test_what_is_said_of_a_sample_is_checked(session, cups, sample, options, told):
    session.start(SERIAL)
    detail = refused(Faults.TRANSFER_INPUT, session.add, sample, cups.scans("5"), **options)
    assert told in detail
    assert session.store.read().work.added == ()


def test_a_reference_that_is_not_the_source_s_own_is_told(session, cups):
    session.start(SERIAL)
    own = float(cups.references["5"][0])
    good = session.add("5", cups.scans("5"), labels={"moisture": own + 0.05})
    assert good.verdict == "good"
    slip = session.add("5", cups.scans("5"), labels={"moisture": 20.0})
    assert slip.verdict == "suspect"
    assert f"its moisture is {own:g} in the source, and 20 was given" in slip.reasons
    (sample,) = session.status().samples
    assert sample.reasons == slip.reasons


def test_rounded_wavelengths_are_the_same_axis(session, cups):
    session.start(SERIAL)
    measure(session, cups, 1)
    scans = cups.scans("5")
    assert session.add("5", Scans(scans.absorbance, scans.axis_nm + 5e-4)).verdict == "good"


def test_wavelengths_of_one_decimal_count_as_those_of_the_instrument(session, cups):
    exact = cups.axis_nm + 0.04
    known_axis(session, exact)
    session.start(SERIAL)
    added = session.add("5", cups.scans("5"))
    work = session.store.read().work
    np.testing.assert_array_equal(session.store.scans(work, added)[1], exact)


@pytest.mark.parametrize("axis", [lambda x: x + 0.4, lambda x: x[:-1]])
def test_wavelengths_that_are_not_the_instrument_s_are_refused(session, cups, axis):
    known_axis(session, cups.axis_nm)
    session.start(SERIAL)
    scans, own = cups.scans("5"), axis(cups.axis_nm)
    wrong = Scans(scans.absorbance[:, : own.size], own)
    assert SERIAL in refused(Faults.TRANSFER_INPUT, session.add, "5", wrong)


def test_a_sample_on_another_axis_than_the_others_is_refused(session, cups):
    session.start(SERIAL)
    measure(session, cups, 1)
    scans = cups.scans("5")
    moved = Scans(scans.absorbance, scans.axis_nm + 1.0)
    assert "axis" in refused(Faults.SAMPLE_REFUSED, session.add, "5", moved)


def test_a_sample_that_is_not_among_those_in_hand_is_told(session, cups):
    session.start(SERIAL, ["75", "55"])
    assert session.add("75", cups.scans("75")).reasons == ()
    added = session.add("5", cups.scans("5"))
    assert added.reasons == ("it is not among the samples in hand that the start named",)
    assert session.status().samples[-1].reasons == added.reasons


def test_samples_in_hand_must_be_of_the_source(session):
    refused(Faults.TRANSFER_INPUT, session.start, SERIAL, [])
    refused(Faults.TRANSFER_INPUT, session.start, SERIAL, ["1", "1000"])
    for serial in ("", " ", "a\nb", "Gr\udcfcn", "x" * 65):
        refused(Faults.TRANSFER_INPUT, session.start, serial)
    refused(Faults.TRANSFER_INPUT, session.start, SERIAL, ["1"] * 201)
    refused(Faults.TRANSFER_INPUT, session.start, SERIAL, ["1\n"])


def test_a_new_sample_may_be_called_what_it_is_called(session, cups):
    session.start(SERIAL)
    name = "Silo 4/Süd <b>"
    session.add(name, cups.scans("5"), new=True)
    assert [s.sample for s in session.status().samples] == [name]
