"""Every scan is accounted for: received, or named by a gap event."""

from __future__ import annotations

import contextlib
import json
import shutil

import pytest

from firmware_bridge.virtual import InjectedFaults
from spektron_edge.files.audit import verify
from spektron_edge.outbox import OutboxError
from spektron_edge.outbox.store import reading
from tests.integration.rig import listening, until


def _made(rig):
    """Numbers of all sample scans that the instrument made since its power-on."""
    return set(rig.port.call(lambda: set(rig.port.device.presented)))


def _account(rig, subscriber, scans):
    """Wait until every sample scan is received or missed; no scan may be both."""
    until(lambda: rig.port.call(lambda: rig.port.device.samples_shown) >= scans, "all scans made")
    made = _made(rig)
    until(lambda: made <= rig.gather(subscriber) | rig.missed(), "an account of every scan")
    numbers = [record["scan"]["number"] for record in rig.received.values()]
    assert len(numbers) == len(set(numbers)), "a scan came under two ids"
    assert not set(numbers) & rig.missed()
    return set(numbers), rig.missed()


def test_unplugged_and_back_names_the_missing_scans(broker, make_rig):
    rig = make_rig(
        broker.url, scans=60, faults=InjectedFaults(unplug_at_scan=20, replug_after_s=1.0)
    )
    with listening(broker.port) as subscriber:
        rig.start()
        numbers, missed = _account(rig, subscriber, 60)
        assert rig.stop() == 0
    assert len(numbers) + len(missed & _made(rig)) == 60
    assert missed, "scans made while unplugged must be missed"
    assert max(numbers) > max(missed & _made(rig))
    assert "port_lost" in rig.codes()


def test_lost_and_broken_frames_are_gaps(broker, make_rig):
    faults = InjectedFaults(drop_numbers=frozenset({7, 8, 20}), flip_bits_at=frozenset({12}))
    rig = make_rig(broker.url, scans=25, interval_s=0.0, faults=faults)
    with listening(broker.port) as subscriber:
        rig.start()
        _, missed = _account(rig, subscriber, 25)
        assert rig.stop() == 0
    assert missed == {7, 8, 12, 20}


def test_power_cycle_of_the_instrument_starts_a_new_count(broker, make_rig):
    rig = make_rig(broker.url, scans=30)
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) >= 5, "the first predictions")
        rig.port.power_cycle()
        boots = until(
            lambda: (
                rig.gather(subscriber)
                and len(b := {r["scan"]["boot_id"] for r in rig.received.values()}) == 2
                and b
            ),
            "predictions after the power cycle",
        )
        assert rig.stop() == 0
    assert len(boots) == 2
    (restarted,) = [e for e in rig.events if e["code"] == "instrument_restarted"]
    before = next(iter(rig.received.values()))["scan"]["boot_id"]
    last = max(r["scan"]["number"] for r in rig.received.values() if r["scan"]["boot_id"] == before)
    assert (restarted["boot_id"], restarted["scans"]) == (before, [[last, last]])
    assert rig.codes().count("references_measured") == 2


@pytest.mark.parametrize("removed", ["outbox.sqlite*", "outbox.sqlite-wal", "*"])
def test_state_that_is_removed_under_the_daemon_loses_no_scan_of_an_outage(
    broker, make_rig, removed
):
    rig = make_rig(broker.url, scans=60)
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) >= 5, "the first predictions")
        broker.kill()
        until(lambda: rig.port.call(lambda: rig.port.device.samples_shown) >= 20, "an outage")
        for file in (rig.folder / "state").glob(removed):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
        stored = until(lambda: _stored_after(rig, "state_damaged"), "its notice")
        rig.kill()
        rig.start()
        broker.start()
        _account(rig, subscriber, 60)
        until(lambda: rig.gather(subscriber) and stored <= _ids(rig), "all that was stored")
        assert rig.stop() == 0
    damage = [e["message"] for e in rig.events if e["code"] == "state_damaged"]
    assert all("written to a new file" in message for message in damage)
    verify(rig.folder / "state" / "audit.jsonl")


def _ids(rig):
    return set(rig.received) | {event["id"] for event in rig.events}


def _stored_after(rig, code):
    """Ids of what waits in the outbox, once an event of that code does."""
    with contextlib.suppress(OutboxError), reading(rig.folder / "state" / "outbox.sqlite") as db:
        rows = db.execute("SELECT id, payload FROM record WHERE state = 0").fetchall()
        if any(json.loads(payload).get("code") == code for _, payload in rows):
            return {record_id for record_id, _ in rows}
    return None
