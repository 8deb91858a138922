"""What may leave the state folder, and the budget that it is kept to."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import zipfile

import pytest

from spektron_edge.cli.main import main
from spektron_edge.clock import Clock
from spektron_edge.config.retention import Retention
from spektron_edge.faults import Faults
from spektron_edge.files.audit_segments import read_segment, segments
from spektron_edge.retention.shares import OTHERS, measured, share_of
from spektron_edge.retention.upkeep import Upkeep
from tests.devices import AT, make_device
from tests.requirements import need


@pytest.fixture
def device(tmp_path):
    """With two segments of its audit log, and what an accident left."""
    device = make_device(tmp_path / "device")
    state = device.open()
    state.begin_audit_segment(AT)
    state.audit.append(AT, "anna", "reload", {})
    state.begin_audit_segment(AT)
    state.close()
    (device.state / "outbox.sqlite.damaged-1").write_bytes(b"damaged" * 100)
    return device


@pytest.fixture
def ask(capsys, device):
    def make(*words):
        capsys.readouterr()
        status = main([*map(str, words), "--config", str(device.config), "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, json.loads(out)

    return make


def test_it_moves_what_may_leave_and_nothing_else(device, ask, tmp_path):
    before = {p for p in device.state.rglob("*") if p.is_file()}
    status, told = ask("archive", tmp_path / "2026.zip")
    assert status == 0
    after = {p for p in device.state.rglob("*") if p.is_file()}
    gone = {p.relative_to(device.state).as_posix() for p in before - after}
    assert gone == set(told["moved"])
    assert len(gone) == 3
    with zipfile.ZipFile(tmp_path / "2026.zip") as archive:
        assert set(archive.namelist()) == {*gone, "contents.json"}
    notes = json.loads((device.state / "page" / "notes.json").read_text())["untold"]
    assert notes[-1]["what"] == "archived"
    assert notes[-1]["details"]["sha256"] == told["sha256"]
    state = device.open()
    assert state.damage == []
    state.close()


def test_the_chain_is_verified_through_the_archive(device, ask, tmp_path):
    _, whole = ask("audit", "verify")
    ask("archive", tmp_path / "2026.zip")
    _, alone = ask("audit", "verify")
    assert alone["followed from line"] > 1
    status, told = ask("audit", "verify", "--archive", tmp_path / "2026.zip")
    assert status == 0
    assert "followed from line" not in told
    assert told["segments"] == whole["segments"]


def test_an_archive_that_was_altered_is_refused(device, ask, tmp_path):
    ask("archive", tmp_path / "2026.zip")
    with zipfile.ZipFile(tmp_path / "2026.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    segment = next(name for name in members if name.startswith("audit/"))
    with zipfile.ZipFile(tmp_path / "altered.zip", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data[:-1] + b"x" if name == segment else data)
    status, told = ask("audit", "verify", "--archive", tmp_path / "altered.zip")
    assert (status, told["error"]["code"]) == (68, "backup_invalid")


def test_nothing_to_move_and_no_file_over_another(device, ask, tmp_path):
    ask("archive", tmp_path / "2026.zip")
    status, told = ask("archive", tmp_path / "2026.zip")
    assert (status, told["error"]["code"]) == (75, "backup_refused")
    status, told = ask("archive", tmp_path / "later.zip")
    assert (status, told["archive"]) == (0, "not written: nothing to move")
    assert not (tmp_path / "later.zip").exists()


def test_a_backup_has_the_segments(device, ask, tmp_path):
    status, _ = ask("backup", tmp_path / "kept.zip")
    assert status == 0
    with zipfile.ZipFile(tmp_path / "kept.zip") as archive:
        assert sum(name.startswith("state/audit/") for name in archive.namelist()) == 2
    status, _ = ask("restore", tmp_path / "kept.zip", "--replace")
    assert status == 0
    _, told = ask("audit", "verify")
    assert len(told["segments"]) == 2
    assert "followed from line" not in told


class Told:
    """What the daemon's notices would be."""

    def __init__(self):
        self.faults, self.said = {}, []

    def noticed(self):
        import contextlib

        return contextlib.nullcontext()

    def begin(self, fault):
        self.faults[fault.kind] = fault.detail

    def end(self, kinds):
        for kind in kinds:
            self.faults.pop(kind, None)

    def say(self, code, message):
        self.said.append(code)


def test_what_is_beyond_the_budget_is_told_with_what_takes_it(device):
    (device.state / "transfers").mkdir()
    (device.state / "transfers" / "0001-x.transfer").write_bytes(bytes(70 * 2**20))
    state, told = device.open(), Told()
    upkeep = Upkeep(lambda: Retention(total_mb=64), state, Clock(), told)
    upkeep.look_after(1e6)
    assert "transfers 70 MB" in told.faults[Faults.BUDGET_EXCEEDED]
    (device.state / "transfers" / "0001-x.transfer").unlink()
    upkeep.look_after(2e6)
    assert told.faults == {}
    state.close()


def test_a_long_log_goes_on_in_a_new_file(device):
    state, told = device.open(), Told()
    upkeep = Upkeep(lambda: Retention(audit_segment_mb=0.01), state, Clock(), told)
    upkeep.look_after(1e6)
    assert told.said == []
    while state.audit.size < 11_000:
        state.audit.append(AT, "anna", "reload", {"why": "x" * 200})
    upkeep.look_after(2e6)
    assert told.said == ["audit_continued"]
    assert state.audit.size < 1000
    assert len(list((device.state / "audit").iterdir())) == 3
    state.close()


def test_old_sessions_go_first(device):
    from spektron_edge.transfer_session.session_store import SessionStore
    from spektron_edge.transfer_session.work import Sessions

    store, names = SessionStore(device.state), [f"{n:012x}" for n in range(9)]
    store.update(lambda _: Sessions(ended=tuple(names)))
    for name in names:
        (store.folder / name).mkdir()
        (store.folder / name / "x.npz").write_bytes(bytes(10 * 2**20))
    state, told = device.open(), Told()
    Upkeep(lambda: Retention(total_mb=64), state, Clock(), told).look_after(1e6)
    left = sorted(p.name for p in store.folder.iterdir() if p.is_dir())
    assert left == names[-5:]
    assert store.read().ended == tuple(names[-5:])
    assert store.untold()[-1].what == "transfer_sessions_removed"
    assert told.faults == {}
    state.close()


def test_every_file_of_a_folder_in_use_has_its_share(device):
    small = {"lock", "device-key.pem", "sparkplug-bdseq"}
    for path in device.state.rglob("*"):
        name = path.relative_to(device.state).as_posix()
        if path.is_file() and share_of(name) is OTHERS:
            assert name in small or name.startswith(("choices/", "page/"))
    assert measured(device.state).total() > 50_000


# ---- trouble


def test_a_folder_that_is_not_there_is_named_and_not_made(device, ask, tmp_path):
    """A disk that is not mounted: what would be made in its place fills another one."""
    for words in (
        ("archive", tmp_path / "absent" / "2026.zip"),
        ("backup", tmp_path / "absent" / "kept.zip"),
        ("backup", "--to", tmp_path / "absent"),
    ):
        status, told = ask(*words)
        assert (status, told["error"]["code"]) == (75, "backup_refused")
        assert "mkdir" in told["error"]["detail"]
        assert "state_dir" not in json.dumps(told)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("command", ["archive", "backup"])
def test_a_target_without_room_is_told_as_such_and_leaves_nothing(device, ask, tmp_path, command):
    need("tmpfs")
    small = tmp_path / "small"
    small.mkdir()
    (device.state / "outbox.sqlite.damaged-2").write_bytes(os.urandom(2**20))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], check=True)
    try:
        before = sorted(p for p in device.state.rglob("*") if p.is_file())
        status, told = ask(command, small / "kept.zip")
        assert (status, told["error"]["code"]) == (75, "backup_refused")
        assert "no room" in told["error"]["detail"]
        assert list(small.iterdir()) == []
        assert sorted(p for p in device.state.rglob("*") if p.is_file()) == before
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_a_broken_segment_is_named_by_all_that_look(device, ask, tmp_path, capsys):
    first, _ = segments(device.state / "audit.jsonl")
    lines = read_segment(first)
    first.write_bytes(gzip.compress(lines.replace(b"anna", b"bert", 1)))
    assert main(["inspect", str(device.state), "--json"]) == 14
    assert first.name in json.loads(capsys.readouterr().out)["error"]["detail"]
    status, _ = ask("support", tmp_path / "support.zip")
    assert status == 0
    with zipfile.ZipFile(tmp_path / "support.zip") as support:
        assert first.name in support.read("state-folder.json").decode()
    status, told = ask("backup", tmp_path / "kept.zip")
    assert (status, first.name in told["broken in it"]) == (0, True)
    # All else is needed all the same.
    status, told = ask("restore", tmp_path / "kept.zip", "--replace")
    assert status == 0
    assert any(first.name in line for line in told["see to"])


def test_inspect_follows_the_chain_as_far_as_it_is_there(device, ask, tmp_path, capsys):
    assert main(["inspect", str(device.state), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["audit"]
    assert (len(told["segments"]), "followed from line" in told) == (2, False)
    ask("archive", tmp_path / "2026.zip")
    assert main(["inspect", str(device.state), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["audit"]["followed from line"] > 1


def test_reading_leaves_nothing_beside_an_outbox_that_nobody_has_open(device, capsys):
    before = sorted(device.state.rglob("*"))
    assert main(["inspect", str(device.state), "--json"]) == 0
    assert sorted(device.state.rglob("*")) == before
    state = device.open()
    beside = sorted(p.name for p in device.state.glob("outbox.sqlite-*"))
    assert main(["inspect", str(device.state), "--json"]) == 0
    assert sorted(p.name for p in device.state.glob("outbox.sqlite-*")) == beside != []
    state.close()
