"""What is no frame, no message or no request: it does nothing, and the next one is understood."""

from __future__ import annotations

import random

from firmware_bridge.conformance.requirement import Requirement, Severity, requires
from firmware_bridge.conformance.subject import Broken, Subject
from firmware_bridge.framing import CRC_BYTES, DELIMITER, MAX_FRAME, encode_frame
from firmware_bridge.protocol import (
    Ack,
    Decoded,
    ErrorCode,
    ErrorReply,
    Event,
    Flags,
    Info,
    Message,
    Ping,
    Start,
    Stop,
    encode,
)

FRAMES: list[Requirement] = []
_BAD = "A receiver that reads a bad frame counts it and goes on"
_UNKNOWN = "a message that is no request by ERROR(UNKNOWN_TYPE)"
_LENGTH = "All other payloads have exactly the declared length."
NOISE_BYTES = 1 << 20
# At slow lines noise is cut short: nobody waits longer.
_NOISE_S = 30.0


@requires(FRAMES, "frame.zeros", "Zeros in a row are allowed and mean nothing")
def _zeros(subject: Subject) -> None:
    heard = subject.said_to(DELIMITER * 50)
    if heard:
        raise Broken("nothing said to zeros in a row", heard)
    _alive(subject, "zeros in a row")


@requires(FRAMES, "frame.half", "so a zero sent first ends whatever half a frame")
def _half(subject: Subject) -> None:
    half = subject.frame(Ping(21))[:7]
    _alive(subject, "half a frame and a zero", half)


@requires(FRAMES, "frame.wrong-crc", _BAD)
def _wrong_crc(subject: Subject) -> None:
    body = encode(Ping(22), subject.next_sequence(), version=1)
    frame = encode_frame(body)
    for at in (3, len(frame) - CRC_BYTES, len(frame) - 2):
        damaged = bytearray(frame)
        damaged[at] ^= 0x20
        _does_nothing(subject, bytes(damaged), "a frame with one wrong bit")


@requires(FRAMES, "frame.wrong-cobs", _BAD)
def _wrong_cobs(subject: Subject) -> None:
    _does_nothing(subject, b"\xff\xfe\0", "a frame that is no COBS")


@requires(FRAMES, "frame.short", _BAD)
def _short(subject: Subject) -> None:
    for body in (b"", b"\x01", b"short", encode(Stop(), 5, version=1)[:-1]):
        _does_nothing(subject, encode_frame(body), f"a body of {len(body)} bytes")


@requires(FRAMES, "frame.oversize", "a receiver discards a longer one up to the next")
def _oversize(subject: Subject) -> None:
    hidden = subject.frame(Ping(23))
    _does_nothing(subject, b"\x55" * (MAX_FRAME + 100) + hidden, "a frame that is too long")
    _alive(subject, "a frame that is too long")


@requires(FRAMES, "frame.answer-unflagged", "with ERROR(BAD_FRAME), without the response flag")
def _unflagged(subject: Subject) -> None:
    for data in (b"\xff\xfe\0", encode_frame(encode(Ping(24), 9, version=1)[:-1])):
        for header, message in subject.said_to(data):
            if header.flags & Flags.RESPONSE:
                raise Broken("no response flag in what is said to a bad frame", message)


@requires(FRAMES, "frame.then-good", _BAD)
def _garbage_then_good(subject: Subject) -> None:
    noise = random.Random(5)  # noqa: S311  the same for everybody
    for size in (1, 3, 30, 300, 3000):
        heard = subject.said_to(noise.randbytes(size) + DELIMITER + subject.frame(Ping(size)))
        if Ping(size) not in [message for _, message in heard]:
            raise Broken(f"an answer to the frame behind {size} bytes of noise", heard)


@requires(FRAMES, "frame.noise", _BAD, long=True)
def _noise(subject: Subject) -> None:
    noise = random.Random(6)  # noqa: S311  the same for everybody
    most = min(NOISE_BYTES, int(_NOISE_S * subject.baud / 10))
    sent = 0
    while sent < most:
        piece = noise.randbytes(min(1 << 14, most - sent))
        sent += len(piece)
        subject.send(piece)
        subject.listen(0.0)
        _alive(subject, f"{sent} bytes of noise")


@requires(FRAMES, "type.unknown", "A receiver skips and counts unknown message types")
def _unknown_type(subject: Subject) -> None:
    for size in (14, 20, 3000):
        body = _unknown(subject, size)
        for header, message in subject.said_to(encode_frame(body)):
            if not isinstance(message, ErrorReply | Event):
                raise Broken("ERROR, or nothing, for an unknown type", Decoded(header, message))
    _alive(subject, "an unknown type")


@requires(FRAMES, "type.unknown-refused", _UNKNOWN, severity=Severity.SHOULD)
def _unknown_refused(subject: Subject) -> None:
    heard = subject.said_to(encode_frame(_unknown(subject, 20)))
    codes = [message.code for _, message in heard if isinstance(message, ErrorReply)]
    if codes != [ErrorCode.UNKNOWN_TYPE]:
        raise Broken("ERROR(UNKNOWN_TYPE) for an unknown type", heard)


@requires(FRAMES, "type.no-request", _UNKNOWN)
def _no_request(subject: Subject) -> None:
    messages: tuple[Message, ...] = (Ack(1), Event(1, "x"), ErrorReply(1, "no"))
    for message in messages:
        answer = subject.ask(message).message
        if not isinstance(answer, ErrorReply) or answer.code != ErrorCode.UNKNOWN_TYPE:
            raise Broken(f"ERROR(UNKNOWN_TYPE) for {message} from the host", answer)


@requires(FRAMES, "payload.too-long", _LENGTH)
def _too_long(subject: Subject) -> None:
    body = encode(Ping(25), subject.next_sequence(), version=1) + b"x"
    _does_nothing(subject, encode_frame(body), "PING with a byte too many")
    body = encode(Start(1), subject.next_sequence(), version=1) + b"x"
    _does_nothing(subject, encode_frame(body), "START with a byte too many")


@requires(FRAMES, "payload.too-short", _LENGTH)
def _too_short(subject: Subject) -> None:
    body = encode(Ping(26), subject.next_sequence(), version=1)[:-1]
    _does_nothing(subject, encode_frame(body), "PING with a byte too few")


@requires(FRAMES, "version.foreign", "A frame of a version that its receiver does not speak")
def _foreign(subject: Subject) -> None:
    body = encode(Ping(27), subject.next_sequence(), version=200)
    _does_nothing(subject, encode_frame(body), "PING of version 200")


def _unknown(subject: Subject, size: int) -> bytes:
    body = bytearray(encode(Stop(), subject.next_sequence(), version=1))
    body[1] = 200
    return bytes(body) + bytes(size - len(body))


def _does_nothing(subject: Subject, data: bytes, what: str) -> None:
    """Nothing but ERROR may be said to it, and not as an answer to a request."""
    for header, message in subject.said_to(data):
        if isinstance(message, Ping | Ack | Info):
            raise Broken(f"nothing done for {what}", Decoded(header, message))


def _alive(subject: Subject, after: str, data: bytes = b"") -> None:
    subject.said_to(data + DELIMITER)
    if not subject.answered:
        raise Broken(f"an answer to the PING after {after}", "none")
