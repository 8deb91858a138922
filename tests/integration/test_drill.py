"""The card dies: a new box from a backup, by `deploy/drill/drill.sh` and the command line alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spektron_edge.files.audit import verify
from spektron_edge.outbox.store import reading
from tests import processes
from tests.integration.repeats import Repeats
from tests.integration.rig import PATIENCE_S, listening, until

DRILL = Path(__file__).resolve().parents[2] / "deploy" / "drill" / "drill.sh"


def stored(state: Path) -> dict[str, bytes]:
    """Every record's payload by id."""
    with reading(state / "outbox.sqlite") as db:
        return dict(db.execute("SELECT id, payload FROM record").fetchall())


@pytest.fixture
def drilled():
    """drilled(BACKUP, CONFIG, *options): what the script said; its daemon ends with the test."""
    started: list[int] = []

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "SPEKTRON_EDGE": f"{sys.executable} -m spektron_edge",
            "DRILL_PATIENCE_S": str(int(PATIENCE_S)),
        }
        done = subprocess.run(
            [str(DRILL), *map(str, words)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE_S,
            check=False,
        )
        started.extend(map(int, re.findall(r"^process id +(\d+)$", done.stdout, re.M)))
        return done

    yield run
    for process in started:
        os.kill(process, signal.SIGTERM)
        until(lambda p=process: processes.state(p) in (None, "Z"), "the daemon's end")


@pytest.mark.once
def test_the_card_dies(broker, make_rig, ask, drilled, tmp_path):
    rig = make_rig(broker.url, interval_s=0.1)
    device, safe = tmp_path / "device", tmp_path / "safe"
    device.mkdir(), safe.mkdir()
    rig.folder = device
    rig.settings["serial"]["url"] = str(tmp_path / "instrument")
    rig.allow("anna", "health")
    passphrase = safe / "passphrase"
    passphrase.write_text("correct horse battery staple\n")

    with listening(broker.port, Repeats()) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) > 5, "predictions")
        answer = ask(rig, "command", "health", "--operator", "anna", "--timeout", 60)
        assert answer[0] in (0, 45)
        # Some that the broker has not acknowledged when the backup is made, and has afterwards.
        broker.kill()
        waiting = len(stored(device / "state")) + 5
        until(lambda: len(stored(device / "state")) > waiting, "records that wait")
        kept = safe / "kept.zip"
        status, made = ask(rig, "backup", kept, "--passphrase-file", passphrase)
        assert status == 0, made
        subscriber.subscriptions.clear()
        broker.start()
        until(lambda: subscriber.subscriptions, "the subscriber's return")
        later = len(stored(device / "state")) + 5
        until(lambda: len(stored(device / "state")) > later, "records that no backup has")
        rig.kill()
        config = rig.config
        shutil.rmtree(device)
        device.mkdir()

        done = drilled(kept, config, "--", "--passphrase-file", passphrase)
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr
        known = set(rig.received)
        until(lambda: rig.gather(subscriber) and set(rig.received) - known, "the next prediction")
        until(lambda: len(subscriber.payloads) > len(known) + 3, "more of them")

    # What was acknowledged after the backup came again under its id, byte for byte, or not at all.
    assert all(len(payloads) == 1 for payloads in subscriber.payloads.values())
    # All records of the backup are there, and the chain is the one that was.
    held = stored(device / "state")
    lines = map(json.loads, (device / "state" / "audit.jsonl").read_text().splitlines())
    (restored,) = [line for line in lines if line["what"] == "restored"]
    assert restored["details"]["signer_known"]
    head = made["audit log"].split()[-1]
    assert verify(device / "state" / "audit.jsonl", head).found == restored["number"] - 1
    assert len(held) > waiting
    assert (device / "anna.key").stat().st_mode & 0o777 == 0o600
    # What the restored outbox had not seen is told, though some of it was published before.
    assert "scans_missed" in rig.codes()


def test_a_backup_that_is_none_ends_the_drill(drilled, tmp_path):
    (tmp_path / "x.zip").write_bytes(b"not a backup")
    done = drilled(tmp_path / "x.zip", tmp_path / "spektron.toml")
    assert done.returncode == 68
    assert "backup_invalid" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["x.zip"]
