"""Transfers in a running daemon: commands by hand, corn cups on mp6, the child for real."""

from __future__ import annotations

import itertools
import json
import logging
import time
from dataclasses import replace

import numpy as np
import pytest

from spektron_edge.commands.asked import Asked
from spektron_edge.daemon.daemon import Daemon
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import InstrumentReady, Measured
from spektron_edge.spectra.acquisition import References
from spektron_edge.transfer_session import Session
from spektron_edge.transfer_state import StateStore
from tests.corn_bench import SERIAL, Cups, configure

from .conftest import DARK, WHITE
from .turns import events, stored, turn


@pytest.fixture(scope="module")
def cups():
    return Cups()


@pytest.fixture
def daemon(tmp_path):
    logger = logging.getLogger("spektron_edge")
    before = logger.handlers[:], logger.level, logger.propagate
    daemon = Daemon(configure(tmp_path / "device"))
    yield daemon
    daemon._transfers.end()
    daemon._state.close()
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def lay(daemon, cups, make_scan):
    """lay(sample, n): the daemon measures n scans of that cup."""
    numbers = itertools.count(1)
    axis = cups.axis_nm
    turn(daemon, InstrumentReady(SERIAL, "1.0", 7, axis))

    def make(sample, count=3, **changes):
        now = daemon._clock.now()
        references = References(
            np.full(axis.size, DARK), np.full(axis.size, WHITE), now, now, SERIAL, 7, 1000
        )
        for x in cups.scans(sample, count).absorbance:
            scan = replace(
                make_scan(serial=SERIAL, number=next(numbers)),
                counts=DARK + (WHITE - DARK) * 10.0**-x,
                axis_nm=axis,
                **changes,
            )
            turn(daemon, Measured(scan, references))

    return make


def ask(daemon, name, **arguments):
    request = Asked("anna", arguments)
    return daemon._transfers.actions()[name](request)


def refused(kind, daemon, name, **arguments):
    with pytest.raises(Fault) as caught:
        ask(daemon, name, **arguments)
    assert caught.value.kind is kind, caught.value
    return caught.value.detail


def add(daemon, lay, count):
    following = ask(daemon, "transfer-status").result["next_sample"]
    for _ in range(count):
        lay(following)
        outcome = ask(daemon, "transfer-add", sample=following)
        assert outcome.result["verdict"] == "good", outcome
        following = outcome.result["next_sample"]


def wait(daemon, *codes):
    deadline = time.monotonic() + 120
    while not (found := [e for c in codes for e in events(daemon, c)]):
        assert time.monotonic() < deadline
        daemon._turn(0.05)
    return found[0]


def audited(daemon):
    lines = daemon._state.audit.path.read_text().splitlines()
    return [(e["who"], e["what"]) for e in map(json.loads, lines)]


def last(daemon):
    return [r for r in stored(daemon) if "scan" in r][-1]


def test_from_start_to_a_transfer_in_use_and_back(daemon, lay):
    lay("1")
    assert last(daemon)["model"]["transfer"] is None
    outcome = ask(daemon, "transfer-start")
    assert outcome.result["serial"] == SERIAL
    add(daemon, lay, 2)
    before = ask(daemon, "transfer-status").result["work"]
    add(daemon, lay, 1)
    refused(Faults.OTHER_THAN_SEEN, daemon, "transfer-finish", seen=before)
    now = ask(daemon, "transfer-status").result["work"]
    assert ask(daemon, "transfer-finish", seen=now).message.startswith("started")
    assert ask(daemon, "transfer-status").result["fitting"] is True
    event = wait(daemon, "transfer_finished")
    assert event["message"].startswith("transfer 1, in use now: valid for ")
    assert "predicted RMSEP moisture" in event["message"]
    lay("1")
    assert last(daemon)["model"]["transfer"]["version"] == 1
    outcome = ask(daemon, "transfer-list")
    assert outcome.result["in_use"] == 1
    assert outcome.result["transfers"][0].startswith(f"1: corn on {SERIAL}, made ")
    refused(Faults.OTHER_THAN_SEEN, daemon, "transfer-rollback", seen=2)
    assert ask(daemon, "transfer-rollback", seen=1).result == {"in_use": None}
    lay("1")
    assert last(daemon)["model"]["transfer"] is None
    assert ask(daemon, "transfer-activate", transfer=1).result == {"in_use": 1}
    lay("1")
    assert last(daemon)["model"]["transfer"]["version"] == 1
    whats = [what for who, what in audited(daemon) if who == "anna"]
    assert whats == [
        "transfer_started",
        *["transfer_sample_added"] * 3,
        "transfer_added",
        "transfer_activated",
        "transfer_concluded",
        "transfer_rolled_back",
        "transfer_activated",
    ]


def test_a_transfer_is_used_again_only_where_it_belongs(daemon, lay, monkeypatch):
    lay("1")
    assert "no transfer 7" in refused(
        Faults.TRANSFER_MISSING, daemon, "transfer-activate", transfer=7
    )
    refused(Faults.TRANSFER_INPUT, daemon, "transfer-activate")
    ask(daemon, "transfer-start")
    add(daemon, lay, 3)
    ask(daemon, "transfer-finish")
    wait(daemon, "transfer_finished")
    ask(daemon, "transfer-rollback")

    daemon._serving.serial = "ANOTHER"
    told = refused(Faults.TRANSFER_INPUT, daemon, "transfer-activate", transfer=1)
    assert told == f"transfer 1 is for {SERIAL}, not ANOTHER"
    daemon._serving.serial = SERIAL
    model = replace(daemon._serving.model, bundle_id="corn-2-0")
    monkeypatch.setattr(type(daemon._serving), "model", property(lambda _: model))
    told = refused(Faults.TRANSFER_INPUT, daemon, "transfer-activate", transfer=1)
    assert "not corn of corn-2-0" in told
    assert StateStore(daemon._config.state_dir).read().active(SERIAL) is None


def test_spectra_serve_one_sample_only_and_must_be_fresh(daemon, lay):
    refused(Faults.TRANSFER_NOT_OPEN, daemon, "transfer-add", sample="75")
    ask(daemon, "transfer-start", samples=("75", "55"))
    lay("75", 2)
    assert "wait for 1 more" in refused(Faults.SAMPLE_REFUSED, daemon, "transfer-add", sample="75")
    lay("75", 1)
    assert ask(daemon, "transfer-add", sample="75").result["scans"] == ("1", "2", "3")
    refused(Faults.SAMPLE_REFUSED, daemon, "transfer-add", sample="55")
    # What the session remembers holds after a restart, too.
    daemon._transfers.recent._spectra.extend(daemon._transfers.recent._spectra)
    refused(Faults.SAMPLE_REFUSED, daemon, "transfer-add", sample="55")


def test_saturated_scans_never_serve_a_sample(daemon, lay):
    ask(daemon, "transfer-start")
    lay("75", 3, saturated=4)
    refused(Faults.SAMPLE_REFUSED, daemon, "transfer-add", sample="75")


def test_a_cup_changed_between_the_scans_is_refused_with_what_to_do(daemon, lay):
    ask(daemon, "transfer-start")
    lay("55", 2)
    lay("75", 1)
    detail = refused(Faults.SAMPLE_REFUSED, daemon, "transfer-add", sample="75")
    assert "wait until the sample is in place" in detail
    lay("75", 3)
    assert ask(daemon, "transfer-add", sample=75).result["sample"] == "75"


def test_new_samples_and_references_come_over_mqtt_too(daemon, lay):
    ask(daemon, "transfer-start")
    lay("new3", 5)
    outcome = ask(daemon, "transfer-add", sample="silo-4", new=True, labels=("oil=3.4",), scans=5)
    assert outcome.result["verdict"] == "good"
    (added,) = Session(daemon._reload._path, "x").store.read().work.current
    assert (added.labels, added.paired, len(added.taken)) == ({"oil": 3.4}, False, 5)
    lay("new3")
    refused(Faults.TRANSFER_INPUT, daemon, "transfer-add", sample="x", new=True, labels="oil")


def test_wrong_arguments_are_named(daemon, lay):
    assert "argument sampel" in refused(Faults.TRANSFER_INPUT, daemon, "transfer-start", sampel="1")
    assert "argument sample" in refused(Faults.TRANSFER_INPUT, daemon, "transfer-add")
    assert "argument scans" in refused(
        Faults.TRANSFER_INPUT, daemon, "transfer-add", sample="1", scans=0
    )
    refused(Faults.TRANSFER_INPUT, daemon, "transfer-status", all=True)


def test_before_the_instrument_answers_nothing_is_begun(daemon):
    for name in ("transfer-start", "transfer-rollback"):
        assert "not said its serial" in refused(Faults.TRANSFER_INPUT, daemon, name)


def test_a_fit_that_fails_is_an_event_and_the_session_goes_on(daemon, lay):
    ask(daemon, "transfer-start")
    add(daemon, lay, 1)
    ask(daemon, "transfer-finish")
    event = wait(daemon, "transfer_failed")
    assert "at least 3" in event["message"]
    assert event["level"] == "error"
    assert ("anna", "transfer_failed") in audited(daemon)
    assert "transfer_failed" not in daemon._notices.codes
    add(daemon, lay, 2)
    ask(daemon, "transfer-finish")
    assert wait(daemon, "transfer_finished")


def test_while_it_fits_scans_go_on_and_nothing_else_is_begun(daemon, lay):
    ask(daemon, "transfer-start")
    add(daemon, lay, 3)
    ask(daemon, "transfer-finish", dry_run=True)
    for name in ("transfer-finish", "transfer-discard"):
        refused(Faults.TRANSFER_BUSY, daemon, name)
    began = time.monotonic()
    lay("1", 5)
    assert time.monotonic() - began < 2.0
    assert wait(daemon, "transfer_finished")["message"].startswith("a dry run, not in use")
    assert StateStore(daemon._config.state_dir).read().held == ()
    outcome = ask(daemon, "transfer-discard")
    assert outcome.message.startswith("discarded with 3 samples; their spectra stay in ")


def test_a_finish_cut_off_before_the_end_of_the_session_is_taken_up(daemon, lay, monkeypatch):
    ask(daemon, "transfer-start")
    add(daemon, lay, 3)
    session = Session(daemon._reload._path, "anna")
    with monkeypatch.context() as patched:
        patched.setattr(session.store, "end", lambda *_, **__: None)
        session.finish()
    outcome = ask(daemon, "transfer-finish")
    assert outcome.message.startswith("transfer 1, in use now")
    assert [v.number for v in StateStore(daemon._config.state_dir).read().held] == [1]
    lay("1")
    assert events(daemon, "transfer_finished")
    assert last(daemon)["model"]["transfer"]["version"] == 1
    refused(Faults.TRANSFER_NOT_OPEN, daemon, "transfer-finish")


def test_at_its_end_the_daemon_leaves_no_child(daemon, lay):
    ask(daemon, "transfer-start")
    add(daemon, lay, 3)
    ask(daemon, "transfer-finish")
    process = daemon._transfers._fitting.process
    daemon._transfers.end()
    assert process.returncode is not None
    assert ask(daemon, "transfer-status").result["fitting"] is False


def test_what_the_command_line_did_is_told_by_the_daemon(daemon, cups):
    session = Session(daemon._reload._path, "local:bert")
    session.start(SERIAL)
    session.add("75", cups.scans("75"))
    daemon._serving.tell_of_changes()
    turn(daemon)
    assert ("local:bert", "transfer_sample_added") in audited(daemon)
    (event,) = events(daemon, "transfer_sample_added")
    assert "sample 75" in event["message"]
    assert session.store.untold() == ()


def test_another_instrument_than_the_session_s_is_not_added(daemon, lay, cups):
    ask(daemon, "transfer-start")
    turn(daemon, InstrumentReady("OTHER", "1.0", 7, cups.axis_nm))
    assert f"for {SERIAL}, and OTHER measures" in refused(
        Faults.TRANSFER_INPUT, daemon, "transfer-add", sample="75"
    )
