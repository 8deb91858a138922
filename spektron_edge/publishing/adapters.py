"""Beside the native topics: Home Assistant, Sparkplug B and Prometheus, each only when asked for.

They are given the records that are published anyway, and none of them can keep one from going out.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from spektron_edge import log
from spektron_edge.config.file import Config
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.inbox import Item
from spektron_edge.mqtt.client import Listener, MqttClient
from spektron_edge.mqtt.home_assistant import HomeAssistant
from spektron_edge.mqtt.topics import Topics
from spektron_edge.outbox import Outgoing
from spektron_edge.service.beats import Beats

from .metrics import Metrics
from .records import ModelState, StateRecord, to_json

if TYPE_CHECKING:
    from spektron_edge.sparkplug.node import SparkplugNode


class Adapters:
    """What is switched on."""

    def __init__(
        self, config: Config, topics: Topics, post: Callable[[Item], None], beats: Beats
    ) -> None:
        """post: told of what goes wrong; beats: of threads. Nothing starts yet.

        Raises Fault(CONFIG_INVALID) for a package that is not installed.
        """
        self._topics = topics
        self._birth_topic = config.home_assistant.birth_topic
        self._home_assistant: HomeAssistant | None = None
        self._announce = threading.Event()
        if config.home_assistant.enabled:
            self._home_assistant = HomeAssistant(config.home_assistant, topics, config.state_dir)
        self._sparkplug = _sparkplug(config, topics, post, beats)
        self._metrics: Metrics | None = None
        if config.metrics.port is not None:
            self._metrics = Metrics(config.metrics.port)

    @property
    def listeners(self) -> Mapping[str, Listener]:
        """What to call with payloads of further topics."""
        return {} if self._home_assistant is None else {self._birth_topic: self._born}

    def _born(self, payload: bytes) -> None:
        # However often it is said, it is answered once in a turn of the daemon.
        if payload == b"online":
            self._announce.set()

    def start(self) -> None:
        """Begin; a port that is taken is told, and no reason not to measure."""
        if self._sparkplug is not None:
            self._sparkplug.start()
        if self._metrics is not None:
            try:
                self._metrics.start()
            except OSError as error:
                log.warn("metrics_unavailable", detail=error, next="choose another metrics.port")

    def stop(self) -> None:
        """End."""
        if self._sparkplug is not None:
            self._sparkplug.stop()
        if self._metrics is not None:
            self._metrics.stop()

    def use(self, mqtt: Mqtt) -> None:
        """The broker is another one, or reached by other means, new certificates for instance."""
        if self._sparkplug is not None:
            self._sparkplug.use(mqtt, _sparkplug_id(mqtt, self._topics))

    # ---- what happens

    def connected(self, client: MqttClient) -> None:
        """The broker accepted the daemon's session."""
        self._announce.set()
        self.look_after(client)

    def acknowledged(self, number: int, error: str | None) -> None:
        """PUBACK of whatever the daemon's client sent."""
        if self._home_assistant is not None:
            self._home_assistant.acknowledged(number, error)

    def look_after(self, client: MqttClient) -> None:
        """In spare time: Home Assistant may have started, or the product changed."""
        if self._home_assistant is not None and client.connected and self._announce.is_set():
            self._announce.clear()
            if not self._home_assistant.announce(client):
                # Too much is under way.
                self._announce.set()

    def model(self, state: ModelState) -> None:
        """What is predicted from now on."""
        if self._home_assistant is not None:
            self._home_assistant.model(state.model.bundle, state.properties)
            self._announce.set()
        if self._sparkplug is not None:
            self._sparkplug.model(state.properties)

    def instrument(self, *, present: bool) -> None:
        """Whether the instrument is on the line."""
        if self._sparkplug is not None:
            self._sparkplug.instrument(present=present)
        if self._metrics is not None:
            self._metrics.present = present

    def predicted(self, prediction: Outgoing) -> None:
        """A scan was evaluated, whether or not a broker is there."""
        if self._metrics is not None:
            self._metrics.predicted(prediction.payload)

    def published(self, record: Outgoing, *, stored: bool) -> None:
        """A record was handed to the broker's client; stored: it came late, from the outbox."""
        if self._sparkplug is not None:
            self._sparkplug.offer(record.kind, record.payload, stored=stored)

    def state(self, state: StateRecord) -> None:
        """The state was recorded."""
        if self._sparkplug is not None:
            self._sparkplug.offer("state", to_json(state))
        if self._metrics is not None:
            self._metrics.state = state

    @property
    def counts(self) -> Counter[str]:
        """For the state record."""
        return Counter() if self._sparkplug is None else self._sparkplug.counts


def _sparkplug(
    config: Config, topics: Topics, post: Callable[[Item], None], beats: Beats
) -> SparkplugNode | None:
    settings = config.sparkplug
    if not settings.enabled:
        return None
    # protobuf costs time and memory that nobody else should pay.
    from spektron_edge.sparkplug.flow import Names
    from spektron_edge.sparkplug.node import SparkplugNode

    names = Names(
        settings.group or topics.site, settings.edge_node or topics.instrument, settings.device
    )
    own_id = _sparkplug_id(config.mqtt, topics)
    return SparkplugNode(
        config.mqtt,
        own_id,
        names,
        settings.queue_records,
        config.state_dir,
        post,
        beat=beats.new("sparkplug"),
    )


def _sparkplug_id(mqtt: Mqtt, topics: Topics) -> str:
    return f"{mqtt.client_id or topics.client_id}-sparkplug"
