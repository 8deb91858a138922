"""A soak: faults as planned, then quiet, then what was found."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from spektron_edge.faults import Fault
from spektron_edge.files.state_folder import OUTBOX_FILE
from tests.soak.account import Account, account
from tests.soak.bench import RATE, Bench, bench
from tests.soak.faults import FAULTS, Act
from tests.soak.ledger import Ledger, Made, read_made
from tests.soak.memory import Life, Sample, children, lives, sample
from tests.soak.schedule import Planned, plan

# A run of at least so long has the page's process beside it, s.
_PAGE_FROM_S = 600.0
_TURN_S = 0.05
_SAMPLE_EVERY_S = 1.0
_SETTLE_S = 180.0
_REPLAY_S = 300.0
_EVERYTHING_S, _SOME_S = 30 * 86400.0, 120.0
_TROUBLE = re.compile(
    r"Traceback|Exception in thread|Exception ignored|Fatal Python error| unexpected where="
)
_STARTING_S = 5.0
# Storage faults that end a daemon which is about to start.
_STORAGE = (12, 13)


@dataclass(frozen=True)
class Done:
    """A fault as it was, s by time.monotonic(). recovery_s: from its end to when the first
    prediction came of a scan that was made after it; None where none did."""

    kind: str
    began_s: float
    over_s: float
    recovery_s: float | None = None


@dataclass
class Soak:
    """What a soak has found. trouble: lines of logs, and whatever else must not be."""

    seed: int
    seconds: float
    every_s: float
    began_s: float
    done: list[Done] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    account: Account | None = None
    missing_before_replay: int = 0
    repeats_before_replay: int = 0
    settled_s: float | None = None
    trouble: list[str] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    load: float = 0.0

    @property
    def longest(self) -> Life | None:
        """The daemon's life in which memory is followed."""
        found = [life for life in self.lives if life.of == "daemon"]
        return max(found, key=lambda life: life.seconds, default=None)


def run(
    folder: Path,
    seconds: float,
    seed: int,
    every_s: float,
    say: Callable[[str], None] = lambda _line: None,
) -> Soak:
    """Faults for so many seconds in this empty folder; say: told of each."""
    cpu = os.times()
    with bench(folder, seconds, page=seconds >= _PAGE_FROM_S) as on:
        soak = Soak(seed, seconds, every_s, time.monotonic())
        _inject(on, soak, plan(seed, seconds, every_s), say)
        try:
            _settle(on, soak, say)
        except AssertionError as error:
            soak.trouble.append(f"while settling: {error}")
        _audit(on, soak)
    now = os.times()
    soak.cpu_s = sum(now[:4]) - sum(cpu[:4])
    soak.load = os.getloadavg()[2]
    soak.lives = lives(soak.samples)
    made = read_made(folder / "made.log")
    soak.account = account(made, on.ledger)
    soak.done = _recovered(soak.done, made, on.ledger)
    _read_logs(on, soak)
    for event in on.ledger.events.values():
        soak.told[event["code"]] = soak.told.get(event["code"], 0) + 1
    return soak


def _inject(on: Bench, soak: Soak, planned: list[Planned], say: Callable[[str], None]) -> None:
    ahead = list(planned)
    going: list[tuple[float, Planned]] = []
    while ahead or going or time.monotonic() - soak.began_s < soak.seconds:
        now = time.monotonic()
        at_s = now - soak.began_s
        while ahead and ahead[0].at_s <= at_s:
            one = ahead.pop(0)
            say(f"{at_s:7.1f} s  {one.kind} for {one.for_s:.1f} s")
            _do(soak, FAULTS[one.kind].begin, on, one)
            going.append((now, one))
        for begun in [g for g in going if g[1].over_s <= at_s]:
            _do(soak, FAULTS[begun[1].kind].over, on, begun[1])
            soak.done.append(Done(begun[1].kind, begun[0], time.monotonic()))
            going.remove(begun)
        _turn(on, soak)


def _do(soak: Soak, act: Act, on: Bench, one: Planned) -> None:
    """What a busy machine does not let us do in time must not end the run."""
    try:
        act(on, one)
    except (AssertionError, Fault, OSError) as error:
        soak.trouble.append(f"{one.kind} could not be done: {error}")


def _turn(on: Bench, soak: Soak) -> None:
    """Look after the daemon, take samples, and let some time pass."""
    on.supervise()
    now = time.monotonic()
    if not soak.samples or now - soak.samples[-1].at_s >= _SAMPLE_EVERY_S:
        found = []
        if on.daemon is not None:
            found.append(sample(now, "daemon", on.daemon.pid))
            found += [sample(now, "child", pid) for pid in children(on.daemon.pid)]
        if on.page is not None:
            found.append(sample(now, "page", on.page.pid))
        soak.samples += [one for one in found if one is not None]
    time.sleep(_TURN_S)


def _settle(on: Bench, soak: Soak, say: Callable[[str], None]) -> None:
    """No faults from here on: everything has to come right by itself, and every scan to be told."""
    began = time.monotonic()

    def wait(what: str, condition: Callable[[], Any], patience_s: float = _SETTLE_S) -> bool:
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                soak.trouble.append(f"waited {patience_s:g} s in vain for {what}")
                return False
            _turn(on, soak)
        return True

    def quiet() -> bool:
        newest, state = on.ledger.newest(), on.ledger.state
        return (
            newest is not None
            and newest.at_s > began
            and state["uptime_s"] > 0
            and _fresh(on, began)
            and not state["faults"]
            and state["counters"]["unsent"] <= RATE
        )

    if wait("a daemon without faults", quiet):
        soak.settled_s = time.monotonic() - began
        say(f"settled after {soak.settled_s:.1f} s")
    else:
        soak.trouble.append(f"lasting faults: {on.ledger.state.get('faults')}")
    # Each instrument comes once more, so that what it lost at its last power-on is told.
    on.line.do("exchange")
    wait("the other instrument", lambda: _from(on, on.line.boot_id))
    on.end()
    on.line.do("exchange")
    on.begin()
    wait("the first instrument", lambda: _from(on, on.line.boot_id))
    soak.missing_before_replay = len(account(read_made(on.line.log), on.ledger).unaccounted)
    soak.repeats_before_replay = on.ledger.repeats
    # What a broker that was killed had acknowledged may have reached nobody: it is asked for again.
    ago_s = _EVERYTHING_S if soak.missing_before_replay else _SOME_S
    since = datetime.fromtimestamp(time.time() - ago_s, timezone.utc).isoformat(timespec="seconds")
    say(f"sending again since {since}; {soak.missing_before_replay} scans not seen so far")
    before = len(on.ledger.told("replay_done"))
    _ask(on, soak, "replay-outbox", "--since", since)
    wait("the replay", lambda: len(on.ledger.told("replay_done")) > before, _REPLAY_S)
    wait("no faults at the end", lambda: not on.ledger.state["faults"])
    soak.counters = dict(on.ledger.state["counters"])
    on.end()


def _fresh(on: Bench, since_s: float) -> bool:
    """Whether the state was told since then: `running_s` is the other clock that only runs."""
    offset_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return on.ledger.state["time"]["running_s"] - offset_s > since_s


def _from(on: Bench, boot_id: int) -> bool:
    newest = on.ledger.newest()
    return newest is not None and newest.boot_id == boot_id


def _ask(on: Bench, soak: Soak, *words: str) -> None:
    """A command of the product's, which has to work."""
    command = [sys.executable, "-m", "spektron_edge", *words, "--config", str(on.rig.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        soak.trouble.append(f"{' '.join(words)}: {done.returncode}: {done.stderr[-500:]}")


def _audit(on: Bench, soak: Soak) -> None:
    """What the daemon leaves behind."""
    _ask(on, soak, "audit", "verify")
    state = on.folder / "state"
    with closing(sqlite3.connect(state / OUTBOX_FILE)) as db:
        (verdict,) = db.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            soak.trouble.append(f"outbox: {verdict}")
    soak.trouble += [f"set aside: {file.name}" for file in state.glob("*.damaged*")]
    for age_s, status in on.asked:
        # Before it has begun to listen to signals there is nothing that could be left undone.
        if status and not (status == -signal.SIGTERM and age_s < _STARTING_S):
            soak.trouble.append(f"exit status {status} of a daemon that was asked to end")
    disk = [d for d in soak.done if d.kind.startswith("disk")]
    for at_s, status in on.ended:
        excused = any(d.began_s <= at_s <= d.over_s + 2.0 for d in disk)
        if status not in _STORAGE or not excused:
            soak.trouble.append(f"the daemon ended by itself with {status}")


def _read_logs(on: Bench, soak: Soak) -> None:
    for log in on.folder.glob("*.log"):
        if log != on.line.log:
            lines = log.read_text(errors="replace").splitlines()
            soak.trouble += [f"{log.name}: {x[:300]}" for x in lines if _TROUBLE.search(x)]
    for code in ("internal", "state_damaged"):
        soak.trouble += [f"event {code}: {e['message']}" for e in on.ledger.told(code)]


def _recovered(faults: list[Done], made: list[Made], ledger: Ledger) -> list[Done]:
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
