"""`doctor` with real parts: a running daemon, brokers that refuse, damaged and full disks."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from firmware_bridge.virtual import PtyPort
from firmware_bridge.virtual.ocean_sad500 import VirtualOceanSad500
from spektron_edge.cli.main import main
from spektron_edge.clock import Stamp
from spektron_edge.config.loading import load_config
from spektron_edge.examination import clock, everything, subject
from spektron_edge.faults import Faults
from spektron_edge.files.audit import Audit
from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE
from spektron_edge.outbox import Limits, Outbox, Outgoing
from tests.drivers.cases import AXIS, SPECTRA
from tests.integration.rig import Mosquitto, Raw, until
from tests.pki import DAY, Authority
from tests.requirements import need

AT = Stamp(1_800_000_000.0, 12.0, "boot-a")
AWAY = "mqtt://127.0.0.1:1"


class Examined:
    def __init__(self, status, report, text):
        self.status, self.verdict, self.text = status, report["verdict"], text
        self.found = report["findings"]

    def of(self, part, state):
        return [f for f in self.found if (f["part"], f["state"]) == (part, state)]

    def states(self, part):
        return {f["state"] for f in self.found if f["part"] == part}

    def codes(self, part):
        return {f["code"] for f in self.found if f["part"] == part and f["state"] == "bad"}


@pytest.fixture
def doctor(capsys):
    def look(rig) -> Examined:
        capsys.readouterr()
        status = main(["doctor", "--config", str(rig.config), "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        report = json.loads(out)
        bad = Faults.EXAMINATION_BAD.value.exit_status
        assert status == {"ok": 0, "warning": 1, "bad": bad}[report["verdict"]]
        assert all(f["next_step"] for f in report["findings"] if f["state"] in ("bad", "warning"))
        return Examined(status, report, out)

    return look


@pytest.fixture
def used(make_rig):
    """used(): the state folder of a daemon that has ended, without one that runs."""

    def make(url=AWAY):
        rig = make_rig(url)
        state = rig.folder / "state"
        state.mkdir()
        outbox = Outbox(state / OUTBOX_FILE, Limits(10**9, 10**9))
        outbox.commit([Outgoing(f"{n}", "event", b"{}" * 3000) for n in range(20)])
        outbox.close()
        audit = Audit(state / AUDIT_FILE)
        for what in ("started", "stopped", "started"):
            audit.append(AT, "daemon", what, {})
        audit.close()
        return rig

    return make


def contents(folder):
    """Every file with its content, and of which time."""
    return {
        path: (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_running_daemon_speaks_for_itself(broker, make_rig, streaming, doctor, monkeypatch):
    rig = streaming(make_rig(broker.url))
    examined = doctor(rig)
    assert examined.states("daemon") == {"ok"}
    assert examined.states("instrument") == {"ok"}
    assert "says the daemon" in examined.of("instrument", "ok")[0]["said"]
    for part in ("configuration", "port", "broker", "outbox", "audit log", "bundle", "disk"):
        assert examined.states(part) == {"ok"}, part
    # It goes on, and heard nothing of it.
    known = rig.gather(rig.subscriber)
    until(lambda: len(rig.gather(rig.subscriber)) > len(known) + 3, "more predictions")
    broker.kill()
    rig.port.unplug()
    wrong = {"broker_unreachable", "port_missing"}
    until(
        lambda: wrong <= set(subject.subject_of(rig.config, load_config(rig.config)).codes),
        "faults",
    )
    examined = doctor(rig)
    assert wrong <= examined.codes("daemon")
    assert examined.states("instrument") == {"bad"}
    # It hangs.
    monkeypatch.setattr(subject, "_DOOR_WAIT_S", 0.5)
    os.kill(rig.pid, signal.SIGSTOP)
    examined = doctor(rig)
    assert "does not answer at its door" in examined.of("daemon", "bad")[0]["said"]
    assert examined.states("instrument") == {"not looked at"}


def test_it_changes_nothing_while_no_daemon_runs(broker, used, doctor):
    rig = used(broker.url)
    rig.config.touch()
    before = contents(rig.folder)
    examined = doctor(rig)
    assert examined.states("outbox") == examined.states("audit log") == {"ok"}
    assert "20 records wait" in examined.of("outbox", "ok")[0]["said"]
    assert examined.states("broker's access list") == {"ok"}
    assert examined.states("instrument") == {"ok"}
    after = contents(rig.folder)
    # The test writes the configuration anew each time.
    del before[rig.config.absolute()], after[rig.config.absolute()]
    assert after == before


@pytest.mark.once
def test_a_damaged_outbox_and_a_broken_chain(used, doctor):
    rig = used()
    outbox, audit = rig.folder / "state" / OUTBOX_FILE, rig.folder / "state" / AUDIT_FILE
    data = bytearray(outbox.read_bytes())
    data[8192:20480] = os.urandom(12288)
    outbox.write_bytes(data)
    lines = audit.read_text().splitlines(keepends=True)
    audit.write_text("".join([lines[0], lines[1].replace("stopped", "halted"), lines[2]]))
    (outbox.parent / f"{OUTBOX_FILE}.damaged-1").write_bytes(b"x")
    examined = doctor(rig)
    assert examined.codes("outbox") == {"state_damaged"}
    assert examined.codes("audit log") == {"audit_broken"}
    assert "line 3" in examined.of("audit log", "bad")[0]["said"]
    assert examined.states("state folder") == {"warning"}
    outbox.write_bytes(b"x" * 4096)
    audit.unlink()
    examined = doctor(rig)
    assert examined.codes("outbox") == {"state_damaged"}
    assert examined.codes("audit log") == {"audit_broken"}


@pytest.mark.once
def test_a_full_disk(used, doctor, tmp_path):
    need("tmpfs")
    rig = used()
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", full], check=True)
    try:
        rig.settings[""]["state_dir"] = str(full)
        with contextlib.suppress(OSError), (full / "ballast").open("wb", buffering=0) as stream:
            while stream.write(b"x" * 4096):
                pass
        examined = doctor(rig)
        assert examined.codes("disk") == {"disk_full"}
        assert examined.codes("disk's speed") <= {"disk_full"}
    finally:
        subprocess.run(["umount", "-l", full], check=True)


@pytest.mark.once
def test_a_clock_that_nobody_sets(used, doctor, monkeypatch):
    # A machine has one clock, which a test leaves alone.
    monkeypatch.setattr(clock, "kernel_synchronised", lambda: False)
    (found,) = doctor(used()).of("clock", "warning")
    assert "timedatectl" in found["next_step"]


@pytest.mark.once
def test_the_port_absent_held_and_of_another_maker(used, doctor, tmp_path, make_rig):
    rig = used()
    hold = (
        "import fcntl, os, sys, time; h = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); "
        "fcntl.flock(h, fcntl.LOCK_EX); print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, rig.settings["serial"]["url"]], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        examined = doctor(rig)
        holder.kill()
    assert examined.codes("port") == {"port_busy"}
    assert f"(process {holder.pid})" in examined.of("port", "bad")[0]["said"]
    assert examined.states("instrument") == {"not looked at"}
    rig.settings["serial"]["url"] = "/dev/ttyABSENT"
    assert doctor(rig).codes("port") == {"port_missing"}
    other = tmp_path / "other"
    with PtyPort(VirtualOceanSad500(SPECTRA, AXIS), link=other):
        rig.settings["serial"]["url"] = str(other)
        examined = doctor(rig)
    assert examined.codes("instrument") & {"line_garbage", "device_silent"}


@pytest.mark.once
def test_names_tls_logins_and_access_lists(used, doctor, tmp_path):
    need("broker")
    plant, stranger = Authority(tmp_path, "plant"), Authority(tmp_path, "stranger")
    server = plant.issue("broker", begins=-100 * DAY, ends=5 * DAY)
    ended = plant.issue("ended", begins=-9 * DAY, ends=-DAY)
    rules = tmp_path / "rules"
    rules.write_text("topic write spektron/elsewhere/#\n")
    rules.chmod(0o644)
    broker = Mosquitto(
        tmp_path,
        f"allow_anonymous true\nacl_file {rules}\ncafile {plant.certificate}\n"
        f"certfile {server.certificate}\nkeyfile {server.key}",
    )
    broker.start()
    try:
        rig = used(f"mqtts://127.0.0.1:{broker.port}")
        mqtt = rig.settings["mqtt"]
        mqtt["ca_file"] = str(stranger.certificate)
        assert doctor(rig).codes("broker") == {"broker_untrusted"}
        mqtt["ca_file"] = str(plant.certificate)
        examined = doctor(rig)
        assert "certificate ends" in examined.of("broker", "warning")[0]["said"]
        assert examined.codes("broker's access list") == {"publish_refused"}
        mqtt |= {"cert_file": str(ended.certificate), "key_file": str(ended.key)}
        examined = doctor(rig)
        assert "certificate_expiring" in examined.codes("certificates")
    finally:
        broker.kill()
    mqtt["url"] = "mqtts://no-such-name.invalid:8883"
    examined = doctor(rig)
    assert examined.codes("broker") == {"broker_unreachable"}
    assert "cannot be resolved" in examined.of("broker", "bad")[0]["said"]


@pytest.mark.once
def test_secrets_that_are_open_and_never_shown(used, doctor, tmp_path):
    rig = used()
    secret = "do not tell anybody"
    (tmp_path / "word").write_text(secret)
    (tmp_path / "word").chmod(0o644)
    rig.settings["mqtt"] |= {"username": "m5", "password_file": "word"}
    # Whoever quotes it: a name is told in full.
    rig.settings["serial"]["url"] = f"/dev/{secret}"
    examined = doctor(rig)
    (found,) = examined.of("permissions", "warning")
    assert found["next_step"].startswith("chmod g-wx,o= ")
    assert secret not in examined.text


@pytest.mark.once
def test_without_a_sound_configuration_the_machine_is_still_looked_at(used, doctor):
    rig = used()
    rig.settings["mqtt"]["keep_alive"] = Raw("3")
    examined = doctor(rig)
    assert examined.codes("configuration") == {"config_invalid"}
    assert examined.states("versions") == {"ok"}
    assert examined.states("clock") != set()


@pytest.mark.once
def test_what_hangs_does_not_hang_the_doctor(used, doctor, monkeypatch):
    monkeypatch.setattr(everything, "_BROKER_S", 1.0)
    # It takes connections, and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rig = used(f"mqtt://127.0.0.1:{silent.getsockname()[1]}")
        (found,) = doctor(rig).of("broker", "bad")
    assert "does not answer within 1 s" in found["said"]
