"""What is looked at once all is over: the state folder, the logs, and how long recoveries took."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import numpy as np

from spektron_edge.files.state_folder import OUTBOX_FILE
from tests.soak.bench import Bench
from tests.soak.findings import Done, Soak
from tests.soak.ledger import Ledger, Made

_TROUBLE = re.compile(
    r"Traceback|Exception in thread|Exception ignored|Fatal Python error| unexpected where="
)
# So long may a start take, or an end, on a machine that is busy.
_BUSY_S = 20.0
# Storage faults that end a daemon which is about to start.
_STORAGE = (12, 13)


def ask(on: Bench, soak: Soak, *words: str) -> None:
    """A command of the product's, which has to work."""
    command = [sys.executable, "-m", "spektron_edge", *words, "--config", str(on.rig.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        soak.trouble.append(f"{' '.join(words)}: {done.returncode}: {done.stderr[-500:]}")


def check_state(on: Bench, soak: Soak) -> None:
    """What the daemon leaves behind."""
    ask(on, soak, "audit", "verify")
    state = on.folder / "state"
    with closing(sqlite3.connect(state / OUTBOX_FILE)) as db:
        (verdict,) = db.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            soak.trouble.append(f"outbox: {verdict}")
    soak.trouble += [f"set aside: {file.name}" for file in state.glob("*.damaged*")]
    for age_s, status in on.asked:
        # Before it has begun to listen to signals there is nothing that could be left undone.
        if status and not (status == -signal.SIGTERM and age_s < _BUSY_S):
            soak.trouble.append(f"exit status {status} of a daemon that was asked to end")
    disk = [d for d in soak.done if d.kind.startswith("disk")]
    for at_s, status in on.ended:
        excused = any(d.began_s <= at_s <= d.over_s + _BUSY_S for d in disk)
        if status not in _STORAGE or not excused:
            soak.trouble.append(f"the daemon ended by itself with {status}")


def check_logs(on: Bench, soak: Soak) -> None:
    for log in on.folder.glob("*.log"):
        if log != on.line.log:
            lines = log.read_text(errors="replace").splitlines()
            soak.trouble += [f"{log.name}: {x[:300]}" for x in lines if _TROUBLE.search(x)]
    for code in ("internal", "state_damaged"):
        soak.trouble += [f"event {code}: {e['message']}" for e in on.ledger.told(code)]


def recovered(faults: list[Done], made: list[Made], ledger: Ledger) -> list[Done]:
    """With how long each took."""
    made_s = {(scan.boot_id, scan.number): scan.at_s for scan in made}
    came = ledger.came()
    scans_s = np.array([made_s.get((c.boot_id, c.number), 0.0) for c in came])
    came_s = np.array([c.at_s for c in came])
    found = []
    for one in faults:
        after = came_s[scans_s >= one.over_s]
        found.append(
            replace(one, recovery_s=float(after.min()) - one.over_s if after.size else None)
        )
    return found
