"""Carries a talk on with replies that a test gives, and an instrument on over a real pty."""

from __future__ import annotations

from typing import TypeVar

from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.talk import Exchange, Talk
from firmware_bridge.intake import Received
from firmware_bridge.protocol import Configure, Position
from firmware_bridge.virtual import PtyPort
from firmware_bridge.virtual.instrument import Foreign

T = TypeVar("T")


def played(talk: Talk[T], *replies: bytes) -> tuple[list[bytes], T]:
    """What the talk sends, and what it comes to, where each reply passes as whole."""
    sent: list[bytes] = []
    left = list(replies)
    reply: bytes | None = None
    while True:
        try:
            step = next(talk) if reply is None else talk.send(reply)
        except StopIteration as stop:
            assert not left
            return sent, stop.value
        reply = b""
        if isinstance(step, Exchange) and step.send:
            sent.append(step.send)
            reply = left.pop(0)
            assert step.whole(reply) == len(reply)


def over_a_pty(driver: Driver, device: Foreign, integration_us: int, **given) -> list[Received]:
    """Two scans through pyserial, in two connections."""
    found = []
    with PtyPort(device) as port:
        instrument = driver.make(Place(port.url, device.baud, **given))
        for _ in range(2):
            try:
                instrument.open()
                instrument.configure(Configure(integration_us, 1, 1, Position.SAMPLE))
                instrument.start(1)
                received = instrument.read(60.0)
                assert received is not None
                found.append(received)
            finally:
                instrument.close()
    return found
