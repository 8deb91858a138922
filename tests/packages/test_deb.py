"""A package on a machine that boots: installed, configured, upgraded, hung, removed, purged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.rig import until

from .machine import PATIENCE_S, Machine
from .plant import (
    CONFIGURATION,
    DAEMON,
    PAGE,
    PROGRAM,
    STATE,
    configure,
    plug_in,
    prediction,
    records,
)


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

    plug_in(machine, tmp_path)
    configure(machine)
    machine.run(PROGRAM, "check-config", CONFIGURATION)
    # Returns when it is ready: Type=notify.
    machine.run("systemctl", "start", DAEMON)
    assert machine.asked(DAEMON, "ActiveState") == "active"
    first = prediction(machine)
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
    assert first["id"] in records(machine)
    assert prediction(machine)["id"] != first["id"]

    _hang_is_ended(machine)
    # What somebody stopped is not started by what follows.
    machine.run("systemctl", "stop", PAGE)

    machine.run("dpkg", "--install", older)
    assert machine.asked(DAEMON, "ActiveState") == "active"
    assert machine.asked(PAGE, "ActiveState") == "inactive"

    machine.run("dpkg", "--remove", "spektron-edge")
    assert machine.asked(DAEMON, "ActiveState") == "inactive"
    assert not (machine.root / "opt/spektron-edge").exists()
    assert first["id"] in records(machine)
    assert (machine.root / CONFIGURATION.lstrip("/")).is_file()

    # Again: it goes on with what was left.
    machine.run("dpkg", "--install", newer)
    assert machine.asked(DAEMON, "ActiveState") == "active"
    assert first["id"] in records(machine)
    _a_start_that_fails_is_told(machine)
    machine.run("systemctl", "stop", DAEMON)
    kept = records(machine)

    told = machine.run("dpkg", "--purge", "spektron-edge").stdout
    (archive,) = (machine.root / "var/backups").glob("spektron-edge-*")
    assert f"/{archive.relative_to(machine.root)}" in told
    assert archive.stat().st_mode & 0o077 == 0
    assert records(machine, archive / "var-lib-spektron-edge") == kept
    assert (archive / "etc-spektron-edge" / "spektron.toml").is_file()
    for gone in (STATE, "etc/spektron-edge", "opt/spektron-edge", "usr/bin/spektron-edge"):
        assert not (machine.root / gone).exists()
    assert (
        "spektron-edge"
        not in machine.run("dpkg-query", "--show", "--showformat=${Package} ").stdout
    )
    assert machine.run("systemctl", "cat", DAEMON, check=False).returncode != 0


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


def _a_start_that_fails_is_told(machine: Machine) -> None:
    """As after an upgrade to a version that refuses the configuration."""
    machine.run("cp", "--preserve", CONFIGURATION, "/srv/sound.toml")
    machine.run("sed", "-i", "1i unknown = 1", CONFIGURATION)
    machine.run("systemctl", "stop", DAEMON)
    machine.run("sh", "-c", f"echo {DAEMON} >/run/spektron-edge.running")
    script = "/var/lib/dpkg/info/spektron-edge.postinst"
    as_dpkg = ("env", "DPKG_MAINTSCRIPT_PACKAGE=spektron-edge", script)
    told = machine.run(*as_dpkg, "configure", "0.1.0-1").stderr
    assert f"not started: {DAEMON}" in told
    assert "--allow-downgrades" in told
    # It is not tried for ever: the unit says that no restart mends this.
    assert machine.asked(DAEMON, "ActiveState") == "failed"
    machine.run("cp", "--preserve", "/srv/sound.toml", CONFIGURATION)
    machine.run("systemctl", "start", DAEMON)


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
    assert prediction(machine)["valid"] is True
