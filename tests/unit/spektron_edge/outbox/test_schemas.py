"""Outboxes of earlier daemons are migrated, and nothing is lost."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spektron_edge.outbox import Limits, Outbox, Progress
from spektron_edge.outbox.schema import SCHEMA_VERSION

from .records import HOUR, counts, damage, record

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "outbox"


@pytest.fixture(params=range(1, SCHEMA_VERSION))
def earlier(request, tmp_path):
    """A database as an earlier daemon left it."""
    path = tmp_path / "outbox.sqlite"
    shutil.copyfile(GOLDEN / f"schema-{request.param}.sqlite", path)
    return path


def golden_id(number):
    return f"01K0000000{number:016d}"


def looks_migrated(outbox):
    """Made with a cap: 5 of 40 dropped, 4 acknowledged, one refused, 30 waiting."""
    assert outbox.salvaged is None
    assert outbox.counts() == counts(30, 4, 1, full=5)
    waiting = outbox.unsent(100)
    sent, refused = {8, 9, 10, 11}, {13}
    assert [r.id for r in waiting] == [
        golden_id(n) for n in range(5, 40) if n not in sent | refused
    ]
    for r in waiting:
        number = int(r.id[10:])
        assert json.loads(r.payload) == {"id": r.id, "number": number}
        assert r.kind == ("event" if number % 10 == 9 else "prediction")
    assert outbox.progress("VIRT-0001") == Progress("VIRT-0001", 7, 39)
    assert outbox.progress("VIRT-0002").number == 2**32 - 1
    assert not outbox.accept_counter("anna", 7)
    assert not outbox.accept_counter("bert", 2**63 - 1)
    (version,) = outbox._db.execute("PRAGMA user_version").fetchone()
    assert version == SCHEMA_VERSION


def test_every_earlier_schema_is_migrated_and_nothing_is_lost(open_outbox, earlier):
    outbox = open_outbox(earlier)
    looks_migrated(outbox)
    outbox.commit([record(1)], [Progress("VIRT-0001", 7, 40)], sent=[golden_id(5)])
    outbox.close()
    assert open_outbox(earlier).counts() == counts(30, 5, 1, full=5)


def test_a_damaged_file_of_an_earlier_schema_is_read_as_well(open_outbox, earlier):
    damage(earlier, earlier.read_bytes().find(b'{"id":"' + golden_id(20).encode()) // 4096)
    outbox = open_outbox(earlier)
    assert 0 < outbox.salvaged.records < 31
    for r in outbox.unsent(100):
        assert json.loads(r.payload)["number"] == int(r.id[10:])
    outbox.close()
    assert open_outbox(earlier).salvaged is None


def test_records_of_an_earlier_schema_begin_to_age_when_they_are_migrated(earlier, hours):
    outbox = Outbox(earlier, Limits(10**6, 10**6, max_age_s=HOUR, keep_sent_s=HOUR), hours)
    assert not outbox.prune()
    assert outbox.counts()["sent"] == 4
    hours.pass_by(1.1)
    assert outbox.prune() == {"old": 31}
    outbox.close()


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from spektron_edge.outbox import Limits, Outbox
connect, left = sqlite3.connect, int(sys.argv[2])

def die():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def counting(*arguments, **options):
    db = connect(*arguments, **options)
    db.set_progress_handler(die, 20)
    return db

sqlite3.connect = counting
Outbox(Path(sys.argv[1]), Limits(10**9, 10**9))
print(left)
"""


def test_a_migration_that_is_killed_anywhere_is_done_by_the_next_start(open_outbox, earlier):
    def migrate(path, steps):
        command = [sys.executable, "-c", KILLED, str(path), str(steps)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = migrate(shutil.copyfile(earlier, earlier.with_name("counted")), 10**9)
    steps = 10**9 - int(whole.stdout)
    assert steps > 10
    for at in sorted({1 + round(i * (steps - 1) / 11) for i in range(12)}):
        path = earlier.with_name(f"killed-{at}")
        shutil.copyfile(earlier, path)
        assert migrate(path, at).returncode == -signal.SIGKILL
        looks_migrated(open_outbox(path))
