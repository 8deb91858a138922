"""The units of deploy/systemd: nothing that systemd does not know, and little to attack."""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path

import pytest

from spektron_edge.cli.main import _parser
from spektron_edge.faults import Faults
from tests.requirements import need

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
UNITS = ("spektron-edge.service", "spektron-edge-page.service", "spektron-edge-backup.service")
TIMER = "spektron-edge-backup.timer"
PROGRAM = "/opt/spektron-edge/bin/spektron-edge"
# Tenths, as `systemd-analyze security` counts exposure.
MOST_EXPOSED = 20
# What ends `run` or `page`, and is the same after a restart: somebody has to change something.
LASTING = {
    "spektron-edge.service": (
        Faults.CONFIG_INVALID,
        Faults.BUNDLE_INVALID,
        Faults.STATE_DAMAGED,
        Faults.BUNDLE_UNTRUSTED,
        Faults.BUNDLE_OLDER,
        Faults.TRUST_UNUSABLE,
        Faults.SLOT_UNFIT,
        Faults.KEY_UNUSABLE,
    ),
    "spektron-edge-page.service": (
        Faults.CONFIG_INVALID,
        Faults.STATE_DAMAGED,
        Faults.PAGE_MISSING,
    ),
}
_WRONG_USAGE = 2


@pytest.fixture(params=["cpu", "gpu"])
def folder(request, tmp_path):
    """The units as they would be installed, here for a program that exists; with the drop-in."""
    need("systemd")
    for name in UNITS:
        text = (FOLDER / name).read_text()
        assert PROGRAM in text
        (tmp_path / name).write_text(text.replace(PROGRAM, "/bin/true"))
    (tmp_path / TIMER).write_text((FOLDER / TIMER).read_text())
    if request.param == "gpu":
        beside = tmp_path / f"{UNITS[0]}.d"
        beside.mkdir()
        (beside / "gpu.conf").write_text((FOLDER / "gpu" / "gpu.conf").read_text())
    return tmp_path


def analyze(*words):
    done = subprocess.run(
        ["systemd-analyze", *map(str, words)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", [*UNITS, TIMER])
def test_systemd_has_nothing_to_say_of_a_unit(folder, name):
    assert analyze("verify", "--man=no", folder / name) == (0, "")


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_little_exposed(folder, name):
    limit = f"--threshold={MOST_EXPOSED}"
    status, told = analyze("security", "--offline=true", limit, "--no-pager", folder / name)
    assert status == 0, told
    assert float(re.search(r"exposure level for .*: ([0-9.]+)", told)[1]) * 10 <= MOST_EXPOSED


@pytest.mark.parametrize("name", LASTING)
def test_no_restart_after_what_no_restart_mends(name):
    text = (FOLDER / name).read_text()
    told = re.search(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)[1].split()
    wanted = {kind.value.exit_status for kind in LASTING[name]}
    assert {int(status) for status in told} == wanted | {_WRONG_USAGE}


@pytest.mark.parametrize("name", UNITS)
def test_the_commands_of_the_units_are_those_of_the_program(name):
    text = (FOLDER / name).read_text()
    words = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)[1].split()
    assert words[0] == PROGRAM
    # What the environment adds is the site's.
    fixed = [word for word in words[1:] if not word.startswith("$")]
    arguments: argparse.Namespace = _parser().parse_args(fixed)
    assert arguments.config == Path("/etc/spektron-edge/spektron.toml")


@pytest.mark.parametrize(
    ("program", "words", "file"),
    [
        ("systemd-sysusers", ["--dry-run"], "sysusers.d/spektron-edge.conf"),
        ("systemd-tmpfiles", ["--create"], "tmpfiles.d/spektron-edge.conf"),
    ],
)
def test_users_and_folders_are_made_as_written(tmp_path, program, words, file):
    need("systemd")
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).write_text(f"spektron:x:995:{'995:::' * (name == 'passwd')}\n")
    done = subprocess.run(
        [program, *words, f"--root={tmp_path}", FOLDER / file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if program == "systemd-tmpfiles":
        for path in ("etc/spektron-edge", "var/lib/spektron-edge"):
            assert (tmp_path / path).stat().st_mode & 0o777 == 0o750
