"""The order of durability: synced, then published; acknowledged, then marked sent."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from spektron_edge.outbox import Limits, Outbox
from spektron_edge.outbox.schema import SENT
from tests.integration.traced import STRACE, Disk, calls
from tests.requirements import need

FILES = ("outbox.sqlite", "outbox.sqlite-wal")
ULID = re.compile(rb'"id": "([0-9A-Z]{26})"')


def publishing(broker, folder, records, pause_s):
    """The command of a process that stores and publishes."""
    module = "tests.integration.publishing"
    return [sys.executable, "-m", module, broker.url, str(folder), str(records), str(pause_s)]


def ids_by_state(path):
    """Every id in a database, and which of them are marked sent. Opened as the daemon does."""
    outbox = Outbox(path, Limits(10**9, 10**9))
    assert outbox.salvaged is None
    rows = outbox._db.execute("SELECT id, state FROM record").fetchall()
    outbox.close()
    return {i for i, _ in rows}, {i for i, state in rows if state == SENT}


def test_data_is_synced_before_it_is_published_and_before_it_is_marked_sent(broker, tmp_path):
    need("strace")
    state, trace = tmp_path / "state", tmp_path / "trace"
    state.mkdir()
    command = [*STRACE, str(trace), *publishing(broker, state, 30, 0.01)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

    disk, durable, marked = Disk(), set(), set()
    published, acknowledged, cuts = set(), set(), 0
    for call in calls(trace):
        if call.file.name in FILES:
            if disk.take(call) and "outbox.sqlite" in disk.synced:
                folder = tmp_path / "cut"
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                disk.after_a_power_cut(folder)
                try:
                    durable, marked = ids_by_state(folder / "outbox.sqlite")
                except sqlite3.Error:
                    assert not published, "a power cut leaves a database that does not open"
                cuts += 1
                # Marked on the disk are only those that the broker had acknowledged by then.
                assert marked <= acknowledged
        elif call.name in ("sendto", "sendmsg") and call.begun:
            ids = {match.decode() for match in ULID.findall(call.data)}
            assert ids <= durable, "published before it was synced"
            published |= ids
        elif call.name == "write" and call.begun and call.data.startswith(b"acknowledged "):
            acknowledged |= {line.split()[1].decode() for line in call.data.splitlines()}
    assert len(published) == len(acknowledged) == 30
    assert durable == marked == published
    assert cuts >= 20


@pytest.mark.parametrize("copies", [20, pytest.param(200, marks=pytest.mark.long)])
def test_copies_taken_at_any_moment_open_and_hold_what_was_promised(broker, tmp_path, copies):
    state, restored = tmp_path / "state", tmp_path / "restored"
    state.mkdir()
    committed, acknowledged = set(), set()
    said = {"committed": committed, "acknowledged": acknowledged}
    chance, taken, deadline = random.Random(), 0, time.monotonic() + 240.0
    with subprocess.Popen(
        publishing(broker, state, 10**6, 0.001), stdout=subprocess.PIPE
    ) as process:
        os.set_blocking(process.stdout.fileno(), False)
        rest = b""
        try:
            while taken < copies and time.monotonic() < deadline:
                time.sleep(chance.uniform(0.0, 0.1))
                process.send_signal(signal.SIGSTOP)
                os.waitpid(process.pid, os.WUNTRACED)
                rest += process.stdout.read() or b""
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    what, record_id = line.decode().split()
                    said[what].add(record_id)
                shutil.rmtree(restored, ignore_errors=True)
                restored.mkdir()
                for name in FILES:
                    if (state / name).exists():
                        shutil.copyfile(state / name, restored / name)
                process.send_signal(signal.SIGCONT)
                if (restored / FILES[0]).exists():
                    held, marked = ids_by_state(restored / FILES[0])
                    assert committed <= held
                    assert marked <= acknowledged
                # Those of a process that is starting are looked at, and not counted.
                taken += bool(acknowledged)
        finally:
            process.kill()
    assert taken == copies
