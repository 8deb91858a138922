"""Who is there, and whether requests are answered as promised."""

from __future__ import annotations

import numpy as np

from firmware_bridge.conformance.requirement import Requirement, requires
from firmware_bridge.conformance.subject import Broken, Subject
from firmware_bridge.framing import encode_frame
from firmware_bridge.info_check import what_cannot_be
from firmware_bridge.protocol import (
    Ack,
    Configure,
    ErrorCode,
    ErrorReply,
    Flags,
    Hello,
    Info,
    Message,
    Ping,
    Start,
    Stop,
    encode,
    wavelengths,
)

SESSION: list[Requirement] = []
_EVERY_REQUEST = "Every request is answered by one frame with flag RESPONSE and the request's"
_HELLO = "The host sends HELLO with the versions it speaks; the instrument answers INFO"


@requires(SESSION, "stop.before-hello", "Allowed at any time, before HELLO too.")
def _stop_before_hello(subject: Subject) -> None:
    answer = subject.ask(Stop()).message
    if not isinstance(answer, Ack):
        raise Broken("ACK of STOP, without a HELLO", answer)


@requires(SESSION, "hello.info", _HELLO)
def _hello(subject: Subject) -> None:
    subject.hello()


@requires(SESSION, "hello.highest-version", "highest version both sides speak; used from here on")
def _highest_version(subject: Subject) -> None:
    for low, high in ((1, 1), (0, 1), (1, 9), (0, 255)):
        answer = subject.ask(Hello(low, high)).message
        if not isinstance(answer, Info) or not max(low, 1) <= answer.version <= high:
            raise Broken(f"INFO with a version of {max(low, 1)} to {high}", answer)


@requires(SESSION, "hello.no-version", "or ERROR(UNSUPPORTED_VERSION)")
def _no_version(subject: Subject) -> None:
    for low, high in ((0, 0), (255, 255), (2, 1)):
        _refused(subject, Hello(low, high), ErrorCode.UNSUPPORTED_VERSION)


@requires(SESSION, "hello.later-version", "They may grow at the end; a receiver ignores")
def _later_version(subject: Subject) -> None:
    body = encode(Hello(1, 7), subject.next_sequence(), version=7) + b"and more"
    answer = subject.answer_to(encode_frame(body), "HELLO of version 7, with more at its end")
    if not isinstance(answer.message, Info):
        raise Broken("INFO", answer.message)


@requires(SESSION, "info.limits", "Who the instrument is and what it can do.")
def _limits(subject: Subject) -> None:
    if (wrong := what_cannot_be(subject.info)) is not None:
        raise Broken(*wrong)


@requires(SESSION, "info.axis", "wavelength in nm = sum of c[i] * pixel**i, pixel counted from 0")
def _axis(subject: Subject) -> None:
    info = subject.info
    nm = wavelengths(info)
    steps = np.diff(nm)
    if not np.isfinite(nm).all() or (nm <= 0).any() or not ((steps > 0).all() or (steps < 0).all()):
        raise Broken("wavelengths above 0 nm that rise, or fall, all along", info.coefficients)


@requires(
    SESSION, "info.boot-id", "`device_us` never goes back, nor `boot_id` change, until the next"
)
def _boot_id(subject: Subject) -> None:
    first = subject.info
    subject.begin()
    second = subject.hello()
    if first.boot_id != second.boot_id:
        raise Broken(f"boot_id {first.boot_id} in every session", second.boot_id)


@requires(SESSION, "answer.sequence", _EVERY_REQUEST)
def _sequence(subject: Subject) -> None:
    for sequence in (0x1234, 0xFFFF, 0, 1):
        header = subject.ask(Ping(sequence + 7), sequence).header
        if header.sequence != sequence:
            raise Broken(f"sequence {sequence} in the answer", header.sequence)


@requires(SESSION, "answer.flag", "1: this frame answers the request of the same sequence")
def _flag(subject: Subject) -> None:
    for message in (Ping(3), Stop(), Hello(1, 1), Configure(0, 0, 0, 0)):
        answer = subject.ask(message)
        if not answer.header.flags & Flags.RESPONSE:
            raise Broken(f"the response flag in the answer to {message}", answer)


@requires(SESSION, "answer.one", "is answered by one frame")
def _one_answer(subject: Subject) -> None:
    for message in (Hello(1, 1), Stop()):
        heard = subject.said_to(subject.frame(message))
        answers = [m for _, m in heard if isinstance(m, Info | Ack | ErrorReply | Ping)]
        if len(answers) != 1:
            raise Broken(f"one answer to {message}", answers)


@requires(SESSION, "ping.nonce", "answered by the same PING with the response flag.")
def _nonce(subject: Subject) -> None:
    for nonce in (0, 1, 0xDEADBEEF, 0xFFFFFFFF):
        answer = subject.ask(Ping(nonce)).message
        if answer != Ping(nonce):
            raise Broken(str(Ping(nonce)), answer)


@requires(SESSION, "ack.request", "type of the request (MessageType)")
def _ack(subject: Subject) -> None:
    requests: tuple[Message, ...] = (subject.settings(), Start(1), Stop())
    for message in requests:
        answer = subject.ask(message).message
        if answer != Ack(message.TYPE):
            raise Broken(f"{Ack(message.TYPE)} for {message.TYPE.name}", answer)


@requires(SESSION, "answer.two-at-once", _EVERY_REQUEST)
def _two_at_once(subject: Subject) -> None:
    pings = [Ping(11), Ping(12)]
    heard = subject.said_to(b"".join(subject.frame(ping) for ping in pings))
    answers = [message for _, message in heard if isinstance(message, Ping)]
    if answers != pings:
        raise Broken(f"answers to {pings} that came in one piece", answers)


@requires(SESSION, "answer.byte-by-byte", _EVERY_REQUEST)
def _byte_by_byte(subject: Subject) -> None:
    frame = subject.frame(Ping(13))
    for value in frame[:-1]:
        subject.send(bytes((value,)))
        subject.listen(0.002)
    answer = subject.answer_to(frame[-1:], "PING in pieces of one byte").message
    if answer != Ping(13):
        raise Broken("an answer to PING in pieces of one byte", answer)


@requires(
    SESSION, "repeat.same-answer", "The instrument answers a frame equal to the request before it"
)
def _repeated(subject: Subject) -> None:
    refused = subject.frame(Configure(0, 0, 9, 9))
    first = subject.answer_to(refused, "CONFIGURE").message
    again = subject.answer_to(refused, "the same CONFIGURE again").message
    if first != again:
        raise Broken(f"{first} once more", again)


def _refused(subject: Subject, message: Message, code: ErrorCode) -> None:
    answer = subject.ask(message).message
    if not isinstance(answer, ErrorReply) or answer.code != code:
        raise Broken(f"ERROR({code.name}) for {message}", answer)
