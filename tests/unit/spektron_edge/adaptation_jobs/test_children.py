"""Children that fail, hang or are killed cost an event and nothing else."""

from __future__ import annotations

import os
import signal
import time

import pytest

from spektron_edge.adaptation import attempt as attempt_module
from spektron_edge.adaptation import jobs as jobs_module
from spektron_edge.child.process import Child
from spektron_edge.faults import Fault, Faults

from ..turns import events
from .lines import audited, conclude, known, store_of


@pytest.mark.parametrize(
    ("how", "why"),
    [("garbage", "damaged"), ("nothing", "cannot be read"), ("crowded", "want of memory")],
)
def test_whatever_the_child_leaves_is_survived_and_told(line, cups, behaves, how, why):
    line = line("auto")
    behaves(how)
    line.lay("mp6", known(cups, 40))
    conclude(line.daemon)
    event = events(line.daemon, "adaptation_failed")[0]
    assert why in event["message"]
    assert audited(line.daemon, "adaptation_failed")
    assert store_of(line.daemon).held == ()
    before = line.daemon._counters["valid"] + line.daemon._counters["invalid"]
    line.lay("mp6", known(cups, 5))
    after = line.daemon._counters["valid"] + line.daemon._counters["invalid"]
    assert after - before == 5
    # Not again at once.
    assert line.daemon._adaptations.attempt is None


def test_a_serial_number_is_no_option_of_the_child(tmp_path):
    with attempt_module.Attempt(tmp_path / "none.toml", "--help", tmp_path, None) as child:
        while child.running:
            time.sleep(0.01)
        with pytest.raises(Fault, match="cannot read"):
            child.result()


def test_a_killed_child_is_survived_and_told(line, cups, behaves):
    line = line("auto")
    behaves("hangs")
    line.lay("mp6", known(cups, 40))
    os.kill(line.daemon._adaptations.attempt.process.pid, signal.SIGKILL)
    conclude(line.daemon)
    assert "signal 9" in events(line.daemon, "adaptation_failed")[0]["message"]


def test_a_child_that_hangs_is_ended(line, cups, behaves, monkeypatch):
    line = line("auto")
    behaves("hangs")
    monkeypatch.setattr(attempt_module, "TIME_LIMIT_S", 2.0)
    line.lay("mp6", known(cups, 40))
    process = line.daemon._adaptations.attempt.process
    conclude(line.daemon)
    assert "too long" in events(line.daemon, "adaptation_failed")[0]["message"]
    assert process.poll() == -signal.SIGKILL


def test_the_end_of_the_daemon_is_the_end_of_the_child(line, cups, behaves):
    line = line("auto")
    behaves("hangs")
    line.lay("mp6", known(cups, 40))
    process = line.daemon._adaptations.attempt.process
    line.daemon._adaptations.end()
    assert process.poll() is not None


def test_a_full_disk_is_an_event_and_no_child(line, cups, monkeypatch):
    line = line("auto")

    def full(*_):
        raise Fault(Faults.DISK_FULL, "no room")

    monkeypatch.setattr(jobs_module, "write_task", full)
    line.lay("mp6", known(cups, 40))
    assert line.daemon._adaptations.attempt is None
    assert "disk_full" in events(line.daemon, "adaptation_failed")[0]["message"]


def test_no_process_to_be_had_is_an_event(line, cups, monkeypatch):
    line = line("auto")
    monkeypatch.setattr(
        Child,
        "__init__",
        lambda *_: (_ for _ in ()).throw(Fault(Faults.ADAPTATION_FAILED, "no process")),
    )
    line.lay("mp6", known(cups, 40))
    assert "no process" in events(line.daemon, "adaptation_failed")[0]["message"]
