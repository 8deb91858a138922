from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge import clock as module
from spektron_edge.clock import Clock, ClockWatch, Stamp, age_s

START = Stamp(1_800_000_000.0, 100.0, "boot-a")


def later(stamp: Stamp, running: float, wall: float | None = None) -> Stamp:
    wall = running if wall is None else wall
    return replace(stamp, running_s=stamp.running_s + running, utc_s=stamp.utc_s + wall)


def test_utc_is_written_with_milliseconds():
    assert START.iso == "2027-01-15T08:00:00.000Z"
    assert replace(START, utc_s=0.5).iso == "1970-01-01T00:00:00.500Z"


def test_age_is_measured_by_the_clock_that_only_runs_forward():
    assert age_s(START, later(START, 5.0, wall=-1e9)) == pytest.approx(5.0)


def test_an_age_across_a_reboot_is_not_known():
    assert age_s(START, replace(later(START, 5.0), boot="boot-b")) is None


def test_two_looks_at_the_host_s_clocks_are_in_order():
    clock = Clock()
    first, second = clock.now(), clock.now()
    assert first.boot == second.boot != ""
    assert age_s(first, second) >= 0.0


def test_a_host_without_a_boot_id_still_has_a_clock(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_BOOT_ID", tmp_path / "absent")
    assert Clock().now().boot == "unknown"


@pytest.mark.parametrize(("utc", "suspect"), [(99.9, True), (100.0, False), (1e9, False)])
def test_a_clock_before_what_already_happened_is_suspect(utc, suspect):
    assert ClockWatch(100.0).suspect(replace(START, utc_s=utc)) is suspect


@given(steps=st.lists(st.tuples(st.floats(0.01, 1e5), st.floats(-1.9, 1.9)), max_size=20))
def test_a_clock_that_runs_on_or_is_slewed_does_not_jump(steps):
    watch, now = ClockWatch(0.0), START
    assert watch.jump_s(now) is None
    for running, slewed in steps:
        now = later(now, running, running + slewed)
        assert watch.jump_s(now) is None


@given(by=st.floats(-1e9, 1e9).filter(lambda by: abs(by) > 2.1), running=st.floats(0, 1e6))
def test_a_jump_is_reported_once_with_its_size(by, running):
    watch = ClockWatch(0.0)
    watch.jump_s(START)
    jumped = later(START, running, running + by)
    assert watch.jump_s(jumped) == pytest.approx(by, abs=1e-3)
    assert watch.jump_s(later(jumped, 1.0)) is None
