"""A wall clock that is wrong at boot and set later: noticed, and nothing depends on it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from spektron_edge.clock import Clock, Stamp
from spektron_edge.daemon.daemon import Daemon
from tests.integration.rig import listening, until

THIRTY_YEARS_S = 30 * 365 * 86400.0


class SetClock(Clock):
    """The host's clocks with the wall clock off by `off_s`."""

    off_s = 0.0

    def now(self) -> Stamp:
        real = super().now()
        return replace(real, utc_s=real.utc_s + self.off_s)


def test_wrong_clock_at_boot_is_said_and_its_correction_harms_nothing(broker, make_rig):
    rig = make_rig(broker.url)
    clock = SetClock()
    clock.off_s = -THIRTY_YEARS_S
    daemon = Daemon(rig.config, clock=clock)
    thread = threading.Thread(target=daemon.run)
    with listening(broker.port) as subscriber:
        thread.start()
        try:
            until(lambda: len(rig.gather(subscriber)) >= 5, "predictions by the wrong clock")
            clock.off_s = 0.0
            jumped = until(
                lambda: (
                    rig.gather(subscriber)
                    and [e for e in rig.events if e["code"] == "clock_jumped"]
                ),
                "the jump",
            )
            count = len(rig.received)
            until(lambda: len(rig.gather(subscriber)) >= count + 5, "later predictions")
        finally:
            daemon.stop()
            thread.join()
        until(lambda: subscriber.offline, "the farewell")
        rig.gather(subscriber)
    records = list(rig.received.values())
    verdicts = [r["time"]["clock"] for r in records]
    assert verdicts[0] == "suspect"
    assert verdicts[-1] == "ok"
    assert f"{THIRTY_YEARS_S:+.1f} s" in jumped[0]["message"]
    running = [r["time"]["running_s"] for r in records]
    assert running == sorted(running)
    assert all(r["valid"] or "reference_expired" not in r["reasons"] for r in records)
    assert rig.missed() == set()
    assert {"clock_suspect", "clock_suspect_over", "clock_jumped"} <= set(rig.codes())


def test_wrong_clock_has_its_own_exit_status(broker, make_rig):
    rig = make_rig(broker.url)
    clock = SetClock()
    clock.off_s = -THIRTY_YEARS_S
    assert Daemon(rig.config, fail_fast=True, clock=clock).run() == 50


def test_jumping_clock_has_its_own_exit_status(broker, make_rig):
    rig = make_rig(broker.url)
    clock = SetClock()
    daemon = Daemon(rig.config, fail_fast=True, clock=clock)
    with listening(broker.port) as subscriber, ThreadPoolExecutor() as pool:
        status = pool.submit(daemon.run)
        until(lambda: rig.gather(subscriber), "a prediction")
        clock.off_s = 3600.0
        assert status.result(60.0) == 51


def test_references_outlive_a_jump(broker, make_rig):
    """Ages are taken from the running clock: a day forward expires nothing."""
    rig = make_rig(broker.url)
    clock = SetClock()
    daemon = Daemon(rig.config, clock=clock)
    thread = threading.Thread(target=daemon.run)
    with listening(broker.port) as subscriber:
        thread.start()
        try:
            until(lambda: len(rig.gather(subscriber)) >= 2, "predictions")
            clock.off_s = 86400.0
            until(lambda: rig.gather(subscriber) and "clock_jumped" in rig.codes(), "the jump")
            count = len(rig.received)
            until(lambda: len(rig.gather(subscriber)) >= count + 3, "later predictions")
        finally:
            daemon.stop()
            thread.join()
    assert rig.codes().count("references_measured") == 1
