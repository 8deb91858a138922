"""Many instruments, several consumers of one group: each record is worked on once."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
from collections import Counter

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.inbox import Acknowledged, Connected
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.retained import RetainedLedger
from spektron_edge.mqtt.topics import Topics
from tests.integration.ear import ear
from tests.integration.rig import PATIENCE_S, until
from tests.predictions import prediction

GROUP = "$share/historian/spektron/+/+/prediction"
INSTRUMENTS = [("lab", "m5"), ("lab", "mp6"), ("line-2", "m5")]
EACH = 40


@contextlib.contextmanager
def instrument(broker, folder, site, name):
    """publish(payload): returns once the broker has it."""
    told = queue.Queue()
    ledger = RetainedLedger(folder / f"{site}-{name}.json")
    client = MqttClient(Mqtt(url=broker.url), Topics(site, name), told.put, ledger)
    client.start()

    def wait(wanted):
        while not wanted(told.get(timeout=PATIENCE_S)):
            pass

    def publish(payload):
        number = None
        while number is None:
            number = client.publish("prediction", payload)
        wait(lambda item: isinstance(item, Acknowledged) and item.mid == number)

    try:
        wait(lambda item: isinstance(item, Connected))
        yield publish
    finally:
        client.stop()


def ids(ears):
    return Counter(json.loads(m.payload)["id"] for found in ears for m in found.hear())


def test_a_group_of_consumers_gets_every_record_once_and_shares_the_work(broker, tmp_path):
    with contextlib.ExitStack() as stack:
        consumers = [stack.enter_context(ear(broker.port, GROUP)) for _ in range(3)]
        alone = stack.enter_context(ear(broker.port, "spektron/+/+/prediction"))
        publishers = [
            stack.enter_context(instrument(broker, tmp_path, site, name))
            for site, name in INSTRUMENTS
        ]
        for number in range(EACH):
            for publish, (site, name) in zip(publishers, INSTRUMENTS, strict=True):
                publish(prediction(number, site=site, instrument=name))
        total = EACH * len(INSTRUMENTS)
        until(lambda: sum(ids(consumers).values()) >= total, "all records")
        until(lambda: len(alone.hear()) >= total, "all records at the one beside the group")
        found = ids(consumers)
        assert set(found.values()) == {1}
        assert len(found) == total
        assert all(len(consumer.hear()) > 0 for consumer in consumers)


def member(port, heard, *, acknowledges):
    """A consumer of the group with a session that outlives its connection."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        "historian-1",
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=not acknowledges,
    )
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    ready = queue.Queue()
    client.on_connect = lambda c, *_: c.subscribe(GROUP, qos=1)
    client.on_subscribe = lambda *_: ready.put(True)
    client.on_message = lambda _c, _u, message: heard.append(json.loads(message.payload)["id"])
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.loop_start()
    ready.get(timeout=PATIENCE_S)
    return client


def test_a_consumer_that_dies_gets_what_it_had_not_acknowledged_when_it_comes_back(
    broker, tmp_path
):
    first, again = [], []
    lazy = member(broker.port, first, acknowledges=False)
    try:
        with instrument(broker, tmp_path, "lab", "m5") as publish:
            for number in range(5):
                publish(prediction(number))
            until(lambda: len(first) == 5, "five records")
            # It dies: no DISCONNECT, nothing acknowledged.
            lazy.loop_stop()
            lazy.socket().shutdown(socket.SHUT_RDWR)
    finally:
        lazy.loop_stop()
    back = member(broker.port, again, acknowledges=True)
    try:
        until(lambda: len(again) >= 5, "the five once more")
        assert again == first
    finally:
        back.disconnect()
        back.loop_stop()
