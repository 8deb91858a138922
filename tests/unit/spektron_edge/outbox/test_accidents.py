"""Kills, full disks and files that are none: nothing that was committed is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from spektron_edge.outbox import OutboxError, OutboxFullError, Progress

from .records import ids, record

WRITER = """
import sys
from pathlib import Path
from spektron_edge.outbox import Limits, Outbox, Outgoing, Progress
outbox = Outbox(Path(sys.argv[1]), Limits(10**9, 10**9))
for n in range(100_000):
    outbox.commit([Outgoing(f"id-{n:06d}", "prediction", b"x" * 500)], [Progress("S", 1, n)])
    print(n, flush=True)
"""


@pytest.mark.parametrize("after", [1, 40])
def test_after_kill_9_every_commit_that_returned_is_there(open_outbox, tmp_path, after):
    path = tmp_path / "outbox.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        seen = -1
        while seen < after:
            seen = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
    last = int(rest[-1]) if rest else seen
    outbox = open_outbox(path)
    assert outbox.salvaged is None
    stored = ids(outbox, 100_000)
    assert stored[: last + 1] == [record(n).id for n in range(last + 1)]
    # At most the commit that was under way is there as well, with its progress.
    assert last + 1 <= len(stored) <= last + 2
    assert outbox.progress("S").number == len(stored) - 1


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_file_cut_short_is_set_aside(open_outbox, tmp_path, share):
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox()
    outbox.commit([record(n, bytes(900)) for n in range(60)])
    outbox.close()
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    assert open_outbox().salvaged is not None


def test_what_is_no_database_is_set_aside(open_outbox, tmp_path):
    (tmp_path / "outbox.sqlite").write_bytes(b"this is no database at all " * 100)
    outbox = open_outbox()
    assert outbox.salvaged is not None
    outbox.commit([record(1)])


def test_the_database_of_a_newer_daemon_is_refused_and_left_alone(open_outbox, tmp_path):
    path = tmp_path / "outbox.sqlite"
    open_outbox().close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 3")
    db.close()
    before = path.read_bytes()
    with pytest.raises(OutboxError, match="schema 3"):
        open_outbox()
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_an_error(open_outbox, tmp_path):
    with pytest.raises(OutboxError):
        open_outbox(tmp_path / "absent" / "outbox.sqlite")


def test_a_full_disk_undoes_the_commit_and_passes_when_there_is_room(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(1)], [Progress("S", 1, 1)])
    (pages,) = outbox._db.execute("PRAGMA page_count").fetchone()
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    big = [record(n, bytes(4000)) for n in range(2, 20)]
    for _ in range(3):
        with pytest.raises(OutboxFullError):
            outbox.commit(big, [Progress("S", 1, 19)])
    assert ids(outbox) == ["id-000001"]
    assert outbox.progress("S").number == 1
    outbox._db.execute("PRAGMA max_page_count = 100000")
    outbox.commit(big, [Progress("S", 1, 19)])
    assert len(ids(outbox)) == 19


def test_a_database_that_somebody_holds_is_an_error_and_nothing_is_lost(open_outbox, tmp_path):
    outbox = open_outbox()
    outbox._db.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "outbox.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxError, match="locked"):
        outbox.commit([record(1)])
    other.execute("ROLLBACK")
    other.close()
    outbox.commit([record(1)])
    assert ids(outbox) == ["id-000001"]
