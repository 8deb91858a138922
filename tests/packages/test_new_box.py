"""The card dies: a new machine in service from the package and the old one's nightly backup."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.rig import until
from tests.requirements import need

from .machine import PATIENCE_S, Machine
from .plant import CONFIGURATION, DAEMON, PROGRAM, STATE, configure, plug_in, prediction, records
from .root import root

_TIMER, _BACKUP = "spektron-edge-backup.timer", "spektron-edge-backup.service"
_BACKUPS = "var/lib/spektron-edge-backups"
_DRILL = Path(__file__).resolve().parents[2] / "deploy" / "drill" / "drill.sh"
_PASSWORD = "/etc/spektron-edge/mqtt.password"
# The night comes at once, and once.
_TONIGHT = "[Timer]\nOnCalendar=\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms\n"
_BAR_S = 600


@dataclass(frozen=True)
class Safe:
    """What is kept away from the machine. head: the audit log's, at the time of the backup."""

    archive: Path
    key: Path
    signer: str
    head: str


@pytest.mark.timeout(900)
def test_a_new_box_from_the_nightly_backup(packages: list[Path], tmp_path: Path) -> None:
    need("nspawn")
    (tmp_path / "safe").mkdir()
    with Machine(root(), tmp_path / "old", tmp_path / "old.log") as old:
        plug_in(old, tmp_path)
        old.run("dpkg", "--install", old.copy_in(packages[0], f"/srv/{packages[0].name}"))
        configure(old)
        _give_a_password(old)
        old.run("systemctl", "start", DAEMON)
        prediction(old)
        before = records(old)
        safe = _backup_of_tonight(old, tmp_path / "safe")
    # Of that machine there is nothing more.

    with Machine(root(), tmp_path / "new", tmp_path / "new.log") as new:
        plug_in(new, tmp_path)
        package, backup, key = (
            new.copy_in(file, f"/srv/{file.name}") for file in (packages[0], safe.archive, safe.key)
        )
        new.write("/srv/drill.sh", _DRILL.read_text())
        drill = ["bash", "/srv/drill.sh", backup, CONFIGURATION, "--install", package]
        began = time.monotonic()
        told = new.run(*drill, "--", "--key", key, "--signer", safe.signer).stdout
        took_s = time.monotonic() - began
        print(f"{told}\nin service after {took_s:.0f} s; the bar is {_BAR_S} s")
        assert took_s < _BAR_S
        assert "in service: prediction" in told

        assert new.asked(DAEMON, "ActiveState") == "active"
        known = records(new)
        assert before < known
        assert prediction(new)["id"] not in known
        verified = new.run(
            PROGRAM, "audit", "verify", "--config", CONFIGURATION, "--head", safe.head
        ).stdout
        assert re.search(r"^chain +holds$", verified, re.M)
        # The daemon's user has what it needs, and the package's modes are as they were.
        owners = new.run("find", f"/{STATE}", _PASSWORD, "-printf", "%u:%g\n").stdout
        assert set(owners.split()) == {"spektron:spektron"}
        assert new.run("stat", "--format=%U:%G:%a", CONFIGURATION, _PASSWORD).stdout.split() == [
            "root:spektron:640",
            "spektron:spektron:600",
        ]
        # Beside the daemon, a file that is root's alone would have been the next to fail.
        new.run("systemctl", "start", _BACKUP)


def _give_a_password(machine: Machine) -> None:
    machine.write(_PASSWORD, "correct horse battery staple\n")
    machine.run("chmod", "600", _PASSWORD)
    machine.run("chown", "spektron:spektron", _PASSWORD)
    named = 'username = "spektron-1"\\npassword_file = "mqtt.password"'
    machine.run("sed", "-i", f"s#^\\[mqtt\\]#&\\n{named}#", CONFIGURATION)


def _backup_of_tonight(machine: Machine, safe: Path) -> Safe:
    """By the timer, with keys in it for whoever has the recovery key."""
    machine.run(PROGRAM, "backup-key", "recovery", "--out", "/srv")
    machine.run("mv", "/srv/recovery.pem", "/etc/spektron-edge/recovery.pem")
    keys = "BACKUP_KEYS=--recipient /etc/spektron-edge/recovery.pem\n"
    machine.write("/etc/spektron-edge/backup.env", keys)
    machine.run("systemctl", "enable", "--now", _TIMER)
    assert _TIMER in machine.run("systemctl", "list-timers").stdout
    assert not (machine.root / _BACKUPS).exists()
    machine.write(f"/etc/systemd/system/{_TIMER}.d/tonight.conf", _TONIGHT)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", _TIMER)
    kept = machine.root / _BACKUPS
    until(lambda: list(kept.glob("*.zip")), "the nightly backup", PATIENCE_S)
    (archive,) = kept.glob("*.zip")
    modes = ["stat", "--format=%U:%G:%a", f"/{_BACKUPS}", f"/{_BACKUPS}/{archive.name}"]
    owners = machine.run(*modes).stdout.split()
    assert owners == ["spektron:spektron:750", "spektron:spektron:600"]
    until(lambda: machine.asked(_BACKUP, "ActiveState") == "inactive", "its end", PATIENCE_S)
    assert machine.asked(_BACKUP, "Result") == "success"
    told = machine.run("journalctl", "--output=cat", "--unit", _BACKUP).stdout
    signer = re.search(r"^signer +([0-9a-f]{16})$", told, re.M)
    head = re.search(r"^audit log .*head ([0-9a-f]{64})$", told, re.M)
    assert signer, told
    assert head, told
    files = [Path(shutil.copy(f, safe)) for f in (archive, machine.root / "srv/recovery.key.pem")]
    return Safe(files[0], files[1], signer[1], head[1])
