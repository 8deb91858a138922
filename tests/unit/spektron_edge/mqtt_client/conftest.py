"""A client of a peer that misbehaves on purpose."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.retained import RetainedLedger

from .clients import TOPICS, Said


@pytest.fixture
def said():
    return Said()


@pytest.fixture
def make(tmp_path, said):
    """make(url, **settings): a client that does not wait long between attempts."""
    made = []

    def make(url, **settings):
        client = MqttClient(
            Mqtt(url=url, **{"timeout_s": 1.0, **settings}),
            TOPICS,
            said,
            RetainedLedger(tmp_path / "retained.json"),
            SimpleNamespace(wait_s=lambda _lasted: 0.02),
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.stop()
