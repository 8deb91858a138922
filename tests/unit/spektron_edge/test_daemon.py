"""Turns of the daemon's loop, with its own inbox, outbox and audit log; neither line nor broker."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from spektron_edge import delivery
from spektron_edge.audit import verify
from spektron_edge.daemon import Daemon
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import (
    Acknowledged,
    Connected,
    Consumed,
    FaultRaised,
    InstrumentReady,
    Measured,
    Streaming,
)
from spektron_edge.outbox import OutboxFullError
from tests import bundles


@pytest.fixture
def daemon(tmp_path, tiny_bundle):
    (tmp_path / "edge.toml").write_text(
        f'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "{tiny_bundle}"\n'
        '[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
    )
    logger = logging.getLogger("spektron_edge")
    before = logger.handlers[:], logger.level, logger.propagate
    daemon = Daemon(tmp_path / "edge.toml")
    yield daemon
    daemon._state.close()
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def scan(daemon, make_scan, references):
    """A sample scan whose references are fresh on the daemon's own clock."""
    now = daemon._clock.now()
    fresh = replace(references, dark_taken=now, white_taken=now)

    def make(number, **changes):
        return Measured(make_scan(number=number, **changes), fresh)

    return make


def turn(daemon, *items):
    for item in items:
        daemon._inbox.put(item)
    daemon._turn(0.0)


def stored(daemon):
    return [json.loads(r.payload) for r in daemon._state.outbox.unsent(10_000)]


def events(daemon, code):
    return [r for r in stored(daemon) if r.get("code") == code]


def predicted(daemon):
    return [r["scan"]["number"] for r in stored(daemon) if "scan" in r]


def ready(make_scan):
    return InstrumentReady("VIRT-0001", "1.0", 7, make_scan().axis_nm)


def test_every_scan_becomes_one_prediction_and_every_hole_an_event(daemon, scan, make_scan):
    turn(daemon, ready(make_scan), Consumed("VIRT-0001", 7, 0), scan(1), scan(1), scan(4))
    daemon._turn(0.0)
    assert predicted(daemon) == [1, 4]
    assert [e["scans"] for e in events(daemon, "scans_missed")] == [[[2, 3]]]
    assert daemon._figures()["repeated_scans"] == 1


def test_trouble_with_one_message_does_not_lose_those_behind_it(
    daemon, scan, make_scan, monkeypatch
):
    turn(daemon, ready(make_scan), scan(1))
    monkeypatch.setattr(daemon._delivery, "_by_mid", {5: daemon._state.outbox.unsent(1)[0]})

    def full(*_):
        raise OutboxFullError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(daemon._state.outbox, "mark_refused", full)
        turn(daemon, Acknowledged(5, 1.0, "Not authorized"), scan(2), scan(3))
    assert predicted(daemon) == [1, 2, 3]


def test_after_a_full_disk_and_a_full_memory_every_number_is_told(
    daemon, scan, make_scan, monkeypatch
):
    monkeypatch.setattr(delivery, "MAX_WAITING", 12)
    turn(daemon, ready(make_scan))
    outbox = daemon._state.outbox
    (pages,) = outbox._db.execute("PRAGMA page_count").fetchone()
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    # Fill what is free inside the file, too.
    number = 0
    while not daemon._delivery.waiting:
        number += 1
        turn(daemon, scan(number))
    for _ in range(40):
        number += 1
        turn(daemon, scan(number))
        daemon._turn(0.0)
    assert "disk_full" in daemon._notices.codes
    outbox._db.execute("PRAGMA max_page_count = 1000000")
    daemon._turn(0.0)
    daemon._turn(0.0)
    assert "disk_full" not in daemon._notices.codes
    told = {
        n
        for event in events(daemon, "scans_missed")
        for first, last in event["scans"]
        for n in range(first, last + 1)
    }
    assert told
    assert sorted([*told, *predicted(daemon)]) == list(range(1, number + 1))
    assert daemon._figures()["missed_scans"] == len(told)


def test_a_fault_is_an_event_when_it_begins_and_when_it_ends(daemon, scan, make_scan):
    turn(
        daemon,
        FaultRaised(Fault(Faults.PORT_LOST, "gone")),
        FaultRaised(Fault(Faults.PORT_LOST, "gone")),
    )
    turn(daemon, ready(make_scan))
    daemon._turn(0.0)
    assert len(events(daemon, "port_lost")) == 1
    assert len(events(daemon, "port_lost_over")) == 1


@pytest.mark.parametrize("bad", [{"saturated": 1}, {"counts": None}])
def test_a_bad_scan_s_fault_ends_with_the_next_good_one(daemon, scan, make_scan, bad):
    if "counts" in bad:
        bad = {"counts": make_scan().counts[:-1]}
    turn(daemon, ready(make_scan), scan(1, **bad))
    assert len(daemon._notices.codes) == 1
    turn(daemon, scan(2))
    assert daemon._notices.codes == ()


def test_an_axis_outside_the_model_makes_scans_invalid_not_the_daemon(daemon, scan, make_scan):
    turn(daemon, InstrumentReady("VIRT-0001", "1.0", 7, make_scan().axis_nm + 500.0), scan(1))
    (prediction,) = [r for r in stored(daemon) if "scan" in r]
    assert prediction["reasons"] == ["axis_outside_model"]


def test_new_references_are_audited_and_said(daemon, references):
    turn(daemon, Streaming(references, measured=True))
    daemon._turn(0.0)
    assert len(events(daemon, "references_measured")) == 1
    assert verify(daemon._state.audit.path).lines == 1


def test_a_reload_takes_the_new_bundle_and_names_what_needs_a_restart(daemon, tmp_path):
    path = bundles.write_tiny(tmp_path / "new.spektron", version=2)
    text = (tmp_path / "edge.toml").read_text().splitlines()
    text[3] = f'bundle = "{path}"'
    (tmp_path / "edge.toml").write_text("\n".join([*text, "keepalive_s = 7"]))
    outcome = daemon._reload()
    assert outcome.ok
    assert outcome.result["bundle"].startswith("tiny-2-")
    assert "restart for: mqtt" in outcome.message
    assert daemon._config.mqtt.keepalive_s == 30


@pytest.mark.parametrize("text", ["no toml", 'site = "s"\n'])
def test_a_reload_that_fails_changes_nothing(daemon, tmp_path, text):
    before = daemon._serving.model
    (tmp_path / "edge.toml").write_text(text)
    outcome = daemon._reload()
    assert not outcome.ok
    assert "nothing was changed" in outcome.message
    assert daemon._serving.model is before


def test_health_is_good_as_long_as_nothing_is_wrong(daemon):
    assert daemon._health().ok
    turn(daemon, FaultRaised(Fault(Faults.PORT_LOST, "gone")))
    outcome = daemon._health()
    assert not outcome.ok
    assert outcome.message == "port_lost"


def test_an_outbox_that_was_removed_is_a_fault(daemon):
    turn(daemon)
    assert not events(daemon, "state_damaged")
    daemon._state.outbox.path.unlink()
    daemon._upkeep_due = 0.0
    turn(daemon)
    turn(daemon)
    assert len(events(daemon, "state_damaged")) == 1


def test_the_daemon_ends_though_commands_go_on_arriving(daemon, monkeypatch):
    monkeypatch.setattr("spektron_edge.daemon._DRAIN_S", 0.05)
    monkeypatch.setattr(daemon, "_turn", lambda _: 1)
    daemon._client.start()
    daemon._instrument.start()
    daemon._instrument.halt()
    daemon._instrument.join()
    daemon._wind_down()


def test_the_daemon_ends_in_good_order_even_when_its_disk_is_gone(daemon, scan, monkeypatch):
    def full(*_, **__):
        raise OutboxFullError("database or disk is full")

    daemon._client.start()
    daemon._instrument.start()
    turn(daemon, Connected())
    with monkeypatch.context() as patch:
        for name in ("commit", "mark_sent", "counts", "unsent", "prune"):
            patch.setattr(daemon._state.outbox, name, full)
        daemon._delivery._acknowledged = ["x"]
        daemon._wind_down()
    assert not daemon._instrument.is_alive()
