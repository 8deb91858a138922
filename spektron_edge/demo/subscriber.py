"""An independent subscriber: knows the topics and JSON, nothing else of the daemon."""

from __future__ import annotations

import contextlib
import json
import queue
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as paho

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.mqtt.connection import connect_plain

_KINDS = ("prediction", "event", "state", "status", "model")


class Subscriber:
    """Collects what an instrument publishes; records that come twice under one id count once."""

    def __init__(self) -> None:
        self.predictions: queue.Queue[dict[str, Any]] = queue.Queue()
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.state: dict[str, Any] = {}
        self.offline = False
        self._seen: set[str] = set()

    def take(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        """Paho's on_message."""
        kind = message.topic.rsplit("/", 1)[-1]
        if kind not in _KINDS:
            return
        record = json.loads(message.payload)
        if kind == "state":
            self.state = record
        elif kind == "status":
            self.offline = record["status"] == "offline"
        elif kind != "model" and record["id"] not in self._seen:
            self._seen.add(record["id"])
            (self.predictions if kind == "prediction" else self.events).put(record)


@contextlib.contextmanager
def subscribe(settings: Mqtt, root: str, timeout_s: float = 10.0) -> Iterator[Subscriber]:
    """Subscribe to everything below `root`. Raises broker faults."""
    subscriber = Subscriber()
    subscribed: queue.Queue[bool] = queue.Queue()
    with connect_plain(settings, timeout_s) as client:
        client.on_message = subscriber.take
        client.on_subscribe = lambda *_: subscribed.put(True)
        client.subscribe(f"{root}/#", qos=1)
        with contextlib.suppress(queue.Empty):
            subscribed.get(timeout=timeout_s)
        yield subscriber
