from __future__ import annotations

import os

import pytest

from spektron_edge.service.notify import Notifier, watchdog_s
from tests.manager import Manager


def test_a_message_is_one_datagram_with_a_line_for_each_assignment(manager):
    Notifier.of({"NOTIFY_SOCKET": manager.address}).send(READY=1, STATUS="all is well")
    manager.listen()
    assert manager.told == [{"READY": "1", "STATUS": "all is well"}]


def test_a_name_in_the_abstract_namespace_works_as_well():
    manager = Manager(f"@spektron-{os.getpid()}")
    Notifier.of({"NOTIFY_SOCKET": manager.address}).send(STOPPING=1)
    manager.listen()
    manager.close()
    assert manager.told == [{"STOPPING": "1"}]


@pytest.mark.parametrize("address", [None, "", "@", "/", "vsock:2:1", "relative"])
def test_without_a_socket_nothing_is_said_and_nothing_raised(address):
    notifier = Notifier(address)
    notifier.send(READY=1)
    assert not notifier.listened_to


def test_a_manager_that_has_gone_is_no_trouble(manager):
    notifier = Notifier(manager.address)
    manager.close()
    notifier.send(WATCHDOG=1)


def test_a_manager_that_reads_nothing_keeps_nobody_waiting(manager):
    notifier = Notifier(manager.address)
    for _ in range(5_000):
        notifier.send(WATCHDOG=1, STATUS="x" * 500)


def test_what_comes_from_outside_begins_no_assignment_of_its_own(manager):
    Notifier(manager.address).send(STATUS="serial 1\nREADY=1\r\n  2 \ud800")
    manager.listen()
    assert manager.told == [{"STATUS": "serial 1 READY=1 2 ?"}]


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "٣"}, None),
    ],
)
def test_the_watchdog_is_that_of_this_process(told, seconds):
    assert watchdog_s(told) == seconds
