"""A package on a machine that boots: installed, configured, upgraded, hung, removed, purged."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.debian.package import build
from deploy.environment.target import Target
from spektron_edge.demo.corn import load_corn
from tests.integration.rig import until
from tests.requirements import need

from .machine import PATIENCE_S, Machine
from .root import root

DAEMON, PAGE = "spektron-edge.service", "spektron-edge-page.service"
PROGRAM = "/usr/bin/spektron-edge"
STATE = "var/lib/spektron-edge"
CONFIGURATION = "/etc/spektron-edge/spektron.toml"
_PORT = "/run/instrument/port"
_SPECTRA = "/srv/spectra.csv"
_INSTRUMENT = f"""\
[Service]
User=spektron
RuntimeDirectory=instrument
ExecStart=/opt/spektron-edge/bin/spektron-edge simulate --link {_PORT} --spectra {_SPECTRA} --rate 2
"""
# A hang is to be noticed within the test; a machine with much else to do is none.
_SOONER = "[Service]\nWatchdogSec=20\nTimeoutAbortSec=2\nRestartSec=1\n"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same program as two packages, the second the newer."""
    need("nspawn")
    out = tmp_path_factory.mktemp("packages")
    return [build(Target(), revision, out, "none") for revision in (1, 2)]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    need("nspawn")
    with Machine(root(), tmp_path / "machine", tmp_path / "boot.log") as running:
        yield running


@pytest.mark.timeout(900)
def test_a_package_from_its_installation_to_its_purge(
    machine: Machine, packages: list[Path], tmp_path: Path
) -> None:
    older, newer = (machine.copy_in(file, f"/srv/{file.name}") for file in packages)

    told = machine.run("dpkg", "--install", older).stdout
    assert "waits for its configuration" in told
    assert machine.run("systemctl", "is-enabled", DAEMON).stdout.strip() == "enabled"
    assert machine.asked(DAEMON, "ActiveState") == "inactive"
    assert machine.asked(DAEMON, "ConditionResult") == "no"
    _owned_by_the_service(machine)

    _configure(machine, tmp_path)
    machine.run(PROGRAM, "check-config", CONFIGURATION)
    # Returns when it is ready: Type=notify.
    machine.run("systemctl", "start", DAEMON)
    assert machine.asked(DAEMON, "ActiveState") == "active"
    first = _prediction(machine)
    assert first["valid"] is True

    assert machine.run("systemctl", "is-enabled", PAGE, check=False).stdout.strip() == "disabled"
    machine.run("systemctl", "start", PAGE)
    assert machine.asked(PAGE, "ActiveState") == "active"

    _scripts_may_run_again(machine)

    before = machine.asked(DAEMON, "MainPID")
    audit = (machine.root / STATE / "audit.jsonl").read_text()
    machine.run("dpkg", "--install", newer)
    assert machine.asked(DAEMON, "ActiveState") == "active"
    assert machine.asked(PAGE, "ActiveState") == "active"
    assert machine.asked(DAEMON, "MainPID") != before
    assert (machine.root / STATE / "audit.jsonl").read_text().startswith(audit)
    assert first["id"] in _records(machine)
    assert _prediction(machine)["id"] != first["id"]

    _hang_is_ended(machine)
    # What somebody stopped is not started by what follows.
    machine.run("systemctl", "stop", PAGE)

    machine.run("dpkg", "--install", older)
    assert machine.asked(DAEMON, "ActiveState") == "active"
    assert machine.asked(PAGE, "ActiveState") == "inactive"

    machine.run("dpkg", "--remove", "spektron-edge")
    assert machine.asked(DAEMON, "ActiveState") == "inactive"
    assert not (machine.root / "opt/spektron-edge").exists()
    assert first["id"] in _records(machine)
    assert (machine.root / CONFIGURATION.lstrip("/")).is_file()

    # Again: it goes on with what was left.
    machine.run("dpkg", "--install", newer)
    assert machine.asked(DAEMON, "ActiveState") == "active"
    assert first["id"] in _records(machine)
    machine.run("systemctl", "stop", DAEMON)
    kept = _records(machine)

    told = machine.run("dpkg", "--purge", "spektron-edge").stdout
    (archive,) = (machine.root / "var/backups").glob("spektron-edge-*")
    assert f"/{archive.relative_to(machine.root)}" in told
    assert archive.stat().st_mode & 0o077 == 0
    assert _records(machine, archive / "var-lib-spektron-edge") == kept
    assert (archive / "etc-spektron-edge" / "spektron.toml").is_file()
    for gone in (STATE, "etc/spektron-edge", "opt/spektron-edge", "usr/bin/spektron-edge"):
        assert not (machine.root / gone).exists()
    assert (
        "spektron-edge"
        not in machine.run("dpkg-query", "--show", "--showformat=${Package} ").stdout
    )
    assert machine.run("systemctl", "cat", DAEMON, check=False).returncode != 0


def _configure(machine: Machine, tmp_path: Path) -> None:
    """An instrument with corn in its beam, and the package's own template."""
    corn = load_corn()
    table = tmp_path / "spectra.csv"
    header = ",".join(f"{nm:g}" for nm in corn.axis_nm)
    np.savetxt(table, corn.spectra["m5"][:20], "%.7f", ",", header=header, comments="")
    machine.copy_in(table, _SPECTRA)
    machine.write("/etc/systemd/system/instrument.service", _INSTRUMENT)
    machine.write(f"/etc/systemd/system/{DAEMON}.d/sooner.conf", _SOONER)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "instrument")
    template = "/usr/share/spektron-edge/spektron.toml"
    machine.run("install", "-m", "640", "-g", "spektron", template, CONFIGURATION)
    machine.run("sed", "-i", f"s#/dev/spektron#{_PORT}#", CONFIGURATION)


def _prediction(machine: Machine) -> dict[str, object]:
    """The next one that the broker passes on."""
    words = ["-h", "127.0.0.1", "-W", f"{PATIENCE_S:.0f}", "-C", "1"]
    topic = "spektron/plant/spektron-1/prediction"
    said = machine.run("mosquitto_sub", *words, "-t", topic).stdout
    told: dict[str, object] = json.loads(said)
    return told


def _records(machine: Machine, folder: Path | None = None) -> set[str]:
    """Ids of what the outbox holds."""
    # As it is: what the daemon writes meanwhile lies beside it.
    file = (folder or machine.root / STATE) / "outbox.sqlite"
    database = sqlite3.connect(file, timeout=30)
    try:
        return {row[0] for row in database.execute("SELECT id FROM record")}
    finally:
        database.close()


def _owned_by_the_service(machine: Machine) -> None:
    told = machine.run("stat", "--format=%U:%G:%a", f"/{STATE}", "/etc/spektron-edge").stdout
    assert told.split() == ["spektron:spektron:750", "root:spektron:750"]
    assert "dialout" in machine.run("id", "-nG", "spektron").stdout.split()
    program = machine.run("stat", "--format=%U", "/opt/spektron-edge/bin/spektron-edge").stdout
    assert program.strip() == "root"


def _scripts_may_run_again(machine: Machine) -> None:
    pid = machine.asked(DAEMON, "MainPID")
    script = "/var/lib/dpkg/info/spektron-edge.postinst"
    machine.run("env", "DPKG_MAINTSCRIPT_PACKAGE=spektron-edge", script, "configure", "0.1.0-1")
    assert machine.asked(DAEMON, "MainPID") == pid


def _hang_is_ended(machine: Machine) -> None:
    """Stopped amid its work it feeds nothing; the watchdog ends it and it is started anew."""
    before = machine.asked(DAEMON, "MainPID")
    machine.run("systemctl", "kill", "--kill-who=main", "--signal=STOP", DAEMON)

    def anew() -> bool:
        pid = machine.asked(DAEMON, "MainPID")
        return pid not in (before, "0") and machine.asked(DAEMON, "ActiveState") == "active"

    until(anew, "the watchdog to restart the daemon", PATIENCE_S)
    assert int(machine.asked(DAEMON, "NRestarts")) >= 1
    assert "Watchdog timeout" in machine.run("journalctl", "--unit", DAEMON).stdout
    assert _prediction(machine)["valid"] is True
