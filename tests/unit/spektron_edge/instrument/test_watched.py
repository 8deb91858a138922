"""What an instrument's thread says: it gets on while it waits, and is late when it hangs."""

from __future__ import annotations

import threading
import time

import pytest

from firmware_bridge.link import Link
from firmware_bridge.protocol import Configure, Position
from spektron_edge.faults import Faults
from spektron_edge.instrument.watched import Watched
from spektron_edge.service.beats import Beat

from .rigs import PATIENCE_S


def steps(beat, count):
    """So many further ones, as they begin."""
    seen, deadline = [beat._step], time.monotonic() + PATIENCE_S
    while len(seen) <= count:
        assert time.monotonic() < deadline, seen
        if beat._step is not seen[-1]:
            seen.append(beat._step)
        time.sleep(0.001)
    return seen[1:]


def test_a_lamp_that_never_gets_warm_is_waited_for_step_by_step(make):
    rig = make(optics={"warmup_s": 1e6}).start()
    rig.trouble(Faults.LAMP_NOT_WARM)
    assert steps(rig.thread._beat, 5)


def test_an_instrument_that_is_not_there_is_tried_again_and_again(make):
    rig = make()
    rig.port.close()
    rig.start()
    rig.trouble(Faults.PORT_MISSING)
    assert steps(rig.thread._beat, 2)
    assert rig.thread._beat.late(slack_s=0.0) is None


def test_a_stream_gets_on_with_every_scan_and_rests_at_the_end(make):
    rig = make().start()
    rig.measured(1)
    steps(rig.thread._beat, 20)
    rig.stop()
    assert rig.thread._beat._step is None


class _Slow(Link):
    """Does not come back from a read before it is told to."""

    def __init__(self):
        super().__init__("loop://")
        self.go_on = threading.Event()

    def configure(self, settings):
        pass

    def longest_s(self, settings):
        return settings.averages * settings.integration_us * 1e-6

    def read(self, timeout_s):
        self.go_on.wait()


@pytest.fixture
def now(monkeypatch):
    at = [0.0]
    monkeypatch.setattr("spektron_edge.service.beats.time.monotonic", lambda: at[0])
    return at


def test_a_read_that_hangs_is_late_after_its_own_patience_and_an_exposure(now):
    slow, beat = _Slow(), Beat("instrument")
    watched = Watched(slow, beat)
    watched.configure(Configure(10_000_000, 3, 1, Position.SAMPLE))
    reader = threading.Thread(target=watched.read, args=(5.0,))
    reader.start()
    while beat._step.what != "waiting for a scan":
        time.sleep(0.001)
    now[0] = 35.0
    assert beat.late(slack_s=0.0) is None
    now[0] = 36.0
    assert beat.late(slack_s=0.0) == "instrument has been waiting for a scan for 36 s"
    assert beat.late(slack_s=2.0) is None
    slow.go_on.set()
    reader.join()
    assert beat.late(slack_s=0.0) is None
