"""A subscriber that keeps every message, in the order of arrival."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.integration.rig import PATIENCE_S, until


@dataclass
class Ear:
    """messages: what was heard so far; `client` may publish, too."""

    client: paho.Client
    granted: bool = True
    refused: list[Any] = field(default_factory=list)
    messages: list[paho.MQTTMessage] = field(default_factory=list)
    _arriving: queue.Queue[paho.MQTTMessage] = field(default_factory=queue.Queue)

    def hear(self) -> list[paho.MQTTMessage]:
        """Everything so far."""
        while not self._arriving.empty():
            self.messages.append(self._arriving.get())
        return self.messages

    def until(
        self, wanted: Callable[[paho.MQTTMessage], Any], what: str, patience_s: float = PATIENCE_S
    ) -> paho.MQTTMessage:
        """The first message that is wanted; those before it are forgotten, it is not."""

        def find() -> paho.MQTTMessage | None:
            for at, message in enumerate(self.hear()):
                if wanted(message):
                    del self.messages[:at]
                    return message
            return None

        return until(find, what, patience_s)

    def forget(self) -> None:
        """What was heard so far."""
        self.hear().clear()


@contextlib.contextmanager
def ear(port: int, *topics: str, tls: Any = None, **options: Any) -> Iterator[Ear]:
    """Subscribed at QoS 1. tls: an SSL context; options: of paho's client."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, **options
    )
    if tls is not None:
        client.tls_set_context(tls)
    found, ready = Ear(client), queue.Queue[Any]()
    client.on_message = lambda _c, _u, message: found._arriving.put(message)
    client.on_subscribe = lambda _c, _u, _m, reasons, _p: ready.put(reasons)
    client.on_connect = lambda c, *_: [c.subscribe(topic, qos=1) for topic in topics]
    client.reconnect_delay_set(0.05, 0.05)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        for _ in topics:
            reasons = ready.get(timeout=PATIENCE_S)
            found.granted = found.granted and not any(reason.is_failure for reason in reasons)
        yield found
    finally:
        client.disconnect()
        client.loop_stop()
