"""Instruments whose frames, versions or answers break one requirement each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from firmware_bridge.framing import Framer
from firmware_bridge.protocol import (
    Ack,
    ErrorCode,
    ErrorReply,
    Flags,
    Hello,
    Info,
    Ping,
    Stop,
    decode,
)

from .broken import Broken, Virtual, into

BROKEN: Broken = {}
breaks = into(BROKEN)


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
