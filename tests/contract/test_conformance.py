"""The conformance suite: kept by what we ship, and each requirement broken by a broken device."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.conformance.requirement import Severity
from firmware_bridge.conformance.subject import Subject
from firmware_bridge.conformance.suite import REQUIREMENTS, Report, Verdict, examine
from firmware_bridge.errors import DeviceSilent, LineGarbage
from firmware_bridge.framing import Framer, encode_frame
from firmware_bridge.protocol import (
    Ack,
    Capability,
    ErrorCode,
    ErrorReply,
    Flags,
    Hello,
    Info,
    Ping,
    Position,
    Scan,
    Start,
    Stop,
    decode,
    encode,
)
from firmware_bridge.transport import Transport
from firmware_bridge.virtual import InjectedFaults, Optics, PtyPort, VirtualSpectrometer
from tests.clocked import ClockedPort, Device
from tests.firmware.host import Driver, HostDevice

AXIS = np.arange(1100.0, 2499.0, 2.0)
SPECTRA = np.full((1, AXIS.size), 0.3)
BAUD = 921600
PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"


def tried(device: Device) -> Report:
    port = ClockedPort(device)
    subject = Subject(port, BAUD, clock=port.clock, sleep=port.sleep)
    return examine(subject, port.url)


def verdicts(report: Report, verdict: Verdict) -> set[str]:
    return {r.requirement.id for r in report.results if r.verdict is verdict}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda r: r.id)
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
    lacking = {"scan.lamp": 4, "scan.dark": 1, "scan.reference": 2}
    skipped = {name for name, needed in lacking.items() if not capabilities & needed}
    assert verdicts(report, Verdict.SKIPPED) == skipped


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


# ---- devices that are broken, each in one way


class Virtual(VirtualSpectrometer):
    """A virtual instrument that may have fewer parts."""

    capabilities = Capability.SHUTTER | Capability.REFERENCE | Capability.LAMP

    def __init__(self, optics=None, **options):
        super().__init__(SPECTRA, AXIS, optics or Optics(pixels=120), **options)

    def info(self):
        return replace(super().info(), capabilities=self.capabilities)

    def said(self, message, sequence, flags, stamp):
        """What is really sent instead; None = nothing."""
        return message, sequence, flags, stamp

    def _send(self, message, now, sequence=0, flags=0):
        up_us = round((now - (self._booted_at or now)) * 1e6)
        message, sequence, flags, stamp = self.said(message, sequence, flags, max(0, up_us))
        return encode_frame(encode(message, sequence, stamp, flags))


class OnePixel(Virtual):
    """The smallest there is."""

    def __init__(self):
        super().__init__(Optics(pixels=2))

    def info(self):
        return replace(super().info(), pixels=1)

    def said(self, message, *rest):
        if isinstance(message, Scan):
            full = int(message.counts[0] >= 65535)
            message = replace(message, counts=message.counts[:1], saturated=full)
        return (message, *rest)


BROKEN: dict[str, tuple[type[Virtual], set[str]]] = {}


def breaks(*requirements: str) -> Callable[[type[Virtual]], type[Virtual]]:
    def add(device: type[Virtual]) -> type[Virtual]:
        BROKEN[device.__name__] = device, set(requirements)
        return device

    return add


@breaks("stop.before-hello")
class StopNeedsHello(Virtual):
    greeted = False

    def _answer(self, header, message, now):
        self.greeted = self.greeted or isinstance(message, Hello)
        if isinstance(message, Stop) and not self.greeted:
            return ErrorReply(ErrorCode.HARDWARE, "say HELLO first")
        return super()._answer(header, message, now)


@breaks("hello.info", "hello.highest-version", "hello.later-version")
class AcknowledgesHello(Virtual):
    def _hello(self, hello):
        answer = super()._hello(hello)
        return Ack(1) if isinstance(answer, Info) else answer


@breaks("hello.highest-version")
class ChoosesWhatTheHostWants(Virtual):
    def _hello(self, hello):
        answer = super()._hello(hello)
        wrong = isinstance(answer, Info) and hello.max_version == 255
        return replace(answer, version=0) if wrong else answer


@breaks("hello.no-version")
class SpeaksAnyVersion(Virtual):
    def _hello(self, hello):
        return self.info()


@breaks("hello.later-version")
class HelloIsOfOneSizeForEver(Virtual):
    def _receive(self, body, now):
        if body[1:2] == b"\x01" and len(body) != 16:
            return self._send(ErrorReply(ErrorCode.MALFORMED, "HELLO has grown"), now)
        return super()._receive(body, now)


@breaks("info.limits")
class NoSerialNumber(Virtual):
    def info(self):
        return replace(super().info(), serial="")


@breaks("info.axis")
class AxisThatTurns(Virtual):
    def info(self):
        return replace(super().info(), coefficients=(900.0, 5.0, -0.1, 0.0, 0.0, 0.0))


@breaks("info.boot-id")
class BootIdAtEveryHello(Virtual):
    def info(self):
        self.boot_id += 1
        return super().info()


@breaks("answer.sequence")
class SequenceOfEightBits(Virtual):
    def said(self, message, sequence, flags, stamp):
        return message, sequence & 0xFF, flags, stamp


@breaks("answer.flag")
class NoResponseFlag(Virtual):
    def said(self, message, sequence, flags, stamp):
        return message, sequence, 0, stamp


@breaks("answer.one")
class AnswersTwice(Virtual):
    def _receive(self, body, now):
        out = super()._receive(body, now)
        return out * 2 if body[1:2] == b"\x05" else out


@breaks("ping.nonce")
class NonceOfSixteenBits(Virtual):
    def said(self, message, *rest):
        if isinstance(message, Ping):
            message = Ping(message.nonce & 0xFFFF)
        return (message, *rest)


@breaks("ack.request")
class AckOfNothing(Virtual):
    def said(self, message, *rest):
        return (Ack(0) if isinstance(message, Ack) else message, *rest)


class OneReadOneFrame(Virtual):
    """Takes what one read gives for one frame."""

    def feed(self, data, now):
        if not data.endswith(b"\0"):
            self._framer.reset()
            return self.poll(now)
        return super().feed(data, now)


BROKEN["OneReadOneFrame"] = OneReadOneFrame, {"answer.byte-by-byte"}


@breaks("answer.two-at-once")
class ForgetsTheFirstOfTwoPings(Virtual):
    def feed(self, data, now):
        frames = data.split(b"\0")
        pings = [f for f in frames if len(f) == 23]
        kinds = {f[2:3] for f in pings}
        first = frames[0] if len(pings) >= 3 and kinds == {b"\x09"} else None
        return super().feed(b"\0".join(f for f in frames if f is not first), now)


@breaks("repeat.same-answer")
class RepeatedRequestsAreAnErrorOfTheHost(Virtual):
    def _receive(self, body, now):
        if body == self._last_request and body[1:2] == b"\x03":
            header, _ = decode(body)
            twice = ErrorReply(ErrorCode.HARDWARE, "said before")
            return self._send(twice, now, header.sequence, Flags.RESPONSE)
        return super()._receive(body, now)


@breaks("repeat.done-once")
class CarriesRepeatsOutAgain(Virtual):
    def _receive(self, body, now):
        self._last_request = b""
        return super()._receive(body, now)


@breaks("repeat.other-request")
class KnowsRequestsByTheirSequenceAlone(Virtual):
    def _receive(self, body, now):
        if self._last_request[4:6] == body[4:6] and body[1:2] == b"\x04":
            self._last_request = body
        return super()._receive(body, now)


@breaks("frame.zeros")
class ZerosAreBadFrames(Virtual):
    def feed(self, data, now):
        empty = data.count(b"\0\0\0")
        out = super().feed(data, now)
        return self._send(ErrorReply(ErrorCode.BAD_FRAME, "empty"), now) + out if empty else out


class OverlooksAZero(Framer):
    """That is: where it waits for more of a frame."""

    def feed(self, data):
        return super().feed(data[:7] + data[8:] if data.find(b"\0") == 7 else data)


class DropsAllBehindABadFrame(Framer):
    def feed(self, data):
        bodies = []
        for piece in re.findall(rb"[^\0]*\0|[^\0]+", data):
            bad = self.counters.bad_frames
            bodies += super().feed(piece)
            if self.counters.bad_frames > bad:
                break
        return bodies


class NoCrc(Framer):
    def _check(self, frame):
        from cobs import cobs

        try:
            return cobs.decode(frame)[:-4]
        except cobs.DecodeError:
            self.counters.cobs_errors += 1
            return None


def with_framer(framer: Callable[[], Framer]):
    class Made(Virtual):
        def _power_on(self):
            super()._power_on()
            self._framer = framer()

    return Made


BROKEN["OverlooksAZero"] = with_framer(OverlooksAZero), {"frame.half"}
BROKEN["DropsAllBehindABadFrame"] = (
    with_framer(DropsAllBehindABadFrame),
    {"frame.half", "frame.then-good"},
)
BROKEN["NoCrc"] = with_framer(NoCrc), {"frame.wrong-crc"}


@breaks("frame.wrong-cobs", "frame.answer-unflagged")
class AcknowledgesGarbage(Virtual):
    def feed(self, data, now):
        bad = self._framer.counters.cobs_errors
        out = super().feed(data, now)
        if self._framer.counters.cobs_errors > bad and data.startswith(b"\xff\xfe\0"):
            out = self._send(Ack(0), now, 0, Flags.RESPONSE) + out
        return out


@breaks("frame.short")
class FillsShortBodiesUp(Virtual):
    def _receive(self, body, now):
        return super()._receive(body.ljust(14, b"\0") if len(body) == 13 else body, now)


class NoCap(Framer):
    def __init__(self):
        super().__init__(1 << 30)

    def _check(self, frame):
        return super()._check(frame[-23:] if len(frame) > 16384 else frame)


BROKEN["NoCap"] = with_framer(NoCap), {"frame.oversize"}


@breaks("frame.answer-unflagged")
class FlagsEveryError(Virtual):
    def said(self, message, sequence, flags, stamp):
        return message, sequence, 1 if isinstance(message, ErrorReply) else flags, stamp


@breaks("frame.noise")
class DrownsInNoise(Virtual):
    heard = 0

    def feed(self, data, now):
        self.heard += len(data)
        return b"" if 500_000 < self.heard < 540_000 else super().feed(data, now)


@breaks("type.unknown", "type.unknown-refused")
class AcknowledgesWhatItDoesNotKnow(Virtual):
    def _answer(self, header, message, now):
        return Ack(header.type) if message is None else super()._answer(header, message, now)


@breaks("type.unknown-refused")
class IgnoresWhatItDoesNotKnow(Virtual):
    def _receive(self, body, now):
        return b"" if body[1:2] == b"\xc8" else super()._receive(body, now)


@breaks("type.no-request")
class AcknowledgesAcks(Virtual):
    def _answer(self, header, message, now):
        return message if isinstance(message, Ack) else super()._answer(header, message, now)


def lenient(change: Callable[[bytes], bytes]):
    class Made(Virtual):
        def _receive(self, body, now):
            return super()._receive(change(body), now)

    return Made


BROKEN["IgnoresMore"] = (
    lenient(lambda b: b[:18] if b[1:2] == b"\x09" else b),
    {"payload.too-long"},
)
BROKEN["FillsUp"] = (
    lenient(lambda b: b + b"\0" if b[1:2] == b"\x09" and len(b) == 17 else b),
    {"payload.too-short", "frame.answer-unflagged"},
)
BROKEN["IgnoresVersions"] = (
    lenient(lambda b: b"\1" + b[1:] if b[1:2] == b"\x09" else b),
    {"version.foreign"},
)


@breaks("start.needed", "start.count", "repeat.done-once")
class NeedsNoStartAndNeverStops(Virtual):
    def _configure(self, wish, now):
        answer = super()._configure(wish, now)
        self._begin(now)
        return answer

    def _after(self, at):
        return b""


@breaks("start.count", "repeat.done-once")
class OneScanTooMany(Virtual):
    def _answer(self, header, message, now):
        answer = super()._answer(header, message, now)
        if isinstance(message, Start) and self._left:
            self._left += 1
        return answer


@breaks("start.endless", "stop.ends", "scan.settings-running")
class EndlessMeansOne(Virtual):
    def _answer(self, header, message, now):
        answer = super()._answer(header, message, now)
        if isinstance(message, Start):
            self._left = self._left or 1
        return answer


@breaks("stop.ends")
class OneMoreAfterStop(Virtual):
    def _answer(self, header, message, now):
        running = self.streaming
        answer = super()._answer(header, message, now)
        if isinstance(message, Stop) and running:
            self._left = 1
            self._begin(now)
        return answer


@breaks("scan.numbers")
class CountsFromEveryStart(Virtual):
    def _answer(self, header, message, now):
        if isinstance(message, Start):
            self._number = 0
        return super()._answer(header, message, now)


@breaks("scan.unasked")
class ScansBearASequence(Virtual):
    def said(self, message, sequence, flags, stamp):
        return message, 7 if isinstance(message, Scan) else sequence, flags, stamp


def scans_as(change: Callable[[Scan], Scan]):
    class Made(Virtual):
        def said(self, message, *rest):
            return (change(message) if isinstance(message, Scan) else message, *rest)

    return Made


BROKEN["OnePixelMore"] = (
    scans_as(lambda s: replace(s, counts=np.append(s.counts, np.uint16(0)))),
    {"scan.pixels"},
)
BROKEN["BeyondFullScale"] = (
    scans_as(lambda s: replace(s, counts=s.counts.astype(np.uint32) * 2)),
    {"scan.full-scale"},
)
BROKEN["NeverSaturated"] = scans_as(lambda s: replace(s, saturated=0)), {"scan.saturated"}
BROKEN["AlwaysOneAverage"] = (
    scans_as(lambda s: replace(s, averages=1)),
    {"scan.settings", "scan.settings-running", "configure.no-change"},
)
BROKEN["LampAlwaysStable"] = scans_as(lambda s: replace(s, lamp=2)), {"scan.lamp"}
BROKEN["NeverDark"] = (
    scans_as(lambda s: replace(s, position=s.position or Position.SAMPLE)),
    {"scan.dark"},
)
BROKEN["NoReference"] = (
    scans_as(lambda s: replace(s, position=s.position % 2)),
    {"scan.reference"},
)


@breaks("scan.settings-running")
class SettingsWaitForTheNextStart(Virtual):
    def _configure(self, wish, now):
        before = self._settings
        answer = super()._configure(wish, now)
        self.wish = self._settings
        if self.streaming:
            self._settings = before
        return answer

    def _answer(self, header, message, now):
        if isinstance(message, Start):
            self._settings = getattr(self, "wish", self._settings)
        return super()._answer(header, message, now)


@breaks("clock.forward", "scan.exposures", "scan.pace")
class NoClock(Virtual):
    def said(self, message, sequence, flags, stamp):
        return message, sequence, flags, 0


@breaks("scan.exposures")
class ExposesOnceForAllAverages(Virtual):
    def _period_s(self):
        settings = self._settings
        self._settings = replace(settings, averages=1)
        period_s = super()._period_s()
        self._settings = settings
        return period_s


@breaks("scan.pace")
class FasterThanTheLine(Virtual):
    def _period_s(self):
        settings = self._settings
        return settings.integration_us * settings.averages * 1e-6


@breaks("configure.limits")
class TakesAnyIntegration(Virtual):
    def _configure(self, wish, now):
        within = min(max(wish.integration_us, 10), 10_000_000)
        return super()._configure(replace(wish, integration_us=within), now)


@breaks("configure.values")
class TakesAnyPosition(Virtual):
    def _configure(self, wish, now):
        position = wish.position if wish.position < 3 or wish.lamp > 1 else 0
        return super()._configure(replace(wish, position=position), now)


@breaks("configure.no-change")
class ForgetsItsSettingsOverARefusal(Virtual):
    def _configure(self, wish, now):
        answer = super()._configure(wish, now)
        if isinstance(answer, ErrorReply):
            self._settings = replace(self._settings, averages=1)
        return answer


@breaks("configure.able")
class ClaimsNoShutter(Virtual):
    capabilities = Capability.REFERENCE | Capability.LAMP


class BitsFlip(Virtual):
    """Every tenth frame is broken on its way out, behind the one that says the same."""

    sent = 0

    def _send(self, message, now, sequence=0, flags=0):
        frame = super()._send(message, now, sequence, flags)
        self.sent += 1
        return frame if self.sent % 10 else b"\x05abcd\0" + frame


BROKEN["BitsFlip"] = BitsFlip, {"frame.valid"}


@breaks("message.valid")
class SendsMessagesThatAreTooLong(Virtual):
    def _send(self, message, now, sequence=0, flags=0):
        frame = super()._send(message, now, sequence, flags)
        if isinstance(message, Scan):
            frame = encode_frame(encode(Ack(1)) + b"more") + frame
        return frame


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
