"""A child that is stopped and continued: real processes that are a few lines long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from spektron_edge.child.process import Child
from spektron_edge.daemon.spare_time import SpareTime
from spektron_edge.faults import Fault, Faults
from tests.integration.rig import until
from tests.processes import state

COUNTS = "tests.counting_child"
PARENT = """
import sys, time
from spektron_edge.child.process import Child
child = Child("tests.counting_child", ["60"], 600.0, "it", None)
while not child._may_pause:
    assert child.running
    time.sleep(0.01)
child.pause()
print(child.process.pid, flush=True)
time.sleep(600)
"""


def started(seconds, limit_s=60.0):
    child = Child(COUNTS, [str(seconds)], limit_s, "the count", Faults.ADAPTATION_FAILED)
    until(lambda: child.running and child._may_pause, "a child that may be paused")
    return child


def test_a_paused_child_stands_still_continues_and_finishes():
    with started(0.2) as child:
        child.pause()
        child.pause()
        until(lambda: state(child.process.pid) == "T", "a stopped child")
        assert child.running
        child.proceed()
        child.proceed()
        said = []
        child.wait(said.append)
        child.check("again")
        assert said == ["counting", "counted"]


def test_a_child_that_has_ended_is_neither_paused_nor_continued():
    with started(0.0) as child:
        child.wait(lambda _: None)
        child.pause()
        child.proceed()
        child.check("again")
    child.pause()
    child.proceed()
    assert child.process.returncode == 0


def test_the_time_limit_ends_a_paused_child():
    with started(60.0) as child:
        child.pause()
        child._deadline = time.monotonic()
        until(lambda: not child.running, "its end")
        assert child.process.returncode == -signal.SIGKILL
        with pytest.raises(Fault, match="too long"):
            child.check("again")


def test_a_paused_child_is_ended_by_its_context():
    with started(60.0) as child:
        child.pause()
    assert child.process.returncode == -signal.SIGKILL


def test_a_killed_parent_leaves_no_stopped_child():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        until(lambda: state(pid) == "T", "a stopped child")
        parent.kill()
    # A zombie waits for an init that reaps it; it holds nothing.
    until(lambda: state(pid) in (None, "Z"), "the child's end")


def test_a_child_whose_parent_has_gone_does_nothing():
    words = ["-m", "spektron_edge.child.start", str(os.getpid() + 1), COUNTS, "0"]
    done = subprocess.run([sys.executable, *words], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


class Listed:
    def __init__(self, told):
        self._told = told

    def pause(self):
        self._told.append("pause")

    def proceed(self):
        self._told.append("proceed")


def test_what_waits_is_done_in_order_before_children_go_on():
    told = []
    spare = SpareTime(lambda: [Listed(told)])
    spare.over()
    spare.later(lambda: told.append(1))
    spare.later(lambda: told.append(2))
    assert told == ["pause"]
    spare.begin()
    assert told == ["pause", 1, 2, "proceed"]
    spare.later(lambda: told.append(3))
    spare.finish()
    spare.finish()
    assert told == ["pause", 1, 2, "proceed", 3]
