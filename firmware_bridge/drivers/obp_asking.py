"""Asking an instrument that speaks the Ocean Binary Protocol: one request, its own answer.

Requests go out without a checksum, as every public program sends them: whether an instrument then
answers with one is nowhere said. A checksum that comes is verified, and demanded from then on. A
response is recognised by `regarding`, which an instrument sends back; should one send zero there,
the kind of message must do until it once sends back what it was sent.
"""

from __future__ import annotations

import math
import secrets
import struct
from collections.abc import Callable
from contextlib import suppress

from firmware_bridge.drivers.obp import (
    DEFERRED,
    ERRORS,
    SHORTEST,
    Ask,
    Flag,
    Message,
    decode,
    encode,
    length,
)
from firmware_bridge.drivers.talk import Exchange, Nonsense, Refused, Talk

MAX_COEFFICIENTS = 16
THINKS_S = 1.0


class ObpAsking:
    """What is remembered from one request to the next. version: of the protocol, to ask in."""

    def __init__(self, baud: int) -> None:
        self.version = 0x1100
        self._baud = baud
        # Not from 1: an answer to another host's request of the same number may still come.
        self._asked = secrets.randbits(31)
        self._checked = self._echoes = False

    def ask(
        self,
        kind: Ask,
        payload: bytes = b"",
        flags: Flag = Flag.NONE,
        *,
        size: int | None = None,
        wait_s: float = 0.0,
        check: Callable[[bytes], None] | None = None,
    ) -> Talk[bytes]:
        """What comes back; raises Refused.

        size: of that, bytes, where known; wait_s: how long it takes beside thinking and sending;
        check: raises Nonsense where what came back cannot be the answer.
        """
        self._asked += 1
        asked = Message(int(kind), payload, flags, regarding=self._asked, version=self.version)
        name = kind.name

        def whole(received: bytes) -> int | None:
            end = self._end_of_answer(received, asked)
            if end is not None:
                reply = self._answer(received[:end])
                if not _refused(reply):
                    if size is not None and len(reply.payload) != size:
                        raise Nonsense(f"{len(reply.payload)} bytes for {name}, not {size}")
                    if check is not None:
                        check(reply.payload)
            return end

        request = encode(asked)
        bytes_both_ways = len(request) + SHORTEST + (size or 0)
        got = yield Exchange(
            name,
            request,
            whole,
            f"a response to {name} (0x{kind:08x})",
            timeout_s=THINKS_S + wait_s + bytes_both_ways * 10 / self._baud * 1.2,
            numbered=True,
        )
        reply = self._answer(got)
        self._checked = self._checked or reply.md5
        self._echoes = self._echoes or reply.regarding == asked.regarding
        if _refused(reply):
            raise Refused(name, reply.error, ERRORS.get(reply.error, "an error without a name"))
        return reply.payload

    def coefficients(self, count: Ask, each: Ask) -> Talk[list[float]]:
        """A polynomial from its constant on; empty where the instrument keeps none."""
        reply = yield from self.optional(count, 1)
        number = reply[0] if reply else 0
        if number > MAX_COEFFICIENTS:
            raise Nonsense(f"{number} coefficients")
        found = []
        for index in range(number):
            data = yield from self.ask(each, bytes((index,)), size=4)
            found.append(float(struct.unpack("<f", data)[0]))
        if not all(math.isfinite(value) for value in found):
            raise Nonsense(f"coefficients that are no numbers: {found}")
        return found

    def optional(self, kind: Ask, size: int) -> Talk[bytes]:
        """A reply, empty where the instrument refuses."""
        try:
            return (yield from self.ask(kind, size=size))
        except Refused:
            return b""

    def undo(self, kind: Ask, payload: bytes = b"") -> Talk[None]:
        """What another program may have set; what an instrument refuses, it does not have."""
        with suppress(Refused):
            yield from self.set(kind, payload)

    def set(self, kind: Ask, payload: bytes = b"") -> Talk[None]:
        """Set something; raises Refused."""
        yield from self.ask(kind, payload, Flag.ASK_ACK, size=0)

    # ---- inside

    def _end_of_answer(self, received: bytes, asked: Message) -> int | None:
        """Where the answer to `asked` ends; answers to older requests may stand before it."""
        at = 0
        while at < len(received):
            size = length(received[at:])
            if size is None or len(received) < at + size:
                return None
            reply = decode(received[at : at + size])
            at += size
            about = (asked.regarding,) if self._echoes else (asked.regarding, 0)
            if reply.kind == asked.kind and reply.regarding in about and reply.error != DEFERRED:
                return at
        return None

    def _answer(self, received: bytes) -> Message:
        """The last message in `received`."""
        while (size := length(received)) is not None and size < len(received):
            received = received[size:]
        reply = decode(received)
        if self._checked and not reply.md5:
            raise Nonsense("a message without its MD5, which the ones before had")
        return reply


def _refused(reply: Message) -> bool:
    return bool(reply.flags & (Flag.NACK | Flag.EXCEPTION)) or reply.error != 0
