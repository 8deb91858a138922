"""A subscriber that also notices by how many different payloads an id came."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import paho.mqtt.client as paho

from spektron_edge.demo.subscriber import Subscriber


class Repeats(Subscriber):
    """payloads: digests by the prediction's id; copies: how many came in all."""

    def __init__(self) -> None:
        super().__init__()
        self.payloads: defaultdict[str, set[bytes]] = defaultdict(set)
        self.copies = 0

    def take(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        """One message."""
        if message.topic.endswith("/prediction"):
            record_id = message.payload.split(b'"id":"', 1)[1][:26].decode()
            self.payloads[record_id].add(hashlib.sha256(message.payload).digest())
            self.copies += 1
        super().take(client, userdata, message)
