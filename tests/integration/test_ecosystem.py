"""The daemon beside Home Assistant, a Sparkplug host and Prometheus, over a real broker."""

from __future__ import annotations

import json
import os
import signal
import urllib.request

import pytest

from spektron_edge.demo.broker import free_port
from spektron_edge.sparkplug.wire import Payload
from tests.integration.ear import ear
from tests.integration.rig import until
from tests.sparkplug_host import Host

DISCOVERY = "homeassistant/device/+/config"
EDGE = "spBv1.0/lab/+/m5/#"


@pytest.fixture
def discovery(broker):
    """ear(...) for what Home Assistant subscribes to."""
    with ear(broker.port, DISCOVERY) as home:
        yield home


def config(message):
    return message.topic.endswith("/config")


def test_home_assistant_finds_the_instrument_again_after_its_own_start_and_loses_it_when_told_to(
    broker, make_rig, discovery
):
    rig = make_rig(broker.url)
    rig.settings["home_assistant"] = {"enabled": True}
    rig.start()
    first = discovery.until(config, "the document")
    document = json.loads(first.payload)
    assert document["cmps"]["value_moisture"]["stat_t"] == "spektron/lab/m5/prediction"
    discovery.forget()
    for payload in (b"offline", b"something else", b"online"):
        discovery.client.publish("homeassistant/status", payload, qos=1)
    again = discovery.until(config, "the document once more")
    assert again.payload == first.payload
    assert rig.stop() == 0
    # It stays at the broker, for the time when the instrument is away.
    with ear(broker.port, DISCOVERY) as late:
        assert late.until(config, "the retained document").retain
    discovery.forget()
    rig.settings["home_assistant"] = {"enabled": False}
    rig.start()
    cleared = discovery.until(config, "an empty document")
    assert (cleared.topic, cleared.payload) == (first.topic, b"")
    # Struck off the ledger: it is not cleared again with every connection.
    ledger = rig.folder / "state" / "retained.json"
    until(lambda: first.topic not in ledger.read_text(), "the ledger")


@pytest.fixture
def host(broker):
    """An ear for all that an edge node sends, and a host that checks it."""
    with ear(broker.port, EDGE) as heard:
        heard.host = Host()

        def read():
            for message in heard.hear():
                if "/NCMD/" not in message.topic:
                    heard.host.take(message.topic, message.payload)
            heard.messages.clear()
            return heard.host

        heard.read = read
        yield heard


def rebirth():
    payload = Payload(timestamp=1)
    payload.metrics.add(name="Node Control/Rebirth", datatype=11, boolean_value=True)
    return payload.SerializeToString()


def sparkplugged(make_rig, broker, **options):
    rig = make_rig(broker.url, **options)
    rig.settings["sparkplug"] = {"enabled": True}
    return rig


def test_a_host_follows_an_edge_node_through_births_kill_and_farewell(broker, make_rig, host):
    rig = sparkplugged(make_rig, broker)
    rig.start()
    until(lambda: len([d for d in host.read().data if d["of"] == "device"]) >= 5, "predictions")
    found = [d for d in host.host.data if d["of"] == "device"][-1]
    assert isinstance(found["Values/moisture/Value"], float)
    assert not found["historical"]
    first = host.host.bd_seq
    assert first == 0
    assert set(host.host.births) == {"NBIRTH", "DBIRTH"}
    assert any("State/Unsent" in d for d in host.host.data)
    # Twice the same from an NCMD that asks, nothing from one that does not.
    born = host.host.births.count("NBIRTH")
    host.client.publish("spBv1.0/lab/NCMD/m5", b"nonsense", qos=1)
    host.client.publish("spBv1.0/lab/NCMD/m5", rebirth(), qos=1)
    until(lambda: host.read().births.count("NBIRTH") > born, "births once more")
    assert host.host.births.count("NBIRTH") == born + 1
    assert host.host.bd_seq == first
    rig.kill()
    until(lambda: not host.read().online, "the will")
    rig.start()
    until(lambda: host.read().online, "the next session")
    assert host.host.bd_seq == first + 1
    assert rig.stop() == 0
    until(lambda: not host.read().online, "the farewell")


def test_what_was_stored_while_the_broker_was_away_says_so(broker, make_rig):
    rig = sparkplugged(make_rig, broker)
    with ear(broker.port, EDGE) as before:
        rig.start()
        before.until(lambda m: "DDATA" in m.topic, "data")
    broker.kill()
    written = rig.folder / "state" / "outbox.sqlite"
    size = written.stat().st_size
    until(lambda: written.stat().st_size > size, "records on disk")
    broker.start()
    with ear(broker.port, EDGE) as heard:
        # It may have been born before we could listen.
        heard.client.publish("spBv1.0/lab/NCMD/m5", rebirth(), qos=1)
        host = Host()

        def late():
            for message in heard.hear():
                if "/NBIRTH/" in message.topic or (host.online and "/NCMD/" not in message.topic):
                    host.take(message.topic, message.payload)
            heard.messages.clear()
            return [d for d in host.data if d["of"] == "device" and d["historical"]]

        until(late, "a record out of the backlog")
        until(
            lambda: late() and not [d for d in host.data if d["of"] == "device"][-1]["historical"],
            "the present",
        )
    assert rig.stop() == 0


def test_the_instrument_that_is_unplugged_is_a_device_that_died(broker, make_rig, host):
    rig = sparkplugged(make_rig, broker)
    rig.start()
    until(lambda: host.read().device is not None and host.host.data, "data")
    rig.port.close()
    until(lambda: host.read().device is None, "DDEATH")
    assert host.host.online


def test_prometheus_reads_while_the_daemon_works_and_while_no_broker_is_there(broker, make_rig):
    port = free_port()
    rig = make_rig(broker.url)
    rig.settings["metrics"] = {"port": port}
    rig.start()

    def read():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    until(lambda: 'spektron_value{instrument="m5",property="moisture"' in read(), "values")
    broker.kill()
    os.kill(rig.pid, signal.SIGCONT)
    until(lambda: 'spektron_fault{code="broker_unreachable"' in read(), "the fault")
    assert rig.stop() == 0
