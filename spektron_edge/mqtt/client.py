"""The broker's client: paho, reduced to what the daemon needs, reporting into the inbox.

paho queues and later delivers what is published while it is disconnected, whatever its return code
says, so a record handed to it once is never handed to it again in this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from spektron_edge import log
from spektron_edge.config import Mqtt
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import Acknowledged, CommandReceived, Connected, FaultRaised, Item
from spektron_edge.records import Status, to_json

from .connection import new_client
from .topics import Topics

_MAX_COMMAND_BYTES = 16384
_MAX_NAME = 64
_SHORT_SESSION_S = 5.0
_SUSPICIOUS = 3
_LONGEST_WAIT_S = 32
_MIDS = 2**16


class MqttClient:
    """One connection, kept up by paho's own thread."""

    def __init__(self, settings: Mqtt, topics: Topics, post: Callable[[Item], None]) -> None:
        """Prepare; nothing connects yet. Raises Fault(CONFIG_INVALID) for unreadable secrets."""
        self._topics = topics
        self._post = post
        self._prepare(settings, 0)

    def _prepare(self, settings: Mqtt, first_mid: int) -> None:
        own_id = settings.client_id or f"spektron-{self._topics.site}-{self._topics.instrument}"
        self._client = new_client(settings, own_id)
        self._client.user_data_set(first_mid)
        self._settings, self._own_id, self._first_mid = settings, own_id, first_mid
        self._v5 = settings.protocol == "5"
        self._accepted_at = float("-inf")
        self._short_sessions = 0
        topics = self._topics
        self._client.max_inflight_messages_set(settings.in_flight)
        self._client.max_queued_messages_set(2 * settings.in_flight)
        self._client.reconnect_delay_set(1, 8)
        offline = to_json(Status(status="offline"))
        self._client.will_set(topics.of("status"), offline, qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Begin to connect, and keep at it."""
        self._client.connect_async(
            self._settings.host, self._settings.port, keepalive=self._settings.keepalive_s
        )
        self._client.loop_start()

    def use(self, settings: Mqtt) -> None:
        """Connect with these from now on. What was under way has to be published again.

        Raises Fault(CONFIG_INVALID) for unreadable secrets, and goes on as before.
        """
        before = self._client
        self._prepare(settings, self._first_mid + _MIDS)
        before.disconnect()
        before.loop_stop()
        self.start()

    def stop(self) -> None:
        """Disconnect in good order and end the thread."""
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted a session that is not known to be broken."""
        return self._client.is_connected()

    def publish(self, kind: str, payload: bytes, *, retain: bool = False) -> int | None:
        """Hand a record to paho, topic by `kind`; its message id, or None for a full queue."""
        info = self._client.publish(self._topics.of(kind), payload, qos=1, retain=retain)
        return None if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE else self._first_mid + info.mid

    def publish_binary(
        self, kind: str, payload: bytes, content_type: str, user: tuple[tuple[str, str], ...]
    ) -> int | None:
        """Hand over what is not JSON; content type and user properties are MQTT 5's."""
        properties = None
        if self._v5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = content_type
            properties.UserProperty = list(user)
        info = self._client.publish(self._topics.of(kind), payload, 1, properties=properties)
        return None if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE else self._first_mid + info.mid

    def respond(self, command: str, payload: bytes, correlation: bytes | None) -> None:
        """Answer a command."""
        properties = None
        if self._v5 and correlation is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.CorrelationData = correlation
        self._client.publish(self._topics.response(command), payload, 1, properties=properties)

    # Called on paho's thread: they only report.

    def _on_connect(
        self,
        _client: paho.Client,
        _userdata: Any,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._post(FaultRaised(Fault(Faults.BROKER_REFUSED, f"{self._where} says: {reason}")))
            return
        self._accepted_at = time.monotonic()
        self._client.subscribe(self._topics.commands, qos=1)
        self._post(Connected())

    def _on_connect_fail(self, _client: paho.Client, _userdata: Any) -> None:
        self._post(
            FaultRaised(Fault(Faults.BROKER_UNREACHABLE, f"{self._where} cannot be reached"))
        )

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: Any,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if not reason.is_failure:
            return
        short = time.monotonic() - self._accepted_at < _SHORT_SESSION_S
        self._short_sessions = self._short_sessions + 1 if short else 0
        # paho begins again with the shortest delay after every accepted session, so two clients
        # with one id would throw each other out several times a second.
        self._client.reconnect_delay_set(min(2**self._short_sessions, _LONGEST_WAIT_S), 64)
        if self._short_sessions >= _SUSPICIOUS:
            fault = Fault(
                Faults.SESSION_TAKEN,
                f"{self._where} accepts us and hangs up at once, {self._short_sessions} times "
                f"in a row ({reason}): another client seems to use the id {self._own_id!r}",
            )
            self._post(FaultRaised(fault))
        else:
            lost = Fault(Faults.BROKER_UNREACHABLE, f"connection to {self._where} lost: {reason}")
            self._post(FaultRaised(lost))

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: Any,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.warn(
                "commands_unavailable",
                detail=f"{self._where} refuses the subscription to {self._topics.commands}",
                next="allow it in the broker's access list",
            )

    def _on_publish(
        self,
        _client: paho.Client,
        first_mid: int | None,
        mid: int,
        reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        error = str(reason) if reason.is_failure else None
        self._post(Acknowledged((first_mid or 0) + mid, time.monotonic(), error))

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        name = message.topic.rsplit("/", 1)[-1]
        # The response's topic is longer than the request's: the longest has none.
        if message.retain or len(name) > _MAX_NAME or len(message.payload) > _MAX_COMMAND_BYTES:
            return
        correlation = getattr(message.properties, "CorrelationData", None)
        self._post(CommandReceived(name, bytes(message.payload), correlation))

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"
