"""Instruments whose scans or settings break one requirement each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firmware_bridge.framing import encode_frame
from firmware_bridge.protocol import (
    Ack,
    Capability,
    ErrorReply,
    Position,
    Scan,
    Start,
    Stop,
    encode,
)

from .broken import Broken, Virtual, into

BROKEN: Broken = {}
breaks = into(BROKEN)


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


@breaks("scan.numbers", "run.numbers")
class CountsFromEveryStart(Virtual):
    def _answer(self, header, message, now):
        if isinstance(message, Start):
            self._number = 0
        return super()._answer(header, message, now)


@breaks("run.numbers")
class CountsFromEveryHello(Virtual):
    def _hello(self, hello):
        self._number = 0
        return super()._hello(hello)


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


@breaks("clock.forward", "clock.unit", "clock.rate", "scan.exposures", "scan.pace")
class NoClock(Virtual):
    def said(self, message, sequence, flags, stamp):
        return message, sequence, flags, 0


@breaks("clock.unit", "clock.rate", "scan.exposures", "scan.pace")
class ClockInMilliseconds(Virtual):
    def said(self, message, sequence, flags, stamp):
        return message, sequence, flags, stamp // 1000


@breaks("clock.rate")
class ClockOfAResistor(Virtual):
    def said(self, message, sequence, flags, stamp):
        return message, sequence, flags, stamp * 101 // 100


BROKEN["NoShutter"] = (
    scans_as(lambda s: replace(s, counts=np.full_like(s.counts, 30000), saturated=0)),
    {"scan.dark-counts"},
)


@breaks("scan.averages")
class TakesOneExposureForMany(Virtual):
    averages = 1

    def _scan(self, at):
        settings = self._settings
        self.averages = settings.averages
        self._settings = replace(settings, averages=1)
        out = super()._scan(at)
        self._settings = settings
        return out

    def said(self, message, *rest):
        if isinstance(message, Scan):
            message = replace(message, averages=self.averages)
        return (message, *rest)


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


# What a power-on leaves as it was.
SWITCHED: Broken = {}
keeps = into(SWITCHED)


@keeps("power.boot-id")
class KeepsItsBootId(Virtual):
    def _power_on(self):
        boot_id = getattr(self, "boot_id", 7)
        super()._power_on()
        self.boot_id = boot_id


@keeps("power.numbers")
class KeepsItsNumbers(Virtual):
    def _power_on(self):
        number = getattr(self, "_number", 0)
        super()._power_on()
        self._number = number


@keeps("power.clock")
class KeepsItsClock(Virtual):
    def said(self, message, sequence, flags, stamp):
        return message, sequence, flags, stamp + 10**10 * (self._boots > 1)


@keeps("power.quiet")
class StreamsAtOnce(Virtual):
    def power_cycle(self, now):
        out = super().power_cycle(now)
        self._begin(now)
        return out
