"""State folders as accidents, other programs and other users leave them: each is told as what it
is, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from spektron_edge.config.loading import load_config
from spektron_edge.examination import permissions, state
from spektron_edge.examination.looking import Look, taken
from spektron_edge.files.state_folder import open_state
from tests.devices import LIMITS, make_device

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "state"


@pytest.fixture
def device(tmp_path):
    return make_device(tmp_path / "device")


def looked(device, look):
    """Findings, as doctor has them: whatever is raised is one as well."""
    config = load_config(device.config)
    subject = SimpleNamespace(config=config, path=device.config, running=False)
    return list(taken(Look("part", lambda: look(subject))))


def one(device, look):
    (found,) = looked(device, look)
    assert found.code != "internal"
    assert (found.state == "ok") != bool(found.next_step)
    return found


def outbox(device):
    return device.state / "outbox.sqlite"


def execute(path, *statements):
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_somebody_else_s_database(device):
    outbox(device).unlink()
    execute(outbox(device), "CREATE TABLE songs (name)")
    found = one(device, state.look_at_outbox)
    assert (found.code, "somebody else's" in found.said) == ("state_damaged", True)


def test_a_database_of_a_later_version(device):
    execute(outbox(device), "PRAGMA user_version = 99")
    found = one(device, state.look_at_outbox)
    assert found.state == "bad"
    assert "schema 99" in found.said
    assert "docs/upgrading.md" in found.next_step


@pytest.mark.parametrize("version", sorted(path.name for path in GOLDEN.iterdir()))
def test_databases_of_earlier_versions_are_no_damage(device, version):
    shutil.rmtree(device.state)
    shutil.copytree(GOLDEN / version, device.state)
    before = {path.name: path.read_bytes() for path in device.state.glob("outbox.sqlite*")}
    assert {found.state for found in looked(device, state.look_at_outbox)} <= {"ok", "warning"}
    after = {path.name: path.read_bytes() for path in device.state.glob("outbox.sqlite*")}
    assert after == before


def test_no_database_at_all(device):
    outbox(device).write_text("hello")
    assert one(device, state.look_at_outbox).code == "state_damaged"
    outbox(device).unlink()
    outbox(device).mkdir()
    assert one(device, state.look_at_outbox).state == "bad"


def test_an_outbox_that_a_cut_file_system_emptied_is_told_by_doctor_and_daemon(device):
    outbox(device).write_bytes(b"")
    found = one(device, state.look_at_outbox)
    assert (found.code, "is empty" in found.said) == ("state_damaged", True)
    opened = open_state(device.state, LIMITS)
    opened.close()
    (fault,) = opened.damage
    assert "missing or empty" in fault.detail


def test_a_state_folder_that_is_none(device):
    shutil.rmtree(device.state)
    assert one(device, state.look_for_damage).state == "warning"
    for made, said in (
        (lambda: device.state.write_text("x"), "is no folder"),
        (lambda: device.state.symlink_to("/nowhere/at/all"), "link that leads to no folder"),
        (lambda: device.state.symlink_to(device.state), "link that leads to no folder"),
    ):
        device.state.unlink(missing_ok=True)
        made()
        found = one(device, state.look_for_damage)
        assert found.state == "bad"
        assert said in found.said
        assert one_of_many(device, state.look_at_ledgers) == "not looked at"


def one_of_many(device, look):
    (found,) = looked(device, look)
    return found.state


def test_an_audit_log_that_is_a_folder(device):
    log = device.state / "audit.jsonl"
    log.unlink()
    log.mkdir()
    assert one(device, state.look_at_audit).state == "bad"


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("page/users.json", "accounts_damaged"),
        ("transfer-session/session.json", "state_damaged"),
        ("qualification/book.json", None),
    ],
)
def test_a_damaged_ledger_is_told_before_somebody_needs_it(device, file, code):
    assert one(device, state.look_at_ledgers).state == "ok"
    path = device.state / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("{")
    found = one(device, state.look_at_ledgers)
    assert found.state == "bad"
    assert code in (None, found.code)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_files_that_somebody_made_as_root_are_named():
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        device = make_device(Path(name) / "device")
        for path in (device.state, *device.state.rglob("*")):
            os.chown(path, 65534, 65534)
        for path in (device.config, device.folder / "anna.key", device.folder / "secrets/password"):
            os.chown(path, 65534, 65534)
            path.chmod(0o600)
        assert one(device, permissions.look).state == "ok"
        os.chown(outbox(device), 0, 0)
        found = one(device, permissions.look)
        assert found.state == "bad"
        assert str(outbox(device)) in found.said
        assert found.next_step == f"chown -R nobody: {device.state}"
        os.chown(device.state / "bundles", 0, 0)
        (device.state / "bundles").chmod(0o755)
        assert str(device.state / "bundles") in one(device, permissions.look).said
