"""Backups and restores that are cut short, made under load, or made to hurt."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone

import pytest

from spektron_edge.backup.archive_reader import open_backup
from spektron_edge.backup.work_folder import work_folder
from spektron_edge.files.audit_segments import check, read_segment, segments
from spektron_edge.files.choices import ChoiceStore, ProductChoice
from spektron_edge.files.placing import STAGING
from spektron_edge.outbox import Progress
from tests.devices import AT, lose, record
from tests.integration.rig import until

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
    killed_somewhere(begun, lambda: list(folder.glob(".backup-*")), seed)
    for path in folder.glob("*.zip"):
        with open_backup(path):
            pass
    told = done("backup", "--to", folder, "--config", device.config)
    assert list(folder.glob(".*")) == []
    with open_backup(folder / told["backup"]):
        pass


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
