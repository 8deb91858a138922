"""A plant on a machine that boots: an instrument with corn in its beam, broker, configuration."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np

from spektron_edge.demo.corn import load_corn

from .machine import PATIENCE_S, Machine

DAEMON, PAGE = "spektron-edge.service", "spektron-edge-page.service"
PROGRAM = "/usr/bin/spektron-edge"
STATE = "var/lib/spektron-edge"
CONFIGURATION = "/etc/spektron-edge/spektron.toml"
_PORT = "/run/instrument/port"
_SPECTRA = "/srv/spectra.csv"
# On a machine without the package it waits for the program.
_INSTRUMENT = f"""\
[Unit]
StartLimitIntervalSec=0
[Service]
Restart=always
RestartSec=1
User=spektron
RuntimeDirectory=instrument
ExecStart=/opt/spektron-edge/bin/spektron-edge simulate --link {_PORT} --spectra {_SPECTRA} --rate 5
"""
# A hang is to be noticed within the test; a machine with much else to do is none.
_SOONER = "[Service]\nWatchdogSec=20\nTimeoutAbortSec=2\nRestartSec=1\n"


def plug_in(machine: Machine, tmp_path: Path) -> None:
    """An instrument with corn in its beam, there as soon as the package is."""
    corn = load_corn()
    table = tmp_path / "spectra.csv"
    header = ",".join(f"{nm:g}" for nm in corn.axis_nm)
    np.savetxt(table, corn.spectra["m5"][:20], "%.7f", ",", header=header, comments="")
    machine.copy_in(table, _SPECTRA)
    machine.write("/etc/systemd/system/instrument.service", _INSTRUMENT)
    machine.write(f"/etc/systemd/system/{DAEMON}.d/sooner.conf", _SOONER)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "--no-block", "instrument")


def configure(machine: Machine) -> None:
    """The package's own template, for that instrument."""
    template = "/usr/share/spektron-edge/spektron.toml"
    machine.run("install", "-m", "640", "-g", "spektron", template, CONFIGURATION)
    machine.run("sed", "-i", f"s#/dev/spektron#{_PORT}#", CONFIGURATION)


def prediction(machine: Machine) -> dict[str, object]:
    """The next one that the broker passes on."""
    words = ["-h", "127.0.0.1", "-W", f"{PATIENCE_S:.0f}", "-C", "1"]
    topic = "spektron/plant/spektron-1/prediction"
    said = machine.run("mosquitto_sub", *words, "-t", topic).stdout
    told: dict[str, object] = json.loads(said)
    return told


def records(machine: Machine, folder: Path | None = None) -> set[str]:
    """Ids of what the outbox holds."""
    # As it is: what the daemon writes meanwhile lies beside it.
    file = (folder or machine.root / STATE) / "outbox.sqlite"
    database = sqlite3.connect(file, timeout=30)
    try:
        return {row[0] for row in database.execute("SELECT id FROM record")}
    finally:
        database.close()
