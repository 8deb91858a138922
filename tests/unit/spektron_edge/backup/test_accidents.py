"""Backups and restores that are cut short, made under load, or made to hurt."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from spektron_edge.backup.archive_reader import open_backup
from spektron_edge.backup.target_trouble import put_in_place
from spektron_edge.backup.work_folder import work_folder
from spektron_edge.config.loading import load_config
from spektron_edge.examination import disk
from spektron_edge.files.audit_segments import check, read_segment, segments
from spektron_edge.files.choices import ChoiceStore, ProductChoice
from spektron_edge.files.placing import STAGING
from spektron_edge.outbox import Progress
from tests.devices import AT, lose, record
from tests.integration.rig import until
from tests.requirements import need

from .test_hostile import signed_again

pytestmark = pytest.mark.once
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 20))]


def command(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "spektron_edge", *map(str, words), "--json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def killed_somewhere(begun, seen, seed):
    """Once its work is seen, and then after any time at all."""
    while not seen() and begun.poll() is None:
        time.sleep(0.001)
    time.sleep(random.Random(seed).uniform(0, 0.05))
    begun.send_signal(signal.SIGKILL)
    begun.wait()


@pytest.mark.parametrize(
    "seed", [pytest.param(s, marks=pytest.mark.long) for s in range(1, 10)] + [0]
)
def test_a_backup_that_is_killed_leaves_none_and_the_next_one_cleans_up(
    device, tmp_path, done, seed
):
    folder = tmp_path / "kept"
    folder.mkdir()
    begun = command("backup", "--to", folder, "--config", device.config)
    killed_somewhere(begun, lambda: list(folder.glob(".spektron-backup-*")), seed)
    for path in folder.glob("*.zip"):
        with open_backup(path):
            pass
    told = done("backup", "--to", folder, "--config", device.config)
    assert list(folder.glob(".*")) == []
    with open_backup(folder / told["backup"]):
        pass


def test_nothing_of_somebody_else_s_is_removed(device, tmp_path, done):
    others = [tmp_path / ".backup-photos", tmp_path / ".spektron-backup-photos"]
    for folder in others:
        folder.mkdir()
        (folder / "one.jpg").write_bytes(b"a day at the sea")
    done("backup", tmp_path / "kept.zip", "--config", device.config)
    assert all((folder / "one.jpg").is_file() for folder in others)


def test_a_backup_beside_another_one_leaves_it_alone(device, tmp_path, done):
    with work_folder(tmp_path) as work:
        done("backup", tmp_path / "kept.zip", "--config", device.config)
        assert work.is_dir()
    assert not work.exists()


@pytest.mark.parametrize(
    "seed", [pytest.param(s, marks=pytest.mark.long) for s in range(1, 20)] + [0]
)
def test_a_restore_that_is_killed_leaves_what_was_or_what_comes(device, tmp_path, done, seed):
    done("backup", tmp_path / "kept.zip", "--config", device.config)
    state = device.open()
    state.audit.append(AT, "anna", "since", {})
    since = state.audit.lines
    state.close()
    begun = command("restore", tmp_path / "kept.zip", "--replace", "--config", device.config)
    killed_somewhere(begun, lambda: (device.state / STAGING).exists(), seed)
    state = device.open()
    assert state.damage == []
    assert not (device.state / STAGING).exists()
    last = state.audit.path.read_text().splitlines()
    whats = [json.loads(line)["what"] for line in last]
    assert ("since" in whats) != ("restored" in whats)
    assert state.audit.lines >= since - 1
    state.close()
    # And another try works.
    done("restore", tmp_path / "kept.zip", "--replace", "--config", device.config)


def test_a_backup_of_what_never_rests_is_of_one_moment(device, tmp_path, done):
    """Records, lines, segments and choices come all the time."""
    state, stop, trouble = device.open(), threading.Event(), []
    choices = ChoiceStore(device.state)

    def work():
        number = 1000
        try:
            while not stop.wait(0.002):
                number += 1
                state.outbox.commit([record(number)], [Progress("SN-1", 5, number)])
                state.audit.append(AT, "anna", "counted", {"number": number})
                if number % 25 == 0:
                    state.begin_audit_segment(AT)
                    now = datetime.now(timezone.utc)
                    choice = ProductChoice(product=f"p{number}", by="anna", at=now)
                    choices.choose_product(choice)
        except BaseException as error:  # noqa: BLE001
            trouble.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(3):
            first = state.audit.first
            until(lambda first=first: state.audit.first > first or trouble, "a segment")
            done("backup", tmp_path / f"{number}.zip", "--config", device.config)
    finally:
        stop.set()
        thread.join()
        state.close()
    assert trouble == []
    for number in range(3):
        lose(device)
        done("restore", tmp_path / f"{number}.zip", "--config", device.config)
        restored = device.open()
        assert restored.damage == []
        whole = check(restored.audit.path, None, None)
        assert whole.first == 1
        assert whole.parts
        counted = restored.outbox.progress("SN-1").number
        restored.close()
        log = device.state / "audit.jsonl"
        lines = b"".join([*map(read_segment, segments(log)), log.read_bytes()]).splitlines()
        told = {
            d["number"] for d in (json.loads(line)["details"] for line in lines) if "number" in d
        }
        # The log is taken last: it knows of every record that is there, but one that was just made.
        assert told >= set(range(1001, counted))


# ---- disks that fail, and clocks


@contextlib.contextmanager
def read_only(folder):
    """As the kernel makes a card that fails."""
    need("tmpfs")
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def died_with_records(device):
    """A daemon was killed: its last record is in SQLite's log alone."""
    script = (
        "import os, pathlib, sys; from tests.devices import *; "
        "state = DeviceFiles(pathlib.Path(sys.argv[1])).open(); "
        "state.outbox.commit([record(555)], [Progress('SN-1', 5, 555)]); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(device.folder)], check=False)
    assert (device.state / "outbox.sqlite-wal").stat().st_size > 0


@pytest.mark.parametrize("died", [False, True])
def test_a_card_that_was_made_read_only_can_still_be_saved(device, tmp_path, done, died):
    if died:
        died_with_records(device)
    with read_only(device.state):
        told = done("backup", tmp_path / "kept.zip", "--config", device.config)
        assert "Read-only" in told["audit log was not told"]
        done("inspect", device.state)
        subject = SimpleNamespace(config=load_config(device.config))
        (found,) = [f for f in disk.look(subject) if f.part == disk.PART]
        assert (found.state, "backup" in found.next_step) == ("bad", True)
    lose(device)
    done("restore", tmp_path / "kept.zip", "--config", device.config)
    state = device.open()
    assert state.outbox.progress("SN-1").number == (555 if died else 19)
    state.close()


def test_a_restore_onto_a_disk_that_takes_nothing_changes_nothing(device, tmp_path, done, ask):
    done("backup", tmp_path / "kept.zip", "--config", device.config)
    before = sorted(device.state.rglob("*"))
    with read_only(device.state):
        status, told = ask("restore", tmp_path / "kept.zip", "--replace", "--config", device.config)
        assert (status, told["error"]["code"]) == (12, "state_unwritable")
    assert sorted(device.state.rglob("*")) == before


def test_files_of_a_clock_that_was_ahead_push_nobody_out(device, tmp_path, done):
    folder = tmp_path / "kept"
    folder.mkdir()
    ahead = [f"spektron-lab-m5-209901{day:02}T000000000Z.zip" for day in (1, 2, 3)]
    for name in ahead:
        (folder / name).write_bytes(b"made while the clock was wrong")
    made = [
        done("backup", "--to", folder, "--keep", 2, "--config", device.config) for _ in range(3)
    ]
    left = sorted(p.name for p in folder.iterdir())
    assert left == sorted([*ahead, *(Path(told["backup"]).name for told in made[1:])])


# ---- backups that somebody made to hurt


def test_nobody_else_may_write_to_what_comes_in(device, tmp_path, done):
    done("backup", tmp_path / "kept.zip", "--config", device.config)
    with zipfile.ZipFile(tmp_path / "kept.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def open_to_all(document):
        for file in document["files"]:
            file["mode"] = 0o777

    with zipfile.ZipFile(tmp_path / "open.zip", "w") as archive:
        for name, data in signed_again(device, members, open_to_all).items():
            archive.writestr(name, data)
    lose(device)
    done("restore", tmp_path / "open.zip", "--config", device.config)
    files = [path for path in device.folder.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if path.stat().st_mode & 0o133] == []


def test_files_of_the_configuration_that_fill_the_memory_are_refused(device, tmp_path, ask, done):
    done("backup", tmp_path / "kept.zip", "--config", device.config)
    with zipfile.ZipFile(tmp_path / "kept.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    zeros = bytes(2**26)
    digest = hashlib.sha256(zeros).hexdigest()

    def grown(document):
        for number in range(5):
            one = {"where": "config", "path": f"zeros-{number}", "mode": 0o644}
            document["files"].append({**one, "bytes": len(zeros), "sha256": digest})

    again = signed_again(device, members, grown)
    with zipfile.ZipFile(tmp_path / "large.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as to:
        for name, data in again.items():
            to.writestr(name, data)
        for number in range(5):
            to.writestr(f"config/zeros-{number}", zeros)
    lose(device)
    status, told = ask("restore", tmp_path / "large.zip", "--config", device.config)
    assert (status, told["error"]["code"]) == (68, "backup_invalid")
    assert "larger than 256 MB" in told["error"]["detail"]


@pytest.mark.parametrize("lies", [False, True])
def test_a_disk_without_room_for_a_restore_is_left_as_it_was(
    device, tmp_path, done, ask, monkeypatch, lies
):
    """Free space may be less than it is said to be: quotas, reserves, others who write."""
    need("tmpfs")
    (device.state / "outbox.sqlite.damaged-1").write_bytes(random.Random(1).randbytes(2**21))
    done("backup", tmp_path / "kept.zip", "--config", device.config)
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        shutil.copy(device.config, small)
        if lies:
            plenty = SimpleNamespace(free=2**40)
            monkeypatch.setattr(
                "spektron_edge.backup.restoring.shutil.disk_usage", lambda _: plenty
            )
        status, told = ask("restore", tmp_path / "kept.zip", "--config", small / "spektron.toml")
        assert (status, told["error"]["code"]) == (13, "disk_full")
        left = {path.name for path in small.rglob("*") if path.is_file()}
        assert left <= {"spektron.toml", "lock"}
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_a_stick_without_links_takes_backups_and_archives(device, tmp_path, done, monkeypatch):
    """FAT, which no machine of the tests can be asked to mount."""

    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    (device.state / "outbox.sqlite.damaged-1").write_bytes(b"damaged")
    done("backup", tmp_path / "kept.zip", "--config", device.config)
    done("archive", tmp_path / "2026.zip", "--config", device.config)
    with open_backup(tmp_path / "kept.zip"):
        pass
    assert not (device.state / "outbox.sqlite.damaged-1").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"device", "kept.zip", "2026.zip"}
    (tmp_path / "new.zip").write_bytes(b"one that is whole")
    (tmp_path / "old.zip").write_bytes(b"what was there")
    with pytest.raises(FileExistsError):
        put_in_place(tmp_path / "new.zip", tmp_path / "old.zip")
    assert (tmp_path / "old.zip").read_bytes() == b"what was there"
