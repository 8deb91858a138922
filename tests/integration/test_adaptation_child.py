"""The child of a running device's adaptation stands still for scans, and never outlives it."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.integration.rig import PATIENCE_S, until
from tests.processes import state, with_words

BACK_TO_BACK = 0.0
# The child is of the lowest priority: on a busy machine it gets little.
CHILD_S = 200.0
VERDICTS = {"adaptation_judged", "adaptation_refused"}


@pytest.fixture
def device(broker, make_rig, streaming):
    """Once twenty spectra are there, an attempt begins: somebody worked on the instrument."""
    rig = make_rig(broker.url)
    rig.allow("anna", "adapt-service-event")
    rig.settings["adaptation"] = {"mode": "propose"}
    return rig


def begun(rig, command):
    """Report a service, and wait for the attempt that it starts; its child's number."""
    told = ("what=lamp changed", "by=eve")
    status, answer = command(rig, "adapt-service-event", "anna", *told)
    assert (status, answer["message"]) == (0, "recorded: lamp changed, by eve")
    until(lambda: heard(rig, "adaptation_started"), "an attempt", CHILD_S)
    (event,) = [event for event in rig.events if event["code"] == "adaptation_started"]
    assert "lamp changed by eve" in event["message"]
    return until(lambda: children(rig), "its child")[0]


def heard(rig, *codes):
    rig.gather(rig.subscriber)
    return set(codes) & set(rig.codes())


def children(rig):
    """Numbers of processes that adapt for this device, whoever is their parent."""
    return with_words(str((rig.folder / "spektron.toml").resolve()), "adapt")


def test_killed_while_its_child_is_stopped_a_daemon_leaves_none_and_starts_again(
    device, streaming, command
):
    streaming(device)
    child = begun(device, command)
    device.pace(BACK_TO_BACK)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        # A daemon that stands still cannot let its child go on between this look and its end.
        os.kill(device.pid, signal.SIGSTOP)
        until(lambda: state(device.pid) == "T", "a daemon that stands still")
        if state(child) == "T":
            break
        assert state(child) is not None, "the child ended before it was seen stopped"
        os.kill(device.pid, signal.SIGCONT)
        assert time.monotonic() < deadline
        time.sleep(0.01)
    device.kill()
    # A zombie waits for an init that reaps it; it holds nothing.
    until(lambda: state(child) in (None, "Z"), "the child's end")
    assert children(device) == []

    device.received.clear()
    device.events.clear()
    device.pace(0.05)
    device.start()
    # The service still counts: it was told to the device, not to a process.
    until(lambda: heard(device, "adaptation_started"), "an attempt after the next start")
    assert any(record["valid"] for record in device.received.values())
    assert device.stop() == 0
    # Of the lowest priority, what is killed needs a processor to end.
    until(lambda: not children(device), "the end of what goes with the daemon")


def test_a_child_is_stopped_while_scans_come_without_a_pause_and_ends_well_after(
    device, streaming, command
):
    streaming(device)
    child = begun(device, command)
    device.pace(BACK_TO_BACK)
    for _ in range(5):
        until(lambda: state(child) == "T", "a child that stands still")
        scans = len(device.gather(device.subscriber))
        until(lambda: len(device.gather(device.subscriber)) > scans, "predictions")  # noqa: B023
    device.pace(0.05)
    until(lambda: heard(device, *VERDICTS), "a verdict", CHILD_S)
    assert children(device) == []
    assert not heard(device, "adaptation_failed")
    assert device.missed() == set()
