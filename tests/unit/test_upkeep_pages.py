"""Commands of docs/backup.md, docs/keys.md and docs/upgrading.md, run in their order."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spektron_edge.cli.main import main as edge
from spektron_edge.clock import Clock
from spektron_edge.files.state_folder import open_state
from spektron_export.cli import main as export
from tests.bundles import write_tiny
from tests.devices import LIMITS, make_device

ROOT = Path(__file__).resolve().parents[2]
# What needs systemd or an empty box: test_drill.py, and packages/test_new_box.py.
ELSEWHERE = ("systemctl", "deploy/drill/")


def commands(page: str) -> list[str]:
    """Lines of its blocks without a language."""
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    lines = [line for language, block in blocks if not language for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(ELSEWHERE)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A device's folder with all that the pages speak of, and we are in it."""
    device = make_device(tmp_path / "device")
    shutil.rmtree(device.folder / "trust")
    for name in ("trust", "keys", "backups", "tls"):
        (device.folder / name).mkdir()
    (device.folder / "passphrase").write_text("correct horse battery staple\n")
    write_tiny(device.folder / "corn.spektron")
    text = device.config.read_text().replace('bundle = "slots"', 'bundle = "corn.spektron"')
    device.config.write_text(text.replace("[trust]", "[trust]\nrequire_signature = true"))
    monkeypatch.chdir(device.folder)
    return device


@pytest.fixture
def run(monkeypatch, capsys):
    """run(line): as a person would; it has to work. Returns what it said."""

    def once(line: str) -> str:
        program, *words = shlex.split(line)
        monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse battery staple\n"))
        if program in ("spektron-edge", "spektron-export"):
            capsys.readouterr()
            status = (edge if program == "spektron-edge" else export)(words)
            out, err = capsys.readouterr()
            assert status == 0, f"{line}\n{out}{err}"
            return out
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        return done.stdout

    return once


def test_keys(here, run):
    lines = commands("keys.md")
    assert len(lines) > 20
    for line in lines:
        told = run(line)
        if line.startswith("head "):
            # Everybody could read it until the next line.
            Path("anna.key").chmod(0o644)
            told = run("spektron-edge check-config spektron.toml")
            assert f"chmod g-wx,o= {here.folder}/anna.key" in told
        if line.startswith("chmod"):
            assert "anna.key" not in run("spektron-edge check-config spektron.toml")
    assert "would restore" in told


def test_a_revoked_key_is_refused(here, run, capsys):
    for line in commands("keys.md"):
        told = run(line)
        if line.startswith("spektron-edge verify"):
            (key,) = set(re.findall(r"\b[0-9a-f]{16}\b", told))
            break
    revoking = next(line for line in commands("keys.md") if "revoked.json" in line)
    run(re.sub(r"[0-9a-f]{16}", key, revoking))
    assert edge(["check-config", "spektron.toml"]) == 80
    assert "revoked" in capsys.readouterr().err


def test_backup(here, run):
    shutil.rmtree(here.folder / "trust")
    text = here.config.read_text()
    here.config.write_text(text[: text.index("[trust]")])
    for line in commands("backup.md"):
        if "restore" in line and "--dry-run" not in line:
            shutil.rmtree(here.state)
        if line.startswith("spektron-edge archive archive-"):
            state = here.open()
            state.begin_audit_segment(Clock().now())
            state.close()
        run(line)
    assert Path("archive-2026.zip").is_file()


def test_going_back_after_an_update(here, run):
    golden = ROOT / "tests" / "golden" / "state" / "1-slots"
    here.config.write_text(re.sub(r"(?s)\[trust\].*", "", here.config.read_text()))
    shutil.rmtree(here.state)
    shutil.copytree(golden, here.state)
    before = (golden / "outbox.sqlite").read_bytes()
    run("spektron-edge backup --to backups --config spektron.toml")
    open_state(here.state, LIMITS).close()
    for line in commands("upgrading.md"):
        if "NAME" in line:
            # The older program has what it wrote.
            assert (here.state / "outbox.sqlite").read_bytes()[60:64] == before[60:64]
            (made,) = Path("backups").iterdir()
            line = line.replace("NAME", made.stem)
        run(line)
    assert Path("state/before-restore-1/outbox.sqlite.newer").is_file()
