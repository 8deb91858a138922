"""A session from start to finish on real corn: the bundle that ships, and cups on mp6."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from spektron_edge.axis_store import save_axis
from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.bundle.install import activate, install
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.spectra import MEMBER, SPECTRA, seal, split
from spektron_edge.cli import main
from spektron_edge.config import load_config, shipped_bundle
from spektron_edge.device_key import load_device_key, show_device_key
from spektron_edge.faults import Fault, Faults
from spektron_edge.manifest import TRANSFER_WITHOUT
from spektron_edge.product import terms_of
from spektron_edge.transfer_session import Scans, Session
from spektron_edge.transfer_session.fitting import Fitting
from spektron_edge.transfer_session.spectra_file import read_spectra
from spektron_edge.transfer_state import StateStore
from tests import bundles
from tests.corn_bench import SERIAL, Cups, configure, measure


@pytest.fixture(scope="module")
def cups():
    return Cups()


@pytest.fixture
def config(tmp_path):
    return configure(tmp_path / "device")


@pytest.fixture
def session(config):
    return Session(config, "local:anna")


def refused(kind, action, *arguments, **options):
    with pytest.raises(Fault) as caught:
        action(*arguments, **options)
    assert caught.value.kind is kind, caught.value
    return caught.value.detail


def whats(session):
    return [action.what for action in session.store.untold()]


def csv(path, scans):
    lines = [",".join(map(str, scans.axis_nm)), *(",".join(map(str, x)) for x in scans.absorbance)]
    path.write_text("\n".join(lines))
    return path


# ---- start, add, status, discard


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


def known_axis(session, axis_nm):
    folder = session.store.folder.parent
    folder.mkdir(parents=True, exist_ok=True)
    save_axis(folder, SERIAL, axis_nm)


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


def test_an_axis_that_is_known_only_later_is_compared_before_the_fit(session, cups):
    session.start(SERIAL)
    measure(session, cups, 3)
    known_axis(session, cups.axis_nm + 0.5)
    assert "wavelengths to 0.001 nm" in refused(Faults.TRANSFER_FAILED, session.finish)
    known_axis(session, cups.axis_nm)
    assert session.finish().in_use


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


def test_for_a_reader_nothing_left_is_said_in_words(session, config, cups, capsys):
    session.start(SERIAL, ["75"])
    session.add("75", cups.scans("75"))
    assert main(["transfer", "status", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "none: every sample in hand was measured" in out
    assert "None" not in out


def test_a_pipe_is_no_file_of_spectra(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "not a file" in refused(Faults.TRANSFER_INPUT, read_spectra, tmp_path / "pipe")


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


def test_a_damaged_file_of_spectra_says_which_sample_to_measure_again(session, cups):
    session.start(SERIAL)
    (sample,) = measure(session, cups, 1)
    work = session.store.read().work
    (session.store.folder_of(work) / work.added[0].file).write_bytes(b"PK not really")
    assert f"add sample {sample} again" in refused(Faults.STATE_DAMAGED, session.status)
    assert session.add(sample, cups.scans(sample)).verdict == "good"
    assert len(session.status().samples) == 1


def test_a_terminal_without_utf_8_gets_escapes(config, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, "ascii", write_through=True))
    assert main(["transfer", "start", "--serial", "Süd", "--config", str(config)]) == 0
    assert b"S\\xfcd" in raw.getvalue()


def test_a_full_disk_is_not_filled_further(session, cups, monkeypatch):
    session.start(SERIAL)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        refused(Faults.DISK_FULL, session.add, "55", cups.scans("55"))
    assert not list(session.store.folder.rglob("*.partial"))


def test_own_samples_that_are_something_else_are_not_used_and_it_is_said(session, cups):
    session.start(SERIAL)
    for i in range(8):
        scans = cups.scans(f"new{i}")
        session.add(f"new{i}", Scans(scans.absorbance, scans.axis_nm + 100), new=True)
    detail = refused(Faults.TRANSFER_FAILED, session.finish)
    assert "8 of 8 samples do not look like the source" in detail
    assert "lowered by about 100 nm" in detail


def test_two_damaged_files_can_be_added_again_one_by_one(session, cups):
    session.start(SERIAL)
    names = measure(session, cups, 3)
    work = session.store.read().work
    for added in work.added[:2]:
        (session.store.folder_of(work) / added.file).write_bytes(b"PK not really")
    for name in names[:2]:
        session.add(name, cups.scans(name))
    assert [s.verdict for s in session.status().samples] == ["good"] * 3


def test_a_file_with_other_numbers_than_were_added_is_damaged(session, cups):
    session.start(SERIAL)
    measure(session, cups, 2)
    work = session.store.read().work
    folder = session.store.folder_of(work)
    (folder / work.added[0].file).write_bytes((folder / work.added[1].file).read_bytes())
    assert "not those that were added" in refused(Faults.STATE_DAMAGED, session.status)


def test_files_in_reflectance_are_not_made_a_transfer_of_absorbance(session, cups):
    session.start(SERIAL)
    for _ in range(4):
        sample = session.next_sample()
        scans = cups.scans(sample)
        session.add(sample, Scans(10.0**-scans.absorbance, scans.axis_nm))
    assert "log10(1/R)" in refused(Faults.TRANSFER_FAILED, session.finish)
    assert not session.list()


def test_an_axis_that_is_wrong_by_100_nm_makes_no_transfer_and_says_so(session, cups):
    session.start(SERIAL)
    for _ in range(4):
        sample = session.next_sample()
        scans = cups.scans(sample)
        added = session.add(sample, Scans(scans.absorbance, scans.axis_nm + 100))
        assert "lowered by about 100 nm" in added.reasons[0]
    assert "unlike the source" in session.status().advice
    detail = refused(Faults.TRANSFER_FAILED, session.finish)
    assert "4 of 4 samples do not look like the source" in detail
    assert "lowered by about 100 nm" in detail
    assert not session.list()


def test_one_empty_measurement_is_left_out_of_the_fit(session, cups):
    session.start(SERIAL)
    empty = session.next_sample()
    assert session.add(empty, Scans(np.zeros((3, 700)), cups.axis_nm)).verdict == "suspect"
    measure(session, cups, 4)
    done = session.finish(dry_run=True)
    assert (done.result.pairs, list(done.result.left_out)) == (4, [empty])


def test_a_damaged_session_says_how_to_go_on_and_is_kept(session, cups):
    session.start(SERIAL)
    measure(session, cups, 1)
    path = session.store.folder / "session.json"
    path.write_bytes(path.read_bytes()[:-9])
    assert "`spektron-edge transfer discard` sets it aside" in refused(
        Faults.STATE_DAMAGED, session.status
    )
    assert session.discard().endswith("session.json.damaged-1")
    session.start(SERIAL)
    measure(session, cups, 1)


def test_another_bundle_than_the_session_s_says_so(session, config, cups, tiny_bundle):
    session.start(SERIAL)
    configure(config.parent, f'bundle = "{tiny_bundle}"')
    detail = refused(Faults.TRANSFER_IMPOSSIBLE, Session(config, "x").status)
    assert "the open session is for corn of corn-1-" in detail
    Session(config, "x").discard()


# ---- finish


def test_ten_samples_become_a_transfer_in_use_and_a_report(session, config, cups):
    session.start(SERIAL)
    names = measure(session, cups, 10)
    for name in ("new0", "new1", "new2"):
        moisture = float(cups.references[name][0])
        session.add(name, cups.scans(name), new=True, labels={"moisture": moisture})
    steps = []
    done = session.finish(progress=steps.append)
    assert (done.in_use, done.result.version) == (True, 1)
    assert steps[0].startswith("reading")
    assert done.result.peak_mb < 300
    versions = StateStore(config.parent / "state").read()
    header = versions.active(SERIAL).header
    assert header.samples == tuple(names)
    assert header.by == "local:anna"
    report = json.loads((done.folder / "report.json").read_bytes())
    assert report["verdict"] == "Valid for every property."
    held_out = [p for p in report["predictions"]["moisture"] if p["held_out"]]
    assert [p["sample"] for p in held_out] == names
    assert report["rmsep_of_new_samples"]["moisture"]["samples"] == 3
    assert list(report["rmsep_of_new_samples"]) == ["moisture"]
    assert "kept for judging" in report["warnings"][0]
    page = (done.folder / "report.html").read_text()
    assert page.count("<svg") == 6
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert session.store.read().open is None
    assert whats(session)[-1] == "transfer_concluded"
    assert [version.number for version in session.list()] == [1]
    assert session.rollback(SERIAL) is None
    refused(Faults.TRANSFER_MISSING, session.rollback, SERIAL)


def test_a_dry_run_reports_and_changes_nothing(session, config, cups):
    session.start(SERIAL)
    measure(session, cups, 3)
    before = session.store.read()
    done = session.finish(dry_run=True)
    assert (done.in_use, done.result.version, done.result.pairs) == (False, None, 3)
    assert session.store.read() == before
    assert StateStore(config.parent / "state").read().held == ()


def test_a_wrong_cup_is_left_out_and_named(session, cups):
    session.start(SERIAL)
    names = measure(session, cups, 5)
    following = session.next_sample()
    added = session.add(following, cups.scans(names[2]))
    assert added.reasons == (f"this looks like the cup that was added as {names[2]}",)
    assert f"measure {following} again" in session.status().advice
    done = session.finish(dry_run=True)
    assert list(done.result.left_out) == [following]
    assert done.result.pairs == 5
    assert f"Sample {following} was left out" in done.result.warnings[0]


def test_too_few_samples_say_how_many_are_missing(session, cups):
    session.start(SERIAL)
    measure(session, cups, 2)
    detail = refused(Faults.TRANSFER_FAILED, session.finish)
    assert detail.startswith("2 samples of the source and 2 samples in all can be used; at least 3")
    assert len(session.status().samples) == 2


def test_without_samples_of_the_source_eight_new_ones_do(session, cups):
    session.start(SERIAL)
    for i in range(8):
        session.add(f"new{i}", cups.scans(f"new{i}"), new=True)
    done = session.finish(dry_run=True)
    assert (done.result.pairs, done.result.unpaired) == (0, 8)
    assert "nothing that was measured on both" in done.result.warnings[0]


def test_five_new_ones_with_all_reference_values_do_and_are_held_out_in_the_report(session, cups):
    session.start(SERIAL)
    names = [f"new{i}" for i in range(6)]
    for name in names:
        values = map(float, cups.references[name])
        labels = dict(zip(("moisture", "oil", "protein", "starch"), values, strict=True))
        session.add(name, cups.scans(name), new=True, labels=labels)
    done = session.finish(dry_run=True)
    report = json.loads((done.folder / "report.json").read_bytes())
    held_out = report["predictions"]["protein"]
    assert [p["sample"] for p in held_out] == names
    assert all(p["held_out"] for p in held_out)
    assert report["rmsep_of_new_samples"] == {}


def test_an_invalid_one_is_stored_and_not_used_and_the_session_goes_on(session, config, cups):
    session.start(SERIAL)
    rng = np.random.default_rng(3)
    # Spectra of nothing, on names of the source: no two of them follow their partners.
    for sample in ("1", "3", "4", "5"):
        x = 0.5 + 0.2 * np.cumsum(rng.standard_normal(700)) / 26
        session.add(sample, Scans(np.stack([x, x + 1e-4 * rng.standard_normal(700)]), cups.axis_nm))
    try:
        done = session.finish()
    except Fault as fault:
        # Where they look like other cups there is nothing to fit at all.
        assert fault.kind is Faults.TRANSFER_FAILED  # noqa: PT017
        assert StateStore(config.parent / "state").read().held == ()
    else:
        assert not done.in_use
        assert "valid for no property" in done.message
        assert StateStore(config.parent / "state").read().active(SERIAL) is None
    assert session.store.read().open is not None


def test_a_slip_among_the_references_that_makes_the_interval_alone_is_named(session, cups):
    session.start(SERIAL)
    measure(session, cups, 4)
    slipped = session.next_sample()
    moisture = float(cups.references[slipped][0]) + 3.0
    session.add(slipped, cups.scans(slipped), labels={"moisture": moisture})
    measure(session, cups, 5)
    done = session.finish(dry_run=True)
    (said,) = [text for text in done.result.warnings if "interval of moisture" in text]
    assert f"for sample {slipped} alone" in said
    assert said in (done.folder / "report.html").read_text()


def test_cups_measured_in_turns_on_two_instruments_are_told(session, cups):
    session.start(SERIAL)
    added, other = [], Cups("m5")
    for i in range(8):
        added.append(session.next_sample())
        session.add(added[-1], (other if i % 2 else cups).scans(added[-1]))
    told = " ".join(session.finish(dry_run=True).result.warnings)
    first, second = (", ".join(added[k::2]) for k in (0, 1))
    assert f"Samples {first} differ" in told or f"Samples {second} differ" in told


def test_one_fit_at_a_time(session, cups):
    session.start(SERIAL)
    measure(session, cups, 3)
    with session.store.fitting():
        refused(Faults.TRANSFER_BUSY, session.finish)
    assert session.finish().in_use


def test_a_killed_child_leaves_everything_as_it_was(session, config, cups):
    session.start(SERIAL)
    measure(session, cups, 3)
    before = session.store.read()
    with session.begin_finish() as fitting:
        deadline = time.monotonic() + 60
        while not fitting.steps() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(fitting.process.pid, signal.SIGKILL)
        fitting.wait(lambda _: None)
        assert "signal 9" in refused(Faults.TRANSFER_FAILED, session.conclude_finish, fitting)
    assert session.store.read() == before
    assert session.finish().in_use


def test_a_child_that_takes_too_long_is_ended(session, config, cups):
    session.start(SERIAL)
    measure(session, cups, 3)
    work = session.store.read().work
    with Fitting.start(config, work, session.store, "x", dry_run=True, limit_s=0.1) as fitting:
        fitting.wait(lambda _: None)
        assert "too long" in refused(Faults.TRANSFER_FAILED, fitting.result)


def test_a_finish_cut_off_before_the_end_of_the_session_makes_no_twin(session, cups, monkeypatch):
    session.start(SERIAL)
    measure(session, cups, 3)

    def cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(session.store, "end", cut)
        with pytest.raises(KeyboardInterrupt):
            session.finish()
    assert session.store.read().open is not None
    done = session.finish()
    assert (done.in_use, done.result.version) == (True, 1)
    assert session.store.read().open is None
    assert [version.number for version in session.list()] == [1]


def test_after_another_sample_an_interrupted_finish_is_made_anew(session, cups, monkeypatch):
    session.start(SERIAL)
    measure(session, cups, 3)
    with monkeypatch.context() as patched:
        patched.setattr(session.store, "end", lambda *_, **__: None)
        assert session.finish().result.version == 1
    measure(session, cups, 1)
    assert session.finish().result.version == 2


def test_the_child_is_of_low_priority_and_has_its_own_memory(session, cups):
    session.start(SERIAL)
    measure(session, cups, 3)
    with session.begin_finish(dry_run=True) as fitting:
        deadline = time.monotonic() + 60
        while not fitting.steps() and time.monotonic() < deadline:
            time.sleep(0.02)
        pid = fitting.process.pid
        assert os.getpriority(os.PRIO_PROCESS, pid) >= min(10, 19)
        assert os.sched_getscheduler(pid) == os.SCHED_BATCH
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert str(2**30) in next(li for li in limits.splitlines() if "address space" in li)
        fitting.wait(lambda _: None)
        assert session.conclude_finish(fitting).result.pairs == 3


def test_a_sample_added_during_the_fit_asks_for_another(session, config, cups):
    session.start(SERIAL)
    measure(session, cups, 3)
    with session.begin_finish() as fitting:
        fitting.wait(lambda _: None)
        measure(session, cups, 1)
        detail = refused(Faults.TRANSFER_FAILED, session.conclude_finish, fitting)
    assert "changed during the fit" in detail
    versions = StateStore(config.parent / "state").read()
    assert (len(versions.held), versions.active(SERIAL)) == (1, None)


# ---- source


def test_without_calibration_spectra_it_says_what_is_not_possible(tmp_path):
    shipped = read_bundle(shipped_bundle())
    product = shipped.manifest.products[0].model_copy(
        update={"source_spectra": "left_out", "transfer_without": "transfer of any kind"}
    )
    arrays = shipped.arrays(product.source)
    path = tmp_path / "less.npz"
    np.savez(path, **{n: a for n, a in arrays.items() if n not in SPECTRA})
    members = {**shipped.members, product.source: path.read_bytes()}
    files = {**shipped.manifest.files, product.source: sha256(path.read_bytes()).hexdigest()}
    manifest = shipped.manifest.model_copy(update={"products": (product,), "files": files})
    write_bundle(tmp_path / "less.spektron", manifest, members)
    config = configure(tmp_path / "device", f'bundle = "{tmp_path / "less.spektron"}"')
    detail = refused(Faults.TRANSFER_IMPOSSIBLE, Session(config, "x").start, SERIAL)
    assert "not possible: transfer of any kind" in detail


def test_an_encrypted_bundle_goes_through_a_whole_session(tmp_path, capsys):
    x, y = bundles.spectra(40), np.empty((40, 2))
    y[:, 0], y[:, 1] = 20 * x[:, 12], 30 * x[:, 30]
    config = sealed_device(tmp_path, x, y)[0]
    session = Session(config, "x")
    session.start(SERIAL, [f"no {i}" for i in range(0, 40, 4)])
    rng = np.random.default_rng(0)
    axis = session.source().axis
    while (sample := session.next_sample()) is not None:
        cup = 0.8 * x[int(sample[3:])] + 0.02
        scans = cup + 1e-4 * rng.standard_normal((3, cup.size))
        assert session.add(sample, Scans(scans, axis)).verdict == "good"
    assert len(session.status().samples) == 10
    done = session.finish()
    assert done.in_use
    assert session.rollback(SERIAL) is None
    # Whoever takes the disk has no source spectrum from it.
    for path in (config.parent / "state").rglob("*"):
        raw = path.read_bytes() if path.is_file() else b""
        assert not any(row.tobytes() in raw for row in (*x, *x.astype(np.float32)))


def test_a_session_under_a_bundle_whose_spectra_went_away_can_only_be_discarded(tmp_path, cups):
    config = configure(tmp_path / "device")
    session = Session(config, "x")
    session.start(SERIAL)
    measure(session, cups, 3)
    session.finish()
    session.start(SERIAL)
    configure(config.parent, f'bundle = "{bundles.write_tiny(tmp_path / "t.spektron")}"')
    later = Session(config, "x")
    for action in (later.status, later.next_sample, later.finish):
        refused(Faults.TRANSFER_IMPOSSIBLE, action)
    refused(Faults.TRANSFER_IMPOSSIBLE, later.add, "5", cups.scans("5"))
    assert len(later.list()) == 1
    assert later.rollback(SERIAL) is None
    later.discard()
    refused(Faults.TRANSFER_IMPOSSIBLE, later.start, SERIAL)


def sealed_device(tmp_path, x, y):
    """A device and a bundle that is encrypted for it: its configuration and its key."""
    config = configure(tmp_path / "device", f'bundle = "{tmp_path / "sealed.spektron"}"')
    state = config.parent / "state"
    show_device_key(state, None)
    key = load_device_key(state)
    samples = np.array([f"no {i}" for i in range(len(x))])
    arrays = {"x": x.astype(np.float32), "y": y.astype(np.float32), "samples": samples}
    clear, spectra = split({**bundles.source_arrays(), **arrays})
    sealed = seal(bundles.npz(spectra), key.public, "tiny", 1, "grain")
    product = bundles.product(
        source_spectra="encrypted",
        transfer_without=TRANSFER_WITHOUT["encrypted"],
        encrypted_spectra=MEMBER,
    )
    replaced = {"source.npz": bundles.npz(clear), MEMBER: sealed}
    bundles.write_tiny(tmp_path / "sealed.spektron", replaced=replaced, products=[product])
    return config, key


def test_spectra_that_are_encrypted_for_this_device_are_opened(tmp_path):
    y = np.random.default_rng(0).random((40, 2))
    config, key = sealed_device(tmp_path, bundles.spectra(40), y)
    assert Session(config, "x").start(SERIAL, ["no 3"]).next_sample == "no 3"
    # Another device has another key.
    other = configure(tmp_path / "other", f'bundle = "{tmp_path / "sealed.spektron"}"')
    refused(Faults.KEY_UNUSABLE, Session(other, "x").start, SERIAL)
    show_device_key(other.parent / "state", None)
    detail = refused(Faults.TRANSFER_IMPOSSIBLE, Session(other, "x").start, SERIAL)
    assert f"encrypted for the device with key {key.key_id}" in detail


def test_the_active_slot_s_bundle_is_the_source(tmp_path):
    config = configure(tmp_path / "device", 'bundle = "slots"')
    assert "no slot" in refused(Faults.BUNDLE_INVALID, Session(config, "x").start, SERIAL)
    parsed = load_config(config)
    store, terms = SlotStore(parsed.state_dir), terms_of(parsed)
    install(store, shipped_bundle(), terms, "x")
    activate(store, "a", terms, "x")
    assert Session(config, "x").start(SERIAL).bundle == read_bundle(shipped_bundle()).id


# ---- command line


def call(capsys, *words):
    capsys.readouterr()
    status = main(["transfer", *map(str, words), "--json"])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return status, json.loads(out), err


def test_a_transfer_from_files_without_a_daemon(config, cups, tmp_path, capsys):
    where = ("--config", config)
    held = "55,75,5,16"
    status, report, _ = call(capsys, "start", "--serial", f"{SERIAL} ", "--samples", held, *where)
    assert (status, report["serial"]) == (0, SERIAL)
    for _ in range(4):
        sample = report["next_sample"]
        spectra = csv(tmp_path / "scans.csv", cups.scans(sample))
        status, report, _ = call(capsys, "add", sample, "--spectra", spectra, *where)
        assert (status, report["verdict"]) == (0, "good")
    assert report["next_sample"] is None
    words = ("--new", "own", "--label", "moisture=10.2", "--spectra", spectra)
    assert call(capsys, "add", *words, *where)[0] == 0
    status, report, _ = call(capsys, "status", *where)
    assert report["samples"][-1]["labels"] == {"moisture": 10.2}
    status, report, err = call(capsys, "finish", *where)
    assert (status, report["in_use"], report["pairs"]) == (0, True, 4)
    assert "fitting 4 pairs" in err
    assert call(capsys, "list", *where)[1]["transfer 1"]["in use"] is True
    assert call(capsys, "rollback", *where)[0] == 0
    assert call(capsys, "list", *where)[1]["transfer 1"]["in use"] is False


def test_the_command_line_s_mistakes_have_their_faults(config, cups, tmp_path, capsys):
    where = ("--config", config)
    assert call(capsys, "status", *where)[0] == 94
    assert call(capsys, "start", *where)[1]["error"]["detail"].startswith("no instrument was")
    assert call(capsys, "start", "--serial", SERIAL, *where)[0] == 0
    assert call(capsys, "start", "--serial", SERIAL, *where)[0] == 93
    assert call(capsys, "add", *where)[0] == 95
    assert call(capsys, "add", "5", *where)[1]["error"]["detail"].startswith("give --spectra")
    spectra = csv(tmp_path / "scans.csv", cups.scans("5"))
    words = ("add", "5", "--spectra", spectra)
    assert call(capsys, *words, "--label", "moisture", *where)[0] == 95
    moved = cups.scans("5")
    moved.absorbance[0] += 0.1
    assert call(capsys, "add", "5", "--spectra", csv(tmp_path / "m.csv", moved), *where)[0] == 96
    assert call(capsys, "finish", *where)[0] == 98
    assert main(["transfer", "status", "--config", str(config)]) == 0
    assert main(["transfer", "discard", "--config", str(config)]) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no scans"),
        ("1,2,3,4\n", "holds no scans"),
        ("1,2,3,4\n1,2,3\n", "line 2: 3 values for 4"),
        ("1,2,3,4\n1,2,x,4\n", "line 2: 'x' is no number"),
        ("4,3,2,1\n1,2,3,4\n", "line 1: the wavelength axis does not increase"),
        ("\x00\x00", "line|holds no scans|not CSV"),
        ("\n\n1,2,3,4\n\n1,2,x,4\n", "line 5: 'x' is no number"),
        ("1,2,3,4\n1,2,1_0,4\n", "line 2: '1_0' is no number"),
        ("\n1,2,3,4\n\n1,2,3\n", "line 4: 3 values for 4"),
        (b"1,2,3,4\n1,2,\xff,4\n", "line 2: not UTF-8"),
    ],
)
def test_a_file_that_is_no_spectra_says_where(tmp_path, text, told):
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Fault, match=told) as caught:
        read_spectra(path)
    assert caught.value.kind is Faults.TRANSFER_INPUT


def test_a_file_that_is_not_there_says_so(tmp_path):
    assert "cannot read" in refused(Faults.TRANSFER_INPUT, read_spectra, tmp_path / "none.csv")
