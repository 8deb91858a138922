"""Turns of the daemon's loop, with its own inbox, outbox and audit log; neither line nor broker."""

from __future__ import annotations

import errno
import json
import logging
import random
from dataclasses import replace

import pytest

from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.install import activate, install
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import MAX_STARTS, proven
from spektron_edge.daemon.daemon import Daemon
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.audit import verify
from spektron_edge.inbox import (
    Acknowledged,
    Connected,
    Consumed,
    FaultRaised,
    InstrumentReady,
    Measured,
    Streaming,
)
from spektron_edge.inference import BackendError, load_model
from spektron_edge.outbox import OutboxFullError
from spektron_edge.prediction.trial import CALM_S, PREDICTIONS
from spektron_edge.publishing import delivery
from tests import bundles, signers
from tests.signers import terms

from .turns import events, predicted, ready, stored, turn


def test_every_scan_becomes_one_prediction_and_every_hole_an_event(daemon, scan, make_scan):
    turn(daemon, ready(make_scan), Consumed("VIRT-0001", 7, 0), scan(1), scan(1), scan(4))
    daemon._turn(0.0)
    assert predicted(daemon) == [1, 4]
    (gap,) = events(daemon, "scans_missed")
    assert (gap["serial"], gap["boot_id"], gap["scans"]) == ("VIRT-0001", 7, [[2, 3]])
    assert daemon._states.figures()["repeated_scans"] == 1


def test_a_number_out_of_nowhere_is_told_once_and_stops_nothing(daemon, scan, make_scan):
    turn(daemon, ready(make_scan), scan(1), scan(2), scan(2**32 - 1), scan(3), scan(5))
    turn(daemon, scan(2**32 - 1), scan(6))
    assert predicted(daemon) == [1, 2, 2**32 - 1, 3, 5, 2**32 - 1, 6]
    told = events(daemon, "numbers_jumped")
    assert len(told) == 1
    assert "VIRT-0001 went from scan 2 to 4294967295" in told[0]["message"]
    assert [e["scans"] for e in events(daemon, "scans_missed")] == [[[4, 4]]]
    assert "scans_repeated" not in daemon._notices.codes


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        (1, "VIRT-0001 was switched off"),
        (0, "VIRT-0001 connected anew; nobody knows whether it was switched off"),
    ],
)
def test_a_power_on_is_told_by_who_knows_of_it(daemon, scan, make_scan, protocol, told):
    first = replace(ready(make_scan), protocol=protocol)
    turn(daemon, first, scan(1), replace(first, boot_id=8))
    (event,) = events(daemon, "instrument_restarted")
    assert event["message"] == f"{told}: of what it made after scan 1, nothing more is known"
    assert (event["serial"], event["boot_id"], event["scans"]) == ("VIRT-0001", 7, [[1, 1]])


def test_a_prediction_says_how_many_numbers_are_missing_before_it(daemon, scan, make_scan):
    rng = random.Random()
    numbers = sorted(rng.sample(range(1, 200), 40))
    used_up = set(rng.sample(numbers, 10))
    items = [Consumed("VIRT-0001", 7, n) if n in used_up else scan(n) for n in numbers]
    turn(daemon, ready(make_scan), Consumed("VIRT-0001", 7, 0))
    for item in items:
        turn(daemon, item)
    daemon._turn(0.0)
    before = {
        r["scan"]["number"]: r["scan"]["missing_before"] for r in stored(daemon) if "scan" in r
    }
    assert set(before) == set(numbers) - used_up
    last, gone = 0, 0
    for number in numbers:
        gone, last = gone + number - last - 1, number
        if number in before:
            assert before[number] == gone, numbers
            gone = 0


def test_trouble_with_one_message_does_not_lose_those_behind_it(
    daemon, scan, make_scan, monkeypatch
):
    turn(daemon, ready(make_scan), scan(1))
    monkeypatch.setattr(daemon._delivery, "_by_mid", {5: daemon._state.outbox.unsent(1)[0]})
    outbox = daemon._state.outbox

    def full(*_):
        raise OutboxFullError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "commit", full)
        turn(daemon, Acknowledged(5, 1.0, "Not authorized"), scan(2), scan(3))
    daemon._turn(0.0)
    assert predicted(daemon) == [2, 3]
    assert outbox.counts()["refused"] == 1


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
    assert daemon._states.figures()["missed_scans"] == len(told)


def test_what_was_given_up_of_two_power_ons_is_told_of_each(daemon, scan, make_scan, monkeypatch):
    monkeypatch.setattr(delivery, "MAX_WAITING", 4)
    turn(daemon, ready(make_scan))

    def full(*_):
        raise OutboxFullError("database or disk is full")

    def after(number):
        return replace(scan(number), scan=replace(scan(number).scan, boot_id=8))

    with monkeypatch.context() as patch:
        patch.setattr(daemon._state.outbox, "commit", full)
        for item in (*map(scan, (1, 2, 3)), *map(after, (0, 1, 2, 3))):
            turn(daemon, item)
    daemon._turn(0.0)
    told = {e["boot_id"]: e["scans"] for e in events(daemon, "scans_missed")}
    assert told == {7: [[1, 3]], 8: [[0, 1]]}
    assert predicted(daemon) == [2, 3]


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


def test_a_detector_that_repeats_itself_gives_no_valid_result_and_is_told_once(
    daemon, scan, make_scan
):
    counts = make_scan().counts
    repeated = [scan(number, counts=counts) for number in range(1, 15)]
    turn(daemon, ready(make_scan), *repeated, scan(15))
    records = [record for record in stored(daemon) if "scan" in record]
    known = [record["reasons"] == ["counts_repeated"] for record in records]
    assert known == [False] * 10 + [True] * 4 + [False]
    assert {v["value"] for record in records[10:14] for v in record["values"].values()} == {None}
    assert not any(record["valid"] for record in records[10:14])
    # Once each, though the adaptation is frozen: nothing ends it but a scan.
    told = [r["code"] for r in stored(daemon) if r.get("code", "").startswith("counts")]
    assert told == ["counts_repeated", "counts_repeated_over"]


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
    (tmp_path / "edge.toml").write_text("\n".join([*text, "[outbox]", "max_mb = 7"]))
    outcome = daemon._reload.reload()
    assert outcome.ok
    assert outcome.result["bundle"].startswith("tiny-2-")
    assert "restart for: outbox" in outcome.message
    assert daemon._config.outbox.max_mb == 256


@pytest.mark.parametrize("text", ["no toml", 'site = "s"\n'])
def test_a_reload_that_fails_changes_nothing(daemon, tmp_path, text):
    before = daemon._serving.model
    (tmp_path / "edge.toml").write_text(text)
    outcome = daemon._reload.reload()
    assert not outcome.ok
    assert "nothing was changed" in outcome.message
    assert daemon._serving.model is before


def test_health_is_good_as_long_as_nothing_is_wrong(daemon):
    assert daemon._states.health().ok
    turn(daemon, FaultRaised(Fault(Faults.PORT_LOST, "gone")))
    outcome = daemon._states.health()
    assert not outcome.ok
    assert outcome.message == "port_lost"


def test_the_daemon_ends_though_commands_go_on_arriving(daemon, monkeypatch):
    monkeypatch.setattr("spektron_edge.daemon.daemon._DRAIN_S", 0.05)
    monkeypatch.setattr(daemon, "_turn", lambda _: 1)
    daemon._client.start()
    daemon._line._thread.start()
    daemon._line._thread.halt()
    daemon._line._thread.join()
    daemon._wind_down()


def test_the_daemon_ends_in_good_order_even_when_its_disk_is_gone(daemon, scan, monkeypatch):
    def full(*_, **__):
        raise OutboxFullError("database or disk is full")

    daemon._client.start()
    daemon._line._thread.start()
    turn(daemon, Connected())
    with monkeypatch.context() as patch:
        for name in ("commit", "counts", "unsent", "prune"):
            patch.setattr(daemon._state.outbox, name, full)
        daemon._delivery._sent = ["x"]
        daemon._wind_down()
    assert not daemon._line._thread.is_alive()


# ---- slots, trials and binding


def audited(daemon):
    return [json.loads(line) for line in daemon._state.audit.path.read_text().splitlines()]


@pytest.fixture
def slots(tmp_path):
    """A state folder whose slot a is good and whose slot b is on trial."""
    store = SlotStore(tmp_path / "state")
    for version, name in ((1, "a"), (2, "b")):
        source = bundles.write_tiny(tmp_path / "new.spektron", version=version)
        assert install(store, source, terms(None), "local:anna").slot == name
        bundle = activate(store, name, terms(None), "local:anna").current.bundle
        if name == "a":
            store.update(lambda now, bundle=bundle: proven(now, bundle, "20 predictions"))
    return store


@pytest.fixture
def start(tmp_path, slots):
    """Start a daemon on those slots; it ends as by a power cut."""
    logger = logging.getLogger("spektron_edge")
    before = logger.handlers[:], logger.level, logger.propagate
    (tmp_path / "edge.toml").write_text(
        'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "slots"\n'
        '[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
    )
    running = []

    def make():
        for daemon in running:
            daemon._state.close()
        running.append(Daemon(tmp_path / "edge.toml"))
        return running[-1]

    yield make
    running[-1]._state.close()
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def measured(make_scan, references):
    def make(daemon, number, **changes):
        now = daemon._clock.now()
        fresh = replace(references, dark_taken=now, white_taken=now)
        return Measured(make_scan(number=number, **changes), fresh)

    return make


def version(daemon):
    return daemon._serving.model.bundle_id.rsplit("-", 1)[0]


def test_a_bundle_is_proven_by_its_predictions(start, slots, make_scan, measured):
    daemon = start()
    turn(daemon, ready(make_scan), *(measured(daemon, n) for n in range(1, PREDICTIONS)))
    assert slots.read().current.state == "trying"
    turn(daemon, measured(daemon, PREDICTIONS, saturated=1))
    assert slots.read().current.state == "trying"
    turn(daemon, measured(daemon, PREDICTIONS + 1))
    assert slots.read().current.state == "good"
    assert len(events(daemon, "bundle_proven")) == 1
    assert tuple(audited(daemon)[-1][key] for key in ("who", "what")) == ("daemon", "bundle_proven")
    assert slots.read().untold == ()


def test_a_bundle_is_proven_by_calm(start, slots):
    daemon = start()
    trial = daemon._serving.trial
    trial.look(1e6, troubled=False)
    assert slots.read().current.state == "good"


def test_faults_are_no_calm(start, slots):
    daemon = start()
    trial = daemon._serving.trial
    trial.look(1e6, troubled=True)
    trial.look(1e6 + CALM_S - 1, troubled=False)
    assert slots.read().current.state == "trying"
    trial.look(1e6 + CALM_S, troubled=False)
    assert slots.read().current.state == "good"


def test_a_trial_that_cannot_be_written_down_is_tried_again(
    start, slots, make_scan, measured, monkeypatch
):
    daemon = start()
    scans = [measured(daemon, n) for n in range(1, PREDICTIONS + 1)]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("spektron_edge.files.ledger.write_durably", full)
        turn(daemon, ready(make_scan), *scans)
    assert "disk_full" in daemon._notices.codes
    assert daemon._serving.trial.on
    daemon._serving.trial.look(1e9, troubled=True)
    assert slots.read().current.state == "good"


def test_three_starts_that_come_to_no_end_end_the_trial(start, slots):
    for _ in range(MAX_STARTS):
        assert version(start()) == "tiny-2"
    daemon = start()
    assert version(daemon) == "tiny-1"
    assert slots.read().active == "a"
    daemon._serving.tell_of_changes()
    turn(daemon)
    (event,) = events(daemon, "bundle_fell_back")
    assert (event["level"], "tiny-2" in event["message"]) == ("error", True)
    assert audited(daemon)[-1]["what"] == "bundle_fell_back"


def test_a_graph_that_takes_the_process_down_was_counted_first(start, slots, monkeypatch):
    def die(*_):
        raise SystemExit(139)

    start()
    monkeypatch.setattr("spektron_edge.prediction.product.load_model", die)
    with pytest.raises(SystemExit):
        start()
    assert slots.read().current.starts == 2


def test_a_slot_that_cannot_be_loaded_gives_way_at_once(start, slots):
    slots.path(slots.read().current).write_bytes(b"PK gone")
    daemon = start()
    assert version(daemon) == "tiny-1"
    assert slots.read().held["b"].state == "failed"
    daemon._serving.tell_of_changes()
    turn(daemon)
    assert len(events(daemon, "bundle_fell_back")) == 1


def test_a_bundle_on_trial_that_fails_at_work_gives_way_at_once(
    start, slots, make_scan, measured, monkeypatch
):
    daemon = start()
    turn(daemon, ready(make_scan), measured(daemon, 1))

    def fail(*_):
        raise BackendError("inference failed")

    monkeypatch.setattr(daemon._serving.model.backend, "infer", fail)
    turn(daemon, measured(daemon, 2), measured(daemon, 3))
    daemon._turn(0.0)
    assert version(daemon) == "tiny-1"
    assert predicted(daemon) == [1, 2, 3]
    by_number = {r["scan"]["number"]: r for r in stored(daemon) if "scan" in r}
    assert by_number[2]["reasons"] == ["bundle_invalid"]
    assert by_number[3]["model"]["bundle"].startswith("tiny-1-")
    assert len(events(daemon, "bundle_fell_back")) == 1


def test_an_orderly_end_does_not_count(start, slots, monkeypatch):
    daemon = start()
    assert slots.read().current.starts == 1
    daemon._client.start()
    daemon._line._thread.start()
    daemon._wind_down()
    assert slots.read().current.starts == 0


def test_a_reload_takes_the_slot_that_was_activated(start, slots, tmp_path):
    daemon = start()
    bundle = daemon._serving.model.bundle_id
    slots.update(lambda now: proven(now, bundle, "20 predictions"))
    source = bundles.write_tiny(tmp_path / "new.spektron", version=3)
    assert install(slots, source, terms(None), "local:anna").slot == "a"
    assert version(daemon) == "tiny-2"
    activate(slots, "a", terms(None), "local:anna")
    outcome = daemon._reload.reload()
    assert (outcome.ok, version(daemon)) == (True, "tiny-3")
    assert slots.read().current.starts == 1
    daemon._reload.reload()
    assert slots.read().current.starts == 1


def test_a_reload_of_a_slot_that_cannot_be_used_says_so_and_falls_back(start, slots, tmp_path):
    daemon = start()
    bundle = daemon._serving.model.bundle_id
    slots.update(lambda now: proven(now, bundle, "20 predictions"))
    source = bundles.write_tiny(tmp_path / "new.spektron", version=3)
    install(slots, source, terms(None), "local:anna")
    slots.path(activate(slots, "a", terms(None), "local:anna").current).write_bytes(b"gone")
    outcome = daemon._reload.reload()
    assert not outcome.ok
    assert outcome.message.startswith("fell back to tiny-2-")
    assert version(daemon) == "tiny-2"
    assert slots.read().active == "b"


def test_what_the_audit_log_does_not_take_is_kept_for_it(start, slots, monkeypatch):
    daemon = start()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    waiting = slots.read().untold
    with monkeypatch.context() as patch:
        patch.setattr(daemon._state.audit, "append", full)
        daemon._serving.tell_of_changes()
    assert slots.read().untold == waiting
    daemon._serving.tell_of_changes()
    assert slots.read().untold == ()
    assert [line["what"] for line in audited(daemon)] == [action.what for action in waiting]


def test_a_bundle_that_is_bound_to_others_does_not_predict(
    daemon, scan, make_scan, tmp_path, monkeypatch
):
    turn(daemon, ready(make_scan), scan(1))
    path = bundles.write_tiny(tmp_path / "bound.spektron", devices=["OTHER-1"])
    bound = load_model(read_bundle(path))
    serving = daemon._serving
    monkeypatch.setattr(serving, "_loaded", replace(serving._loaded, model=bound))
    turn(daemon, ready(make_scan), scan(2))
    daemon._turn(0.0)
    record = next(r for r in stored(daemon) if r.get("scan", {}).get("number") == 2)
    assert record["reasons"] == ["bundle_elsewhere"]
    assert {v["value"] for v in record["values"].values()} == {None}
    (event,) = events(daemon, "bundle_elsewhere")
    assert "OTHER-1" in event["message"]


def test_a_reload_of_a_bundle_that_is_bound_to_others_changes_nothing(
    daemon, scan, make_scan, tmp_path
):
    turn(daemon, ready(make_scan), scan(1))
    path = bundles.write_tiny(tmp_path / "bound.spektron", devices=["OTHER-1"])
    text = (tmp_path / "edge.toml").read_text().splitlines()
    text[3] = f'bundle = "{path}"'
    (tmp_path / "edge.toml").write_text("\n".join(text))
    before = daemon._serving.model
    outcome = daemon._reload.reload()
    assert (outcome.ok, "OTHER-1" in outcome.message) == (False, True)
    assert daemon._serving.model is before


def test_records_name_who_signed(tmp_path, daemon, scan, make_scan):
    anna = signers.key(tmp_path, "anna")
    signers.trusting(tmp_path / "trust", anna)
    turn(daemon, ready(make_scan), scan(1))
    path = signers.signed_tiny(tmp_path / "new.spektron", anna, version=2)
    text = (tmp_path / "edge.toml").read_text().splitlines()
    text[3] = f'bundle = "{path}"'
    (tmp_path / "edge.toml").write_text("\n".join([*text, '[trust]\nkeys = "trust"']))
    outcome = daemon._reload.reload()
    assert outcome.ok
    assert f"signed by anna ({anna.key_id})" in outcome.message
    turn(daemon, scan(2))
    signed = {r["scan"]["number"]: r["model"]["signed_by"] for r in stored(daemon) if "scan" in r}
    assert signed == {1: None, 2: {"key_id": anna.key_id, "name": "anna"}}
    model = daemon._announcements.model_state()
    assert model.model.signed_by.name == "anna"
    assert SlotStore(tmp_path / "state").read().floors == {"tiny": 2}
