"""What tests of the broker's client say and hear."""

from __future__ import annotations

import queue
import time

from spektron_edge.inbox import Acknowledged, Connected, FaultRaised
from spektron_edge.mqtt.topics import Topics
from tests import mqtt_peer as mp

TOPICS = Topics("plant", "nir")
PATIENCE_S = 20.0


class Said:
    """What the client told the daemon."""

    def __init__(self):
        self._arriving = queue.Queue()
        self.items = []

    def __call__(self, item):
        self._arriving.put(item)

    def until(self, wanted, what):
        """The first item, early or late, that `wanted` accepts."""
        for item in self.items:
            if wanted(item):
                return item
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                self.items.append(self._arriving.get(timeout=0.1))
            except queue.Empty:
                continue
            if wanted(self.items[-1]):
                return self.items[-1]
        raise AssertionError(f"waited in vain for {what}; there was {self.items}")

    def fault(self, kind=None):
        item = self.until(
            lambda i: isinstance(i, FaultRaised) and kind in (None, i.fault.kind), f"fault {kind}"
        )
        return item.fault

    def answer(self, number):
        return self.until(
            lambda i: isinstance(i, Acknowledged) and i.mid == number, f"PUBACK of {number}"
        )

    def connected(self):
        return self.until(lambda i: isinstance(i, Connected), "a session")


def accepting(line):
    """Accept, and acknowledge whatever comes."""
    line.read(mp.CONNECT)
    line.send(mp.ACCEPT)
    while True:
        packet = line.read()
        if packet.kind == mp.PUBLISH:
            line.send(mp.puback(packet.mid))


def accept_and(*what):
    def script(line):
        line.read(mp.CONNECT)
        line.send(mp.ACCEPT)
        for step in what:
            if isinstance(step, bytes):
                line.send(step)
            else:
                line.read(step)

    return script


def published(line):
    return [(p.topic.rsplit("/", 1)[-1], p.retain) for p in line.seen if p.kind == mp.PUBLISH]
