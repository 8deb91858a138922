"""What is published: a payload, its topic, and what MQTT 5 says about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from spektron_edge.publishing.records import PUBLISHED

JSON = "application/json"


@dataclass(frozen=True)
class Message:
    """One publication.

    user: user properties; expiry_s: after so many seconds the broker forgets it; qos: 0 is not
    acknowledged, so that nobody knows what a lost connection has swallowed.
    """

    topic: str
    payload: bytes
    retain: bool = False
    content_type: str | None = JSON
    user: tuple[tuple[str, str], ...] = ()
    expiry_s: int | None = None
    correlation: bytes | None = None
    qos: Literal[0, 1] = 1

    def properties(self, packet: int = PacketTypes.PUBLISH) -> Properties:
        """MQTT 5's properties, of a publication or of a will."""
        # paho's class has no annotations, and its attributes are made at run time.
        made: Any = Properties(packet)  # type: ignore[no-untyped-call]
        if self.content_type is not None:
            made.ContentType = self.content_type
            made.PayloadFormatIndicator = int(self.content_type == JSON)
        if self.user:
            made.UserProperty = list(self.user)
        if self.expiry_s is not None:
            made.MessageExpiryInterval = self.expiry_s
        if self.correlation is not None:
            made.CorrelationData = self.correlation
        properties: Properties = made
        return properties


def packet_bytes(message: Message, properties: Properties | None) -> int:
    """Size of the PUBLISH packet, all of it, as a broker's maximum counts it."""
    packed = 0 if properties is None else len(properties.pack())  # type: ignore[no-untyped-call]
    remaining = 2 + len(message.topic.encode()) + 2 + packed + len(message.payload)
    return 1 + -(-max(1, remaining.bit_length()) // 7) + remaining


@cache
def schema_of(kind: str) -> str | None:
    """Name and version of the schema of a kind of record; None for what has none."""
    record = PUBLISHED.get(kind)
    return None if record is None else str(record.model_fields["schema_"].default)
