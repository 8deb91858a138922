"""kill -9 of the daemon at a random moment under load."""

from __future__ import annotations

import random
import time

import pytest

from tests.integration.repeats import Repeats
from tests.integration.rig import listening, until

BAUD = 4_000_000


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("runs", [20, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.once
def test_killed_at_any_moment_under_load_nothing_that_was_committed_is_lost(broker, make_rig, runs):
    rig = make_rig(broker.url, interval_s=0.0, baud=BAUD)
    rig.settings["serial"]["baud"] = BAUD
    log = rig.folder / "committed"
    rig.entry = ("tests.integration.committing", str(log))
    log.touch()
    chance = random.Random()

    def committed():
        return set(log.read_text().split())

    with listening(broker.port, Repeats()) as subscriber:
        for run in range(runs):
            before = log.stat().st_size
            rig.start()
            if run % 5:
                until(lambda: log.stat().st_size > before, "a commit")  # noqa: B023
                time.sleep(chance.uniform(0.0, 0.3))
            else:
                time.sleep(chance.uniform(0.0, 1.5))
            rig.kill()
            rig.gather(subscriber)

        def all_received():
            rig.gather(subscriber)
            return committed() <= set(rig.received)

        before = log.stat().st_size
        rig.start()
        until(lambda: log.stat().st_size > before, "a commit")
        assert rig.stop() == 0
        until(all_received, "all ids")

    assert len(committed()) > runs
    assert all(len(payloads) == 1 for payloads in subscriber.payloads.values())
    # Every scan is a result or named by a gap event, and none is both or two results.
    numbers = [record["scan"]["number"] for record in rig.received.values()]
    assert len(numbers) == len(set(numbers))
    missed = rig.missed()
    assert not missed & set(numbers)
    made = set(rig.port.call(lambda: set(rig.port.device.presented)))
    last = max(numbers)
    assert {n for n in made if n <= last} <= missed | set(numbers)
    assert "state_damaged" not in rig.codes()
    assert not list(rig.folder.glob("state/*.damaged*"))
    print(
        f"{runs} kills: {len(committed())} committed ids, all received; "
        f"{subscriber.copies - len(rig.received)} repeats; {len(missed)} scans named as missing"
    )
