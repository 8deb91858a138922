"""The conformance suite: kept by what we ship, and each requirement broken by a broken device."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firmware_bridge.conformance.requirement import Severity
from firmware_bridge.conformance.subject import Subject
from firmware_bridge.conformance.suite import AFTER_POWER_ON, REQUIREMENTS, Report, Verdict, examine
from firmware_bridge.errors import DeviceSilent, LineGarbage
from firmware_bridge.transport import Transport
from firmware_bridge.virtual import InjectedFaults, Optics, PtyPort
from tests.clocked import ClockedPort, Device
from tests.firmware.host import Driver, HostDevice

from . import broken_answers, broken_scans
from .broken import OnePixel, Virtual

BAUD = 921600
BROKEN = broken_answers.BROKEN | broken_scans.BROKEN
PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"


def tried(device: Device) -> Report:
    port = ClockedPort(device)
    subject = Subject(port, BAUD, clock=port.clock, sleep=port.sleep)
    return examine(subject, port.url)


def verdicts(report: Report, verdict: Verdict) -> set[str]:
    return {r.requirement.id for r in report.results if r.verdict is verdict}


@pytest.mark.parametrize("requirement", REQUIREMENTS + AFTER_POWER_ON, ids=lambda r: r.id)
def test_every_requirement_cites_a_promise_of_the_page(requirement):
    page = re.sub(r"\s+", " ", PAGE.read_text())
    assert requirement.promise in page


def test_names_are_unique():
    assert len({r.id for r in REQUIREMENTS}) == len(REQUIREMENTS)


@pytest.mark.parametrize("capabilities", [7, 0, 1, 4])
def test_the_firmware_conforms(capabilities):
    driver = Driver()
    report = tried(HostDevice(driver, capabilities=capabilities))
    assert driver.report() == ""
    assert report.failed == ()
    assert report.conforms
    lacking = {"scan.lamp": 4, "scan.dark": 1, "scan.reference": 2, "scan.dark-counts": 1}
    skipped = {name for name, needed in lacking.items() if not capabilities & needed}
    # The bench counts without noise.
    assert verdicts(report, Verdict.SKIPPED) == {*skipped, "scan.averages"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: OnePixel(),
        lambda: Virtual(),
        lambda: Virtual(Optics(pixels=4000)),
        lambda: Virtual(Optics(warmup_s=60.0)),
        lambda: Virtual(interval_s=1.0),
    ],
    ids=["one pixel", "120 pixels", "4000 pixels", "cold lamp", "a scan a second"],
)
def test_the_virtual_instrument_conforms(make):
    report = tried(make())
    assert report.failed == ()
    assert report.conforms
    assert [told.partition(":")[0] for told in report.seen] == [
        "clock",
        "DARK, brightest of its scans",
        "SAMPLE, brightest of its scans",
        "REFERENCE, brightest of its scans",
    ]


def switched(device: Virtual) -> Report:
    port = ClockedPort(device)
    subject = Subject(port, BAUD, clock=port.clock, sleep=port.sleep)

    def power_cycle() -> ClockedPort:
        port.sleep(3.0)
        port.read(0.0)
        device.power_cycle(port.now)
        return port

    return examine(subject, port.url, quick=True, power_cycle=power_cycle)


def test_a_power_on_that_begins_anew():
    report = switched(Virtual())
    assert report.failed == ()
    passed = verdicts(report, Verdict.PASSED)
    assert {r.id for r in AFTER_POWER_ON} <= passed


def test_every_requirement_of_a_power_on_is_broken_by_some_device():
    broken = set().union(*(broken for _, broken in broken_scans.SWITCHED.values()))
    assert broken == {r.id for r in AFTER_POWER_ON}


@pytest.mark.parametrize("name", broken_scans.SWITCHED)
def test_what_a_power_on_leaves_is_caught(name):
    device, expected = broken_scans.SWITCHED[name]
    report = switched(device())
    assert verdicts(report, Verdict.FAILED) == expected
    assert not report.conforms


def test_a_silent_line_is_told_as_such():
    with pytest.raises(DeviceSilent, match="expected a frame, received no byte"):
        tried(Virtual(faults=InjectedFaults(silent=True)))


def test_a_line_that_speaks_something_else_is_told_as_such():
    class Console(Virtual):
        def feed(self, data, now):
            return b"login: \r\n"

    with pytest.raises(LineGarbage, match=r"received [0-9]+ bytes of something else"):
        tried(Console())


def test_one_that_falls_silent_is_not_taken_for_one_that_conforms():
    class Hangs(Virtual):
        def feed(self, data, now):
            out = super().feed(data, now)
            return b"" if self._framer.counters.oversize else out

    report = tried(Hangs())
    assert not report.conforms
    assert verdicts(report, Verdict.FAILED) == {"frame.oversize"}
    assert "frame.answer-unflagged" in verdicts(report, Verdict.SKIPPED)


def test_over_a_real_pty():
    with PtyPort(Virtual()) as port:
        line = Transport(port.url, BAUD)
        report = examine(Subject(line, BAUD, patience_s=10.0), port.url, quick=True)
        line.close()
        assert not port.call(lambda: port.device.streaming)
    assert report.failed == ()
    assert verdicts(report, Verdict.SKIPPED) == {"frame.noise"}


def test_every_requirement_is_broken_by_some_device():
    assert set().union(*(broken for _, broken in BROKEN.values())) == {r.id for r in REQUIREMENTS}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_device_is_caught_by_what_it_breaks(name):
    device, expected = BROKEN[name]
    report = tried(device())
    assert verdicts(report, Verdict.FAILED) == expected
    severities = {r.requirement.severity for r in report.failed}
    assert report.conforms == (severities == {Severity.SHOULD})
    assert all(r.expected and r.received for r in report.failed)
