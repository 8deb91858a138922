"""Each kind of bad input: its own exit status under --fail-fast, its own event, nothing lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import zipfile

import pytest
import serial

from firmware_bridge.virtual import InjectedFaults, Optics
from spektron_edge.cli.main import main
from spektron_edge.config.file import shipped_bundle
from tests.integration.rig import Mosquitto, drain, listening, until
from tests.requirements import need

DARK_DETECTOR = Optics(white_counts=0.4)
NARROW = Optics(start_nm=1200.0)
THIEF = """
import sys
import paho.mqtt.client as paho
client = paho.Client(paho.CallbackAPIVersion.VERSION2, "same", protocol=paho.MQTTv5)
client.reconnect_delay_set(0.2, 0.2)
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_forever()
"""
COLD_LAMP = Optics(warmup_s=3600.0)


def ends_with(rig, status, code):
    """The daemon ends with the fault's status; its log says what and what to do next."""
    assert rig.run("--fail-fast") == status, rig.log
    lines = [line for line in rig.log.splitlines() if code in line]
    assert lines, rig.log
    assert "next=" in rig.log or "Next:" in rig.log
    assert "Traceback" not in rig.log


@pytest.mark.parametrize(
    ("status", "code", "faults", "optics"),
    [
        (24, "device_silent", InjectedFaults(silent=True), None),
        (26, "version_mismatch", InjectedFaults(refuse_version=True), None),
        (27, "device_refused", InjectedFaults(error_on_configure=True), None),
        (30, "lamp_not_warm", None, COLD_LAMP),
        (34, "reference_interrupted", InjectedFaults(power_loss_in_reference=True), None),
        (35, "saturated", InjectedFaults(saturate_at=frozenset({5})), None),
        (36, "axis_invalid", InjectedFaults(nan_axis=True), None),
        (37, "axis_outside_model", None, NARROW),
        (38, "not_finite", None, DARK_DETECTOR),
    ],
)
def test_what_the_instrument_does_wrong(broker, make_rig, status, code, faults, optics):
    rig = make_rig(broker.url, faults=faults, optics=optics)
    ends_with(rig, status, code)


def test_no_such_port(broker, make_rig):
    rig = make_rig(broker.url)
    rig.settings["serial"]["url"] = str(rig.folder / "nothing-here")
    ends_with(rig, 20, "port_missing")


def test_port_busy(broker, make_rig):
    rig = make_rig(broker.url)
    with serial.Serial(rig.port.url, 921600, exclusive=True):
        ends_with(rig, 21, "port_busy")


def test_wrong_baud(broker, make_rig):
    rig = make_rig(broker.url)
    rig.settings["serial"]["baud"] = 115200
    ends_with(rig, 25, "line_garbage")


def test_unplugged_while_streaming(broker, make_rig):
    rig = make_rig(broker.url, faults=InjectedFaults(unplug_at_scan=6))
    ends_with(rig, 23, "port_lost")


def test_no_dark_and_none_may_be_taken(broker, make_rig):
    rig = make_rig(broker.url)
    rig.settings["acquisition"]["automatic_references"] = False
    ends_with(rig, 31, "no_dark")


def test_expired_reference_that_may_not_be_renewed(broker, make_rig):
    rig = make_rig(broker.url)
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: rig.gather(subscriber), "a prediction")
        rig.stop()
    rig.settings["acquisition"] = {"automatic_references": False, "white_max_age_s": 0.001}
    ends_with(rig, 33, "reference_expired")


def test_invalid_scans_are_published_as_invalid_with_the_reason(broker, make_rig):
    rig = make_rig(broker.url, scans=6, faults=InjectedFaults(saturate_at=frozenset({4, 5})))
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) == 6, "6 predictions")
        rig.stop()
        until(lambda: subscriber.offline, "the farewell")
        rig.gather(subscriber)
    verdicts = {r["scan"]["number"]: r["reasons"] for r in rig.received.values()}
    assert verdicts[4] == verdicts[5] == ["saturated"]
    assert verdicts[6] == []
    values = [r["values"]["oil"]["value"] for r in rig.received.values() if not r["valid"]]
    assert values == [None, None]
    assert rig.codes().count("saturated") == rig.codes().count("saturated_over") == 1


def test_references_are_taken_again_when_they_expire(broker, make_rig):
    rig = make_rig(broker.url)
    rig.settings["acquisition"]["white_max_age_s"] = 0.5
    with listening(broker.port) as subscriber:
        rig.start()
        until(
            lambda: rig.gather(subscriber) and rig.codes().count("references_measured") >= 3,
            "three references",
        )
        rig.stop()
    assert rig.missed() == set()


@pytest.mark.parametrize("damage", ["truncated", "edited", "missing"])
def test_corrupt_bundle(broker, make_rig, damage):
    rig = make_rig(broker.url)
    bundle = rig.folder / "bad.spektron"
    if damage != "missing":
        shutil.copy(shipped_bundle(), bundle)
    if damage == "truncated":
        os.truncate(bundle, bundle.stat().st_size // 2)
    if damage == "edited":
        with zipfile.ZipFile(bundle, "a") as archive:
            archive.writestr("extra.onnx", b"hello")
    rig.settings[""]["bundle"] = str(bundle)
    ends_with(rig, 11, "bundle_invalid")
    assert not (rig.folder / "state").exists()


def test_unreachable_broker_by_exit_status(tmp_path, make_rig):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        rig = make_rig(f"mqtt://127.0.0.1:{taken.getsockname()[1]}")
        ends_with(rig, 40, "broker_unreachable")


def test_predictions_made_without_a_broker_arrive_later(tmp_path, make_rig):
    need("broker")
    broker = Mosquitto(tmp_path)
    rig = make_rig(broker.url, scans=10, interval_s=0.0)
    rig.start()
    outbox = rig.folder / "state" / "outbox.sqlite"

    def stored():
        query = "SELECT COUNT(*) FROM record WHERE kind = 'prediction'"
        try:
            with contextlib.closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as db:
                return db.execute(query).fetchone()[0] == 10
        except sqlite3.Error:
            return False

    until(stored, "10 stored predictions")
    rig.stop()
    broker.start()
    try:
        with listening(broker.port) as subscriber:
            rig.start()
            until(lambda: len(rig.gather(subscriber)) == 10, "10 predictions")
            rig.stop()
    finally:
        broker.kill()


def test_refused_credentials(tmp_path, make_rig):
    need("broker")
    (tmp_path / "passwords").touch()
    broker = Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {tmp_path}/passwords")
    broker.start()
    try:
        (tmp_path / "secret").write_text("wrong\n")
        rig = make_rig(broker.url)
        rig.settings["mqtt"] |= {"username": "m5", "password_file": "secret"}
        ends_with(rig, 41, "broker_refused")
    finally:
        broker.kill()


def test_what_the_access_list_refuses_is_kept_and_sent_later(tmp_path, make_rig):
    need("broker")
    acl = tmp_path / "acl"
    acl.write_text("topic read #\ntopic write spektron/lab/m5/event\n")
    broker = Mosquitto(tmp_path, f"allow_anonymous true\nacl_file {acl}")
    broker.start()
    try:
        rig = make_rig(broker.url, scans=5, interval_s=0.0)
        with listening(broker.port) as subscriber:
            rig.start()
            until(
                lambda: rig.gather(subscriber) or "publish_refused" in rig.codes(),
                "the refusal's event",
            )
            assert not rig.received
            rig.stop()
            acl.write_text("topic readwrite #\n")
            broker.reload()
            rig.start()
            until(lambda: len(rig.gather(subscriber)) == 5, "the refused predictions")
            rig.stop()
    finally:
        broker.kill()


def test_taken_client_id_is_named(broker, make_rig):
    rig = make_rig(broker.url)
    rig.settings["mqtt"]["client_id"] = "same"
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: rig.gather(subscriber), "a prediction")
        thief = subprocess.Popen(
            [sys.executable, "-c", THIEF, str(broker.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: rig.gather(subscriber) and "session_taken" in rig.codes(), "its name")
        finally:
            thief.kill()
            thief.wait()
        rig.stop()


@pytest.mark.parametrize("where", ["under a file", "a folder in place of the outbox"])
def test_unwritable_state_folder(broker, make_rig, where):
    rig = make_rig(broker.url)
    if where == "under a file":
        (rig.folder / "state").write_text("in the way")
    else:
        (rig.folder / "state" / "outbox.sqlite").mkdir(parents=True)
    ends_with(rig, 12, "state_unwritable")


def test_state_folder_in_use(broker, make_rig):
    rig = make_rig(broker.url)
    with listening(broker.port) as subscriber:
        first = rig.start()
        until(lambda: rig.gather(subscriber), "a prediction")
        ends_with(rig, 15, "state_in_use")
        rig._process = first
        assert rig.stop() == 0


def test_full_disk_keeps_results_until_there_is_room(broker, make_rig):
    need("tmpfs")
    rig = make_rig(broker.url, scans=60, interval_s=0.02)
    state = rig.folder / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", state], check=True)
    try:
        ballast = state / "ballast"
        with listening(broker.port) as subscriber:
            rig.start()
            until(lambda: len(rig.gather(subscriber)) >= 5, "the first predictions")
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as stream:
                while stream.write(b"x" * 4096):
                    pass
            until(lambda: "disk_full" in rig.log, "the fault")
            ballast.unlink()
            until(lambda: len(rig.gather(subscriber)) == 60, "every prediction")
            until(
                lambda: rig.gather(subscriber) and "disk_full_over" in rig.codes(),
                "the fault's end",
            )
            assert rig.stop() == 0
        assert rig.missed() == set()
    finally:
        rig.stop()
        subprocess.run(["umount", "-l", state], check=True)


def test_on_a_full_disk_every_command_is_answered(broker, make_rig, capsys):
    need("tmpfs")
    rig = make_rig(broker.url)
    rig.allow("anna", "health", "reload")
    state = rig.folder / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", state], check=True)

    def ask(command):
        words = ["command", command, "--config", str(rig.config), "--operator", "anna", "--json"]
        status = main([*words, "--timeout", "30"])
        return status, json.loads(capsys.readouterr().out)

    try:
        with listening(broker.port) as subscriber:
            rig.start()
            until(lambda: rig.gather(subscriber), "a prediction")
            with contextlib.suppress(OSError), (state / "ballast").open("wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass
            until(lambda: "disk_full" in rig.log, "the fault")
            status, refusal = ask("reload")
            assert (status, refusal["result"]) == (45, {"fault": "disk_full"})
            assert "command_refused" in rig.log
            _, health = ask("health")
            assert "disk_full" in health["message"]
            assert health["result"]["waiting_for_disk"] > 0
            (state / "ballast").unlink()
            until(lambda: ask("reload")[0] == 0, "a disk with room")
            assert rig.stop() == 0
    finally:
        rig.stop()
        subprocess.run(["umount", "-l", state], check=True)


def test_full_disk_by_exit_status(broker, make_rig):
    need("tmpfs")
    rig = make_rig(broker.url)
    state = rig.folder / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", state], check=True)
    try:
        ends_with(rig, 13, "disk_full")
    finally:
        subprocess.run(["umount", "-l", state], check=True)


def test_unknown_configuration_key_is_named_with_its_likely_meaning(broker, make_rig):
    rig = make_rig(broker.url)
    rig.settings["serial"]["buad"] = 9600
    ends_with(rig, 10, "config_invalid")
    assert "serial.buad" in rig.log
    assert "'baud'" in rig.log


def test_damaged_outbox_is_set_aside_and_reported(broker, make_rig):
    rig = make_rig(broker.url, scans=3)
    state = rig.folder / "state"
    state.mkdir()
    (state / "outbox.sqlite").write_bytes(b"not a database at all" * 500)
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) == 3, "3 predictions")
        rig.stop()
    assert "state_damaged" in rig.codes()
    assert (state / "outbox.sqlite.damaged-1").read_bytes().startswith(b"not a database")


def test_events_of_a_refused_start_are_published_by_the_next(broker, make_rig):
    rig = make_rig(broker.url, scans=1)
    good, rig.settings["serial"]["url"] = rig.settings["serial"]["url"], "/nonexistent/port"
    ends_with(rig, 20, "port_missing")
    rig.settings["serial"]["url"] = good
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: rig.gather(subscriber), "a prediction")
        rig.stop()
        rig.events += drain(subscriber.events)
