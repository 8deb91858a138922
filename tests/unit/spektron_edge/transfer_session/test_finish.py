"""The fit: what becomes of good, few, wrong and interrupted ones."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from spektron_edge.faults import Fault, Faults
from spektron_edge.transfer_session import Scans
from spektron_edge.transfer_session.fitting import Fitting
from spektron_edge.transfer_state import StateStore
from tests.corn_bench import SERIAL, Cups, measure

from .sessions import known_axis, refused, whats


@pytest.mark.once
def test_an_axis_that_is_known_only_later_is_compared_before_the_fit(session, cups):
    session.start(SERIAL)
    measure(session, cups, 3)
    known_axis(session, cups.axis_nm + 0.5)
    assert "wavelengths to 0.001 nm" in refused(Faults.TRANSFER_FAILED, session.finish)
    known_axis(session, cups.axis_nm)
    assert session.finish().in_use


@pytest.mark.once
def test_own_samples_that_are_something_else_are_not_used_and_it_is_said(session, cups):
    session.start(SERIAL)
    for i in range(8):
        scans = cups.scans(f"new{i}")
        session.add(f"new{i}", Scans(scans.absorbance, scans.axis_nm + 100), new=True)
    detail = refused(Faults.TRANSFER_FAILED, session.finish)
    assert "8 of 8 samples do not look like the source" in detail
    assert "lowered by about 100 nm" in detail


@pytest.mark.once
def test_files_in_reflectance_are_not_made_a_transfer_of_absorbance(session, cups):
    session.start(SERIAL)
    for _ in range(4):
        sample = session.next_sample()
        scans = cups.scans(sample)
        session.add(sample, Scans(10.0**-scans.absorbance, scans.axis_nm))
    assert "log10(1/R)" in refused(Faults.TRANSFER_FAILED, session.finish)
    assert not session.list()


@pytest.mark.once
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


@pytest.mark.once
def test_one_empty_measurement_is_left_out_of_the_fit(session, cups):
    session.start(SERIAL)
    empty = session.next_sample()
    assert session.add(empty, Scans(np.zeros((3, 700)), cups.axis_nm)).verdict == "suspect"
    measure(session, cups, 4)
    done = session.finish(dry_run=True)
    assert (done.result.pairs, list(done.result.left_out)) == (4, [empty])


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


@pytest.mark.once
def test_a_dry_run_reports_and_changes_nothing(session, config, cups):
    session.start(SERIAL)
    measure(session, cups, 3)
    before = session.store.read()
    done = session.finish(dry_run=True)
    assert (done.in_use, done.result.version, done.result.pairs) == (False, None, 3)
    assert session.store.read() == before
    assert StateStore(config.parent / "state").read().held == ()


@pytest.mark.once
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


@pytest.mark.once
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


@pytest.mark.once
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


@pytest.mark.once
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


@pytest.mark.once
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


@pytest.mark.once
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


@pytest.mark.once
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


@pytest.mark.once
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
