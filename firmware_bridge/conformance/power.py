"""What a power-on must change: tried where somebody switches the instrument off and on."""

from __future__ import annotations

from firmware_bridge.conformance.requirement import Requirement, requires
from firmware_bridge.conformance.subject import Broken, Subject

POWER: list[Requirement] = []
_CLOCK_SHARE = 1.5


@requires(POWER, "power.quiet", "and nothing is streamed.")
def _quiet(subject: Subject) -> None:
    if subject.streamed:
        raise Broken("no scan before START", f"{subject.streamed}")


@requires(POWER, "power.boot-id", "random, new at every power-on")
def _boot_id(subject: Subject) -> None:
    before = subject.info.boot_id
    if subject.hello().boot_id == before:
        raise Broken("another boot_id than before the power-on", before)


@requires(POWER, "power.clock", "instrument clock since power-on in us")
def _clock(subject: Subject) -> None:
    subject.said_to(b"")
    _, heard, device_us = subject.pings[-1]
    most_s = (heard - subject.switched_at) * _CLOCK_SHARE
    if device_us * 1e-6 > most_s:
        raise Broken(f"at most {most_s:.1f} s since power-on", f"{device_us * 1e-6:.1f} s")


@requires(POWER, "power.numbers", "scans since power-on, from 0; also counts those never received")
def _numbers(subject: Subject) -> None:
    subject.stream(subject.settings(), 1)
    if subject.numbers[0]:
        raise Broken("number 0 for the first scan after power-on", subject.numbers[0])
