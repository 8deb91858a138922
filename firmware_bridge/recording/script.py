"""A recording as what is played: requests to wait for, and pieces to send."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.framing import DELIMITER, Framer, encode_frame
from firmware_bridge.protocol import (
    Flags,
    Header,
    Hello,
    Message,
    Ping,
    ProtocolError,
    Start,
    Stop,
    decode,
    encode,
)
from firmware_bridge.recording.file import Chunk, Note, Recording


@dataclass(frozen=True)
class Request:
    """What the host sent; whole frames, or a turn's bytes where frames are not known."""

    t: float
    data: bytes


@dataclass(frozen=True)
class Piece:
    """What the instrument sent."""

    t: float
    data: bytes


Step = Request | Piece | Note


def speaks_spektron(recording: Recording) -> bool:
    """Whether a host's frame of our own protocol is in it."""
    framer = Framer()
    return any(
        any(parsed(body) is not None for body in framer.feed(line.data))
        for line in recording.lines
        if isinstance(line, Chunk) and line.side == "host"
    )


def steps(recording: Recording, *, framed: bool) -> list[Step]:
    """framed: cut both directions into frames, each at the time when it was whole."""
    return _framed(recording) if framed else _turns(recording)


def _framed(recording: Recording) -> list[Step]:
    out: list[Step] = []
    begun = {"host": b"", "instrument": b""}
    t = 0.0
    for line in recording.lines:
        t = line.t
        if isinstance(line, Note):
            out.append(line)
            continue
        pieces = (begun[line.side] + line.data).split(DELIMITER)
        begun[line.side] = pieces.pop()
        for piece in pieces:
            data = piece + DELIMITER
            if line.side == "instrument":
                out.append(Piece(t, data))
            elif unframed(data) is not None:
                # What no instrument could read did nothing.
                out.append(Request(t, data))
    if begun["instrument"]:
        out.append(Piece(t, begun["instrument"]))
    return out


def without_questions(steps: list[Step]) -> tuple[list[Step], frozenset[int]]:
    """Framed steps but for every HELLO amid a stream; and the sequences of these."""
    out: list[Step] = []
    left_out: set[int] = set()
    started = False
    for step in steps:
        said = unframed(step.data) if isinstance(step, Request) else None
        if said is not None:
            header, message = said
            if started and isinstance(message, Hello):
                left_out.add(header.sequence)
                continue
            started = isinstance(message, Start) or (started and not isinstance(message, Stop))
        out.append(step)
    return out, frozenset(left_out)


def _turns(recording: Recording) -> list[Step]:
    out: list[Step] = []
    for line in recording.lines:
        if isinstance(line, Note):
            out.append(line)
        elif line.side == "instrument":
            out.append(Piece(line.t, line.data))
        elif out and isinstance(out[-1], Request):
            out[-1] = Request(out[-1].t, out[-1].data + line.data)
        else:
            out.append(Request(line.t, line.data))
    return out


def parsed(body: bytes) -> tuple[Header, Message] | None:
    """What a body says; None where that is nothing."""
    try:
        header, message = decode(body)
    except ProtocolError:
        return None
    return None if message is None else (header, message)


def unframed(frame: bytes) -> tuple[Header, Message] | None:
    """What a frame says, delimiter included; None where that is nothing."""
    bodies = Framer().feed(frame)
    return parsed(bodies[0]) if bodies else None


class Renumbered:
    """Answers under the sequences of today's host, which begin anywhere."""

    def __init__(self) -> None:
        self._today: dict[int, tuple[int, Message]] = {}

    def asked(self, then: Header, now: Header, message: Message) -> None:
        """The recorded request was this one of today."""
        self._today[then.sequence] = (now.sequence, message)

    def answer(self, frame: bytes) -> bytes:
        """The recorded frame as today's host must hear it; what is no answer stays as it was."""
        bodies = Framer().feed(frame)
        said = parsed(bodies[0]) if bodies else None
        if said is None or not said[0].flags & Flags.RESPONSE:
            return frame
        header, message = said
        if header.sequence not in self._today:
            return frame
        sequence, request = self._today[header.sequence]
        if isinstance(message, Ping) and isinstance(request, Ping):
            return encode_frame(encode(request, sequence, header.device_us, header.flags))
        # Only these two bytes: INFO and ERROR may be longer than this version knows.
        body = bodies[0]
        return encode_frame(body[:4] + sequence.to_bytes(2, "little") + body[6:])
