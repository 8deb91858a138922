"""The edge node's own session with a real broker that comes and goes."""

from __future__ import annotations

import pytest

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Faults
from spektron_edge.inbox import FaultRaised
from spektron_edge.mqtt.backoff import Backoff
from spektron_edge.sparkplug.flow import Names
from spektron_edge.sparkplug.node import SparkplugNode
from spektron_edge.sparkplug.wire import Payload
from tests.integration.ear import ear
from tests.integration.rig import Mosquitto, until
from tests.predictions import prediction
from tests.requirements import need
from tests.sparkplug_host import Host

NAMES = Names("lab", "m5", "spectrometer")
EDGE = "spBv1.0/lab/+/m5/#"


@pytest.fixture
def told():
    return []


@pytest.fixture
def start(broker, tmp_path, told):
    """start(**of the node): a started edge node."""
    nodes = []

    def make(url=broker.url, most=10):
        settings = Mqtt(url=url, timeout_s=5.0)
        node = SparkplugNode(
            settings, "m5-sparkplug", NAMES, most, tmp_path, told.append, Backoff(lambda: -0.9)
        )
        node.model({"moisture": "% (w/w)"})
        node.start()
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.stop()


def test_bd_seq_counts_connects_and_not_attempts_that_never_got_there(broker, start):
    node = start()
    until(lambda: node.counts["sparkplug_sessions"] == 1, "a session")
    broker.kill()
    until(lambda: node.counts["sparkplug_disconnects"] >= 3, "attempts in vain")
    for number in range(1, 15):
        node.offer("prediction", prediction(number))
    broker.start()
    with ear(broker.port, EDGE) as heard:
        until(lambda: node.counts["sparkplug_sent"] == 10, "what waited, in another session")
        node.offer("prediction", prediction(15))
        node.stop()
        death = heard.until(lambda m: "/NDEATH/" in m.topic, "its end")
    # Its births were over before anybody could listen; the death tells the number all the same.
    (bd_seq,) = Payload.FromString(death.payload).metrics
    assert bd_seq.long_value == 1
    assert node.counts["sparkplug_dropped"] == 4
    assert node.counts["sparkplug_sent"] == 11


def test_nothing_is_sent_after_the_farewell_and_a_refused_node_goes_on_trying(tmp_path, start):
    need("broker")
    closed = Mosquitto(tmp_path, "allow_anonymous false")
    closed.start()
    try:
        node = start(url=closed.url)
        until(lambda: node.counts["sparkplug_disconnects"] >= 2, "refusals")
        node.offer("prediction", prediction())
        node.stop()
        assert node.counts["sparkplug_sent"] == 0
    finally:
        closed.kill()


def test_a_node_with_new_certificates_says_farewell_and_is_born_again(broker, start):
    host, kinds = Host(), []

    def read():
        for message in heard.hear():
            kinds.append(message.topic.split("/")[2])
            host.take(message.topic, message.payload)
        heard.messages.clear()
        return kinds

    with ear(broker.port, EDGE) as heard:
        node = start()
        node.instrument(present=True)
        until(lambda: "DBIRTH" in read(), "the first births")
        node.renew()
        until(lambda: read().count("DBIRTH") == 2, "births once more")
        node.stop()
        until(lambda: read()[-1] == "NDEATH", "the end")
    assert kinds == ["NBIRTH", "DBIRTH", "NDEATH"] * 2
    assert host.bd_seq == 1
    assert not host.online


def test_a_node_follows_to_another_broker(broker, tmp_path, start):
    (tmp_path / "other").mkdir()
    other = Mosquitto(tmp_path / "other")
    other.start()
    try:
        with ear(broker.port, EDGE) as here, ear(other.port, EDGE) as there:
            node = start()
            here.until(lambda m: "/NBIRTH/" in m.topic, "a birth")
            node.use(Mqtt(url=other.url), "m5-sparkplug-2")
            here.until(lambda m: "/NDEATH/" in m.topic, "the farewell")
            born = there.until(lambda m: "/NBIRTH/" in m.topic, "a birth there")
            (bd_seq,) = (
                m.long_value for m in Payload.FromString(born.payload).metrics if m.name == "bdSeq"
            )
            assert bd_seq == 1
            node.stop()
    finally:
        other.kill()


def test_births_that_are_too_large_are_told_once_and_nothing_follows_them(tmp_path, start, told):
    need("broker")
    (tmp_path / "narrow").mkdir()
    narrow = Mosquitto(tmp_path / "narrow", "allow_anonymous true\nmax_packet_size 400")
    narrow.start()
    try:
        with ear(narrow.port, EDGE) as heard:
            node = start(url=narrow.url, most=1000)
            until(lambda: told, "the fault")
            for number in range(1, 200):
                node.offer("prediction", prediction(number))
            node.stop()
            until(lambda: any("/NDEATH/" in m.topic for m in heard.hear()), "the end")
        assert [m.topic.split("/")[2] for m in heard.messages] == ["NDEATH"]
        assert [type(item) for item in told] == [FaultRaised]
        assert told[0].fault.kind is Faults.SPARKPLUG_REFUSED
        assert (node.counts["sparkplug_sent"], node.counts["sparkplug_refused"]) == (0, 1)
    finally:
        narrow.kill()
