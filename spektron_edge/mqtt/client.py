"""The daemon's side of the broker: publishes, answers, and keeps a session up.

What a lost session may have swallowed goes first in the next, so a record handed over once is never
handed over again in this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from types import MappingProxyType

import paho.mqtt.client as paho

from spektron_edge import log
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import (
    Acknowledged,
    CommandReceived,
    Connected,
    FaultRaised,
    FaultsOver,
    Item,
)
from spektron_edge.publishing.records import Status, to_json
from spektron_edge.service.beats import Beat

from .backoff import Backoff
from .blame import Blame
from .connection import new_client
from .keeper import Keeper
from .message import JSON, Message, schema_of
from .retained import RetainedLedger
from .secrets import Secrets, read_secrets, replaced
from .send_queue import Numbered, SendQueue
from .session import Session
from .tls import expiry_fault
from .topics import Topics

_MAX_COMMAND_BYTES = 16384
_MAX_NAME = 64

Listener = Callable[[bytes], None]
_NOBODY: Mapping[str, Listener] = MappingProxyType({})


class MqttClient:
    """One broker, one client id."""

    def __init__(
        self,
        settings: Mqtt,
        topics: Topics,
        post: Callable[[Item], None],
        ledger: RetainedLedger,
        backoff: Backoff | None = None,
        listeners: Mapping[str, Listener] = _NOBODY,
        beat: Beat | None = None,
    ) -> None:
        """Prepare; nothing connects yet.

        listeners: what to call, on the network's thread, with payloads of further topics; beat:
        that thread's.
        Raises Fault(CONFIG_INVALID) for unreadable secrets.
        """
        self._settings = settings
        self._topics = topics
        self._post = post
        self._ledger = ledger
        self._listeners = listeners
        self._own_id = settings.client_id or topics.client_id
        # Notices and answers find room beside as many records as may be under way.
        self._queue = SendQueue(2 * settings.in_flight)
        offline = to_json(Status(status="offline"))
        self._will = self._message("status", offline, retain=True, user=_schema("status"))
        self._blame = Blame()
        self._refused: set[str] = set()
        self._taken = False
        self._keeper = Keeper(
            self._new_session, self._tell, backoff or Backoff(), beat or Beat("mqtt")
        )
        self._accepted_with = (settings, self._secrets)

    def start(self) -> None:
        """Begin to connect, and keep at it."""
        try:
            aside = self._ledger.load()
        except OSError as error:
            log.warn("retained_ledger_unread", detail=error, next="check `state_dir`")
        else:
            if aside is not None:
                told = f"the ledger of retained topics was damaged; it is kept as {aside.name}"
                self._post(FaultRaised(Fault(Faults.STATE_DAMAGED, told)))
        self._note_retained(self._will.topic)
        self._queue.open()
        self._keeper.start()

    def stop(self) -> None:
        """Send what waits, disconnect in good order and end the thread."""
        self._keeper.stop()
        self._queue.close()

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted a session that is not known to be broken."""
        return self._keeper.session.open

    def publish(
        self,
        kind: str,
        payload: bytes,
        *,
        retain: bool = False,
        record_id: str | None = None,
        stored: bool = False,
    ) -> int | None:
        """Hand over a record, topic by `kind`; the number it is acknowledged under.

        stored: it comes late, from the outbox; MQTT 5 says so in a user property.
        None when too much is under way; it may be offered again later.
        """
        user = _schema(kind)
        if record_id is not None:
            user += (("id", record_id),)
        if stored:
            user += (("stored", "true"),)
        return self.send(self._message(kind, payload, retain=retain, user=user))

    def publish_binary(
        self, kind: str, payload: bytes, content_type: str, user: tuple[tuple[str, str], ...]
    ) -> int | None:
        """The same for what is not JSON; content type and user properties are MQTT 5's."""
        return self.send(self._message(kind, payload, content_type=content_type, user=user))

    def send(self, message: Message) -> int | None:
        """The same for any message."""
        if message.retain:
            self._note_retained(message.topic)
        return self._queue.put(message)

    def respond(
        self,
        command: str,
        payload: bytes,
        correlation: bytes | None,
        response_topic: str | None = None,
    ) -> None:
        """Answer a command, where the request says if that is allowed, else on its own topic."""
        allowed = self._topics.may_answer(response_topic, self._settings.response_topics)
        topic = response_topic if allowed and response_topic else self._topics.response(command)
        self.send(Message(topic, payload, user=_schema("response"), correlation=correlation))

    def clear_ghosts(self) -> None:
        """Remove what was retained under names that are not used any more.

        To be called once everything that is retained was published anew.
        """
        for topic in self._ledger.ghosts(self._settings.url):
            log.info("retained_cleared", topic=topic)
            message = Message(topic, b"", retain=True, content_type=None)
            self._queue.put(message, beyond=True)

    def retained_elsewhere(self) -> set[str]:
        """URLs of other brokers that the ledger names."""
        return {broker for broker, _ in self._ledger.entries() if broker != self._settings.url}

    def files_changed(self) -> bool:
        """Whether password, authority, certificate or key changed since the session was made.

        Raises Fault(CONFIG_INVALID) when they cannot be used as they are now.
        """
        if read_secrets(self._settings) == self._secrets:
            return False
        new_client(self._settings, self._own_id)
        return True

    @property
    def accepted_as_set(self) -> bool:
        """Whether the broker's last yes was to the settings of now, not to those before."""
        return self._accepted_with[0] is self._settings

    def secrets_replaced(self) -> Secrets:
        """What the broker accepted last, of files that hold something else by now."""
        return replaced(*self._accepted_with)

    def use(self, settings: Mqtt) -> None:
        """Leave the session in good order and go on in another, with these settings and with
        passwords and certificates as they are in their files now. Nothing under way is lost.

        Raises Fault(CONFIG_INVALID), and goes on as before.
        """
        new_client(settings, self._own_id)
        self._settings, self._own_id = settings, settings.client_id or self._topics.client_id
        self._note_retained(self._will.topic)
        self._keeper.again()

    def expiry_fault(self) -> Fault | None:
        """The fault of a client certificate that ends soon."""
        return expiry_fault(self._settings, datetime.now(timezone.utc))

    def _message(
        self,
        kind: str,
        payload: bytes,
        *,
        retain: bool = False,
        content_type: str = JSON,
        user: tuple[tuple[str, str], ...] = (),
    ) -> Message:
        expiry = [s for name, s in self._settings.message_expiry_s.items() if name == kind]
        return Message(
            self._topics.of(kind),
            payload,
            retain=retain,
            content_type=content_type,
            user=user,
            expiry_s=expiry[0] if expiry else None,
        )

    def _note_retained(self, topic: str) -> None:
        try:
            self._ledger.use(self._settings.url, topic)
        except OSError as error:
            # Told once by the outbox, too; a state that is not published would be worse.
            log.warn("retained_not_noted", topic=topic, detail=error, next="see `state_dir`")

    # ---- what happens on the keeper's thread

    def _new_session(self) -> Session:
        settings = self._settings
        self._secrets = read_secrets(settings)
        self._session_of = settings, self._secrets
        return Session(
            settings,
            self._own_id,
            self._will,
            (self._topics.commands, *self._listeners),
            self._queue,
            self._blame,
            self,
        )

    def _tell(self, fault: Fault) -> None:
        if fault.kind is Faults.SESSION_TAKEN:
            self._taken = True
            fault = Fault(fault.kind, f"{fault.detail} {self._own_id!r}")
        self._post(FaultRaised(fault))

    def accepted(self) -> None:
        """Owner: CONNACK."""
        self._accepted_with = self._session_of
        self._post(Connected())

    def steady(self) -> None:
        """Owner: the session lasts."""
        if self._taken:
            self._taken = False
            self._post(FaultsOver((Faults.SESSION_TAKEN,)))

    def subscribed(self, topic: str, *, refused: bool) -> None:
        """Owner: SUBACK."""
        without = ": no commands" if topic == self._topics.commands else ""
        self._judge(topic, f"the subscription to {topic}{without}" if refused else None)

    def acknowledged(self, sent: Numbered, error: str | None) -> None:
        """Owner: PUBACK."""
        message = sent.message
        self._post(Acknowledged(sent.number, time.monotonic(), error))
        if message.retain and message.payload:
            self._judge(message.topic, None if error is None else f"{message.topic}: {error}")
        elif message.retain and error is not None:
            log.warn("retained_not_cleared", topic=message.topic, detail=error)
        elif message.retain:
            try:
                self._ledger.strike(self._settings.url, message.topic)
            except OSError as failure:
                log.warn("retained_not_noted", topic=message.topic, detail=failure)

    def received(self, message: paho.MQTTMessage) -> None:
        """Owner: a command, or what a listener waits for."""
        if (listener := self._listeners.get(message.topic)) is not None:
            listener(bytes(message.payload))
            return
        name = message.topic.rsplit("/", 1)[-1]
        # The response's topic is longer than the request's: the longest has none.
        if message.retain or len(name) > _MAX_NAME or len(message.payload) > _MAX_COMMAND_BYTES:
            return
        correlation = getattr(message.properties, "CorrelationData", None)
        response_topic = getattr(message.properties, "ResponseTopic", None)
        payload = bytes(message.payload)
        self._post(CommandReceived(name, payload, correlation, response_topic))

    def _judge(self, topic: str, refusal: str | None) -> None:
        """Note whether the broker takes a topic; the first refusal begins a fault, the last ends
        it."""
        if refusal is not None:
            self._refused.add(topic)
            where = f"{self._settings.host}:{self._settings.port}"
            self._post(FaultRaised(Fault(Faults.NOTICE_REFUSED, f"{where} refuses {refusal}")))
        elif topic in self._refused:
            self._refused.discard(topic)
            if not self._refused:
                self._post(FaultsOver((Faults.NOTICE_REFUSED,)))


def _schema(kind: str) -> tuple[tuple[str, str], ...]:
    schema = schema_of(kind)
    return () if schema is None else (("schema", schema),)
