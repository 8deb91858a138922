"""A soak: faults as planned, then quiet, then what was found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from spektron_edge.faults import Fault
from tests.soak.account import account
from tests.soak.bench import RATE, Bench, bench
from tests.soak.checks import ask, check_logs, check_state, recovered
from tests.soak.faults import FAULTS, Act
from tests.soak.findings import Done, Soak
from tests.soak.ledger import read_made
from tests.soak.memory import children, lives, sample
from tests.soak.schedule import Planned, plan

# A run of at least so long has the page's process beside it, s.
_PAGE_FROM_S = 600.0
_TURN_S = 0.05
_SAMPLE_EVERY_S = 1.0
_SETTLE_S = 180.0
_REPLAY_S = 300.0
_EVERYTHING_S, _SOME_S = 30 * 86400.0, 120.0


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
        check_state(on, soak)
    now = os.times()
    soak.cpu_s = sum(now[:4]) - sum(cpu[:4])
    soak.load = os.getloadavg()[2]
    soak.lives = lives(soak.samples)
    made = read_made(folder / "made.log")
    soak.account = account(made, on.ledger)
    soak.done = recovered(soak.done, made, on.ledger)
    check_logs(on, soak)
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
    ask(on, soak, "replay-outbox", "--since", since)
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
