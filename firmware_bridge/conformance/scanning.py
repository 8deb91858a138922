"""Settings and scans."""

from __future__ import annotations

import numpy as np

from firmware_bridge.conformance.requirement import Requirement, Severity, requires
from firmware_bridge.conformance.subject import Broken, Subject
from firmware_bridge.protocol import (
    Ack,
    Capability,
    Configure,
    Decoded,
    ErrorCode,
    ErrorReply,
    Flags,
    LampState,
    Position,
    Scan,
    Start,
)

SCANNING: list[Requirement] = []
_LIMITS = "Settings beyond the limits of INFO are refused by ERROR(OUT_OF_RANGE)"
_PACE = "Scans come no faster than their exposures, nor than the line carries them."
_NEW_SETTINGS = "New settings count for every scan after their ACK"
# How far a clock of an instrument may be off in what it says of durations; far less than what an
# exposure left out would be.
_CLOCK_SHARE = 0.02
_CLOCK_UNIT = 1 / 3
_SATURATING_S = 1.0


@requires(SCANNING, "start.needed", "Begin to scan; answered by ACK, then SCAN after SCAN.")
def _start_needed(subject: Subject) -> None:
    subject.set_up(settings := subject.settings())
    heard = _scans(subject.listen(3 * subject.period_s(settings) + 0.3))
    if heard:
        raise Broken("no scan before START", heard)


@requires(SCANNING, "start.count", "scans to make; 0 = until STOP")
def _count(subject: Subject) -> None:
    settings = subject.settings()
    subject.stream(settings, 3)
    more = _scans(subject.listen(3 * subject.period_s(settings) + 0.3))
    if more:
        raise Broken("3 scans after START(3)", f"{3 + len(more)}")


@requires(SCANNING, "start.endless", "scans to make; 0 = until STOP")
def _endless(subject: Subject) -> None:
    settings = subject.settings()
    subject.set_up(settings)
    subject.start(0)
    subject.scans(settings, 5)


@requires(SCANNING, "stop.ends", "no scan follows the ACK of STOP")
def _stop_ends(subject: Subject) -> None:
    settings = subject.settings()
    subject.set_up(settings)
    subject.start(0)
    subject.scans(settings, 2)
    subject.stop()
    more = _scans(subject.listen(3 * subject.period_s(settings) + 0.3))
    if more:
        raise Broken("no scan after the ACK of STOP", f"{len(more)}")


@requires(SCANNING, "scan.numbers", "Scan numbers count every scan since power-on.")
def _numbers(subject: Subject) -> None:
    found = subject.stream(subject.settings(), 3)
    found += subject.stream(subject.settings(averages=2), 2)
    numbers = [scan.number for scan in _scans(found)]
    expected = [(numbers[0] + n) & 0xFFFFFFFF for n in range(5)]
    if numbers != expected:
        raise Broken(f"scans {expected}, one after the other over two STARTs", numbers)


@requires(SCANNING, "scan.unasked", "SCAN and EVENT come unasked, with sequence 0 and without")
def _unasked(subject: Subject) -> None:
    for header, message in subject.stream(subject.settings(), 2):
        if header.sequence or header.flags & Flags.RESPONSE:
            raise Broken("sequence 0 and no response flag", f"{header} of {message}")


@requires(SCANNING, "scan.pixels", "pixels of a scan")
def _pixels(subject: Subject) -> None:
    for scan in _scans(subject.stream(subject.settings(), 2)):
        if scan.counts.size != subject.info.pixels:
            raise Broken(f"{subject.info.pixels} counts, as INFO says", scan.counts.size)


@requires(SCANNING, "scan.full-scale", "counts at saturation, 65535 for 16 bits")
def _full_scale(subject: Subject) -> None:
    for scan in _bright(subject):
        if scan.counts.max(initial=0) > subject.info.full_scale:
            raise Broken(f"counts up to {subject.info.full_scale}", int(scan.counts.max()))


@requires(SCANNING, "scan.saturated", "pixels at full scale")
def _saturated(subject: Subject) -> None:
    for scan in _bright(subject):
        full = int(np.count_nonzero(scan.counts >= subject.info.full_scale))
        if scan.saturated != full:
            raise Broken(f"{full} saturated pixels, as its counts have", scan.saturated)


@requires(SCANNING, "scan.settings", _NEW_SETTINGS)
def _settings(subject: Subject) -> None:
    for wish in (subject.settings(averages=3), subject.settings(20_000)):
        (scan,) = _scans(subject.stream(wish, 1))
        _as_wished(scan, wish)


@requires(SCANNING, "scan.settings-running", _NEW_SETTINGS)
def _running(subject: Subject) -> None:
    first, then = subject.settings(), subject.settings(averages=4)
    subject.set_up(first)
    subject.start(0)
    subject.scans(first, 2)
    subject.set_up(then)
    for scan in _scans(subject.scans(then, 2)):
        _as_wished(scan, then)


@requires(SCANNING, "scan.lamp", "state of the lamp (LampState)", needs=Capability.LAMP)
def _lamp(subject: Subject) -> None:
    (off,) = _scans(subject.stream(subject.settings(lamp=0), 1))
    (on,) = _scans(subject.stream(subject.settings(lamp=1), 1))
    if off.lamp != LampState.OFF or on.lamp not in (LampState.WARMING, LampState.STABLE):
        raise Broken("lamp OFF, then WARMING or STABLE", f"{off.lamp}, then {on.lamp}")


@requires(SCANNING, "scan.dark", "what the detector looked at (Position)", needs=Capability.SHUTTER)
def _dark(subject: Subject) -> None:
    _position(subject, Position.DARK)


@requires(
    SCANNING, "scan.reference", "what the detector looked at (Position)", needs=Capability.REFERENCE
)
def _reference(subject: Subject) -> None:
    _position(subject, Position.REFERENCE)


@requires(SCANNING, "clock.forward", "`device_us` never goes back")
def _clock(subject: Subject) -> None:
    settings = subject.settings()
    stamps = [header.device_us for header, _ in subject.stream(settings, 5)]
    stamps.append(subject.ask(Start(1)).header.device_us)
    if stamps != sorted(stamps) or stamps[0] == stamps[4]:
        raise Broken("stamps that rise from scan to scan", stamps)


@requires(SCANNING, "scan.exposures", _PACE)
def _exposures(subject: Subject) -> None:
    settings = subject.settings(20_000, averages=3)
    _apart(subject, settings, settings.integration_us * settings.averages, _CLOCK_UNIT)


@requires(SCANNING, "scan.pace", _PACE, severity=Severity.SHOULD)
def _pace(subject: Subject) -> None:
    settings = subject.settings(0)
    bytes_ = 2 * subject.info.pixels
    _apart(subject, settings, bytes_ * 10 / subject.baud * 1e6, _CLOCK_SHARE)


@requires(SCANNING, "configure.limits", _LIMITS)
def _limits(subject: Subject) -> None:
    info, good = subject.info, subject.settings()
    for integration_us, averages in (
        (info.min_integration_us - 1, good.averages),
        (info.max_integration_us + 1, good.averages),
        (good.integration_us, 0),
        (good.integration_us, info.max_averages + 1),
    ):
        if 0 <= integration_us <= 0xFFFFFFFF and averages <= 0xFFFF:
            wish = Configure(integration_us, averages, good.lamp, good.position)
            _refused(subject, wish, ErrorCode.OUT_OF_RANGE)


@requires(SCANNING, "configure.values", _LIMITS)
def _values(subject: Subject) -> None:
    good = subject.settings()
    for lamp, position in ((2, good.position), (good.lamp, 77)):
        wish = Configure(good.integration_us, good.averages, lamp, position)
        _refused(subject, wish, ErrorCode.OUT_OF_RANGE)


@requires(SCANNING, "configure.no-change", "What is refused changes nothing.")
def _no_change(subject: Subject) -> None:
    good = subject.settings(averages=2)
    subject.set_up(good)
    subject.ask(Configure(good.integration_us + 1, good.averages, 2, 77))
    subject.start(1)
    (scan,) = _scans(subject.scans(good, 1))
    _as_wished(scan, good)


@requires(SCANNING, "configure.able", "a position that it has no parts for by ERROR(NOT_CAPABLE)")
def _able(subject: Subject) -> None:
    for needed, position in (
        (Capability.SHUTTER, Position.DARK),
        (Capability.REFERENCE, Position.REFERENCE),
    ):
        wish = subject.settings(position=position)
        if not subject.info.capabilities & needed:
            _refused(subject, wish, ErrorCode.NOT_CAPABLE)
        else:
            subject.set_up(wish)


@requires(SCANNING, "repeat.done-once", "but carries it out once only")
def _once(subject: Subject) -> None:
    settings = subject.settings(100_000)
    subject.set_up(settings)
    start = subject.frame(Start(2))
    subject.answer_to(start, "START")
    subject.scans(settings, 1)
    again = subject.answer_to(start, "the same START again").message
    if not isinstance(again, Ack):
        raise Broken("ACK of the same START once more", again)
    more = _scans(subject.listen(3 * subject.period_s(settings) + 0.3))
    if len(more) != 1:
        raise Broken("2 scans for START(2) that was sent twice", f"{1 + len(more)}")


@requires(SCANNING, "repeat.other-request", "a frame equal to the request before it")
def _other(subject: Subject) -> None:
    settings = subject.settings()
    subject.set_up(settings)
    sequence = subject.next_sequence()
    for count in (1, 2):
        subject.answer_to(subject.frame(Start(count), sequence), "START")
        subject.scans(settings, count)


def _scans(heard: list[Decoded]) -> list[Scan]:
    return [message for _, message in heard if isinstance(message, Scan)]


def _bright(subject: Subject) -> list[Scan]:
    """Scans with the lamp on, ten times longer one by one, until a pixel is full."""
    info = subject.info
    found: list[Scan] = []
    lamp = int(bool(info.capabilities & Capability.LAMP))
    integration_us = max(info.min_integration_us, 1000)
    while not found or integration_us <= min(info.max_integration_us, _SATURATING_S * 1e6):
        found += _scans(subject.stream(subject.settings(integration_us, lamp=lamp), 1))
        if found[-1].saturated or found[-1].counts.max(initial=0) >= info.full_scale:
            break
        integration_us *= 10
    return found


def _as_wished(scan: Scan, wish: Configure) -> None:
    said = (scan.integration_us, scan.averages, scan.position)
    if said != (wish.integration_us, wish.averages, wish.position):
        raise Broken(f"a scan made with {wish}", scan)


def _position(subject: Subject, position: Position) -> None:
    wish = subject.settings(position=position)
    (scan,) = _scans(subject.stream(wish, 1))
    if scan.position != position:
        raise Broken(f"a scan in position {position.name}", scan)


def _apart(subject: Subject, settings: Configure, least_us: float, share: float) -> None:
    stamps = [header.device_us for header, _ in subject.stream(settings, 6)]
    mean_us = (stamps[-1] - stamps[0]) / (len(stamps) - 1)
    if mean_us < least_us * (1 - share):
        raise Broken(f"scans {least_us:.0f} us apart, or more", f"{mean_us:.0f} us by their stamps")


def _refused(subject: Subject, wish: Configure, code: ErrorCode) -> None:
    answer = subject.ask(wish).message
    if not isinstance(answer, ErrorReply) or answer.code != code:
        raise Broken(f"ERROR({code.name}) for {wish}", answer)
