from __future__ import annotations

from dataclasses import replace

import pytest

from spektron_edge.clock import ClockWatch, Stamp
from spektron_edge.clock_sync import ClockSync, kernel_synchronised

NOW = Stamp(1_800_000_000.0, 100.0, "boot-a")
NEXT = replace(NOW, boot="boot-b")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clock.json"


def sync(path, *verdicts):
    """Each look at the kernel gives the next verdict; one more fails."""
    left = iter(verdicts)
    return ClockSync(path, lambda: next(left))


@pytest.mark.parametrize("verdict", [False, None])
def test_a_machine_that_never_was_synchronised_is_not_waited_for(path, verdict):
    assert not sync(path, verdict).awaited(NOW)
    assert not sync(path, verdict).awaited(NEXT)
    assert not path.exists()


@pytest.mark.parametrize("verdict", [False, None])
def test_one_that_was_is_waited_for_after_each_start_and_then_left_alone(path, verdict):
    assert not sync(path, True).awaited(NOW)
    again = sync(path, verdict, verdict, True)
    assert [again.awaited(NEXT) for _ in range(5)] == [True, True, False, False, False]
    # A daemon that starts again during the same boot does not ask, whatever the network does.
    assert not sync(path).awaited(NEXT)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b"\xff", b"{}"])
def test_a_file_that_says_nothing_is_as_good_as_none(path, damage):
    path.write_bytes(damage)
    assert not sync(path, False).awaited(NOW)


def test_without_a_boot_id_nothing_is_judged(path):
    assert not sync(path, True).awaited(NOW)
    assert not sync(path).awaited(replace(NOW, boot="unknown"))


def test_a_full_disk_costs_the_memory_of_it_only(path):
    path.parent.rmdir()
    found = sync(path, True)
    assert [found.awaited(NOW), found.awaited(NOW)] == [False, False]


def test_the_watch_says_why(path):
    sync(path, True).awaited(NOW)
    watch = ClockWatch(0.0, awaited=sync(path, False, False, True).awaited)
    assert watch.suspect(NEXT)
    assert "nothing has set it since this machine started" in watch.why_suspect(NEXT)
    assert not watch.suspect(NEXT)
    early = ClockWatch(NOW.utc_s + 1)
    assert "before the model was made" in early.why_suspect(NOW)


def test_the_kernel_can_be_asked():
    assert kernel_synchronised() in (True, False)
