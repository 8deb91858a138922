"""What MQTT 5 carries, and what stays at the broker: seen by an independent subscriber."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import time
from dataclasses import dataclass
from types import SimpleNamespace

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.inbox import Acknowledged, CommandReceived, Connected
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.retained import RetainedLedger
from spektron_edge.mqtt.topics import Topics
from tests.integration.rig import PATIENCE_S, Mosquitto, until
from tests.requirements import need

ROOT = "spektron/lab/m5"


@dataclass
class Station:
    """A client, what it told, and where its ledger is."""

    client: MqttClient
    told: queue.Queue

    def next(self, kind):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            item = self.told.get(timeout=PATIENCE_S)
            if isinstance(item, kind):
                return item
        raise AssertionError(f"no {kind.__name__}")

    def ready(self):
        """Wait until the subscription stands: what is published after it is acknowledged later."""
        self.acknowledged(self.client.publish("event", b"{}"))
        return self

    def acknowledged(self, number):
        while (item := self.next(Acknowledged)).mid != number:
            pass
        return item


@pytest.fixture
def station(broker, tmp_path):
    """station(name, **settings): a started client."""
    made = []

    def start(name="m5", **settings):
        told = queue.Queue()
        ledger = RetainedLedger(tmp_path / "retained.json")
        mqtt = Mqtt(**{"url": broker.url, **settings})
        soon = SimpleNamespace(wait_s=lambda _lasted: 0.05)
        client = MqttClient(mqtt, Topics("lab", name), told.put, ledger, soon)
        client.start()
        made.append(client)
        found = Station(client, told)
        found.next(Connected)
        return found

    yield start
    for client in made:
        client.stop()


@contextlib.contextmanager
def subscribed(broker, *topics):
    """Messages of these topics, as paho gives them, and the client that hears them."""
    heard, ready = queue.Queue(), queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = lambda _c, _u, message: heard.put(message)
    client.on_subscribe = lambda *_: ready.put(True)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        for topic in topics:
            client.subscribe(topic, qos=1)
            ready.get(timeout=PATIENCE_S)
        yield heard, client
    finally:
        client.disconnect()
        client.loop_stop()


def retained(broker, pattern="#"):
    """Topics on which the broker keeps something."""
    with subscribed(broker, pattern, "last/of/all") as (heard, client):
        client.publish("last/of/all", b"x", qos=1)
        found = set()
        while (message := heard.get(timeout=PATIENCE_S)).topic != "last/of/all":
            if message.retain:
                found.add(message.topic)
        return found


def test_a_record_says_what_it_is(broker, station):
    with subscribed(broker, f"{ROOT}/+") as (heard, _):
        client = station(message_expiry_s={"event": 60}).client
        client.publish("prediction", b'{"a": 1}', record_id="01H", stored=True)
        client.publish("event", b"{}", record_id="01J")
        client.publish_binary("spectrum", b"\x00\x01", "application/x-float16", (("axis", "7f"),))
        prediction, event, spectrum = (heard.get(timeout=PATIENCE_S) for _ in range(3))
    assert prediction.properties.ContentType == "application/json"
    assert prediction.properties.PayloadFormatIndicator == 1
    assert dict(prediction.properties.UserProperty) == {
        "schema": "spektron.prediction/1",
        "id": "01H",
        "stored": "true",
    }
    assert not hasattr(prediction.properties, "MessageExpiryInterval")
    assert event.properties.MessageExpiryInterval in range(50, 61)
    assert dict(event.properties.UserProperty) == {"schema": "spektron.event/1", "id": "01J"}
    assert spectrum.properties.ContentType == "application/x-float16"
    assert spectrum.properties.PayloadFormatIndicator == 0
    assert dict(spectrum.properties.UserProperty) == {"axis": "7f"}


def test_the_will_says_what_it_is_and_an_orderly_end_leaves_none(broker, tmp_path, station):
    script = (
        "import sys, time; from pathlib import Path\n"
        "from spektron_edge.config.mqtt import Mqtt\n"
        "from spektron_edge.mqtt.client import MqttClient\n"
        "from spektron_edge.mqtt.retained import RetainedLedger\n"
        "from spektron_edge.mqtt.topics import Topics\n"
        "ledger = RetainedLedger(Path(sys.argv[2]))\n"
        "MqttClient(Mqtt(url=sys.argv[1]), Topics('lab', 'm5'), print, ledger).start()\n"
        "time.sleep(60)\n"
    )
    with subscribed(broker, f"{ROOT}/status") as (heard, _):
        command = [sys.executable, "-c", script, broker.url, str(tmp_path / "own.json")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as doomed:
            assert doomed.stdout.readline().startswith(b"Connected")
            doomed.kill()
        will = heard.get(timeout=PATIENCE_S)
        assert json.loads(will.payload)["status"] == "offline"
        assert will.properties.ContentType == "application/json"
        assert dict(will.properties.UserProperty) == {"schema": "spektron.status/1"}
        station().client.stop()
        with pytest.raises(queue.Empty):
            heard.get(timeout=0.3)
    # It was noted before anything connected.
    noted = json.loads((tmp_path / "own.json").read_text())["retained"]
    assert noted == [{"broker": broker.url, "topic": f"{ROOT}/status"}]


def asked(topic, payload, **properties):
    made = Properties(PacketTypes.PUBLISH)
    for name, value in properties.items():
        setattr(made, name, value)
    return {"topic": topic, "payload": payload, "qos": 1, "properties": made}


def test_a_request_is_answered_where_it_says(broker, station):
    mine = station().ready()
    with subscribed(broker, f"{ROOT}/response/#") as (heard, client):
        client.publish(
            **asked(
                f"{ROOT}/command/health",
                b"{}",
                ResponseTopic=f"{ROOT}/response/desk/7",
                CorrelationData=b"\x00\xff",
            )
        )
        command = mine.next(CommandReceived)
        assert command == CommandReceived("health", b"{}", b"\x00\xff", f"{ROOT}/response/desk/7")
        mine.client.respond("health", b"{}", command.correlation, command.response_topic)
        answer = heard.get(timeout=PATIENCE_S)
    assert answer.topic == f"{ROOT}/response/desk/7"
    assert answer.properties.CorrelationData == b"\x00\xff"
    assert dict(answer.properties.UserProperty) == {"schema": "spektron.response/1"}


@pytest.mark.parametrize(("expiry_s", "kept"), [(0, False), (600, True)])
def test_commands_wait_for_an_absent_daemon_only_where_it_was_told_so(
    broker, station, expiry_s, kept
):
    first = station(session_expiry_s=expiry_s).ready()
    with subscribed(broker, "elsewhere") as (_, client):
        client.publish(**asked(f"{ROOT}/command/before", b"{}"))
        first.next(CommandReceived)
        first.client.stop()
        client.publish(**asked(f"{ROOT}/command/meanwhile", b"{}")).wait_for_publish(PATIENCE_S)
        again = station(session_expiry_s=expiry_s)
        if kept:
            assert again.next(CommandReceived).name == "meanwhile"
        again.ready()
        client.publish(**asked(f"{ROOT}/command/after", b"{}"))
        assert again.next(CommandReceived).name == "after"


def test_what_was_retained_under_another_name_is_cleared(broker, station):
    old = station("old")
    for kind in ("status", "state", "model"):
        old.acknowledged(old.client.publish(kind, b"{}", retain=True))
    old.client.stop()
    assert retained(broker) == {f"spektron/lab/old/{k}" for k in ("status", "state", "model")}
    new = station("m5")
    for kind in ("status", "state"):
        new.acknowledged(new.client.publish(kind, b"{}", retain=True))
    new.client.clear_ghosts()
    until(lambda: retained(broker) == {f"{ROOT}/status", f"{ROOT}/state"}, "no ghosts")
    until(lambda: new.client._ledger.ghosts(broker.url) == [], "the ledger to know")


def test_a_ghost_that_may_not_be_cleared_stays_in_the_ledger(tmp_path, station, broker):
    need("broker")
    old = station("old")
    old.acknowledged(old.client.publish("state", b"{}", retain=True))
    old.client.stop()
    (tmp_path / "acl").write_text("topic readwrite spektron/lab/m5/#\ntopic read #\n")
    broker.kill()
    strict = Mosquitto(tmp_path, f"allow_anonymous true\nacl_file {tmp_path}/acl")
    strict.port, strict.url = broker.port, broker.url
    strict._settings.write_text(
        f"listener {broker.port} 127.0.0.1\nuser root\nallow_anonymous true\n"
        f"acl_file {tmp_path}/acl\n"
    )
    strict.start()
    try:
        new = station("m5")
        new.client.clear_ghosts()
        number = new.client.publish("event", b"{}")
        new.acknowledged(number)
        assert new.client._ledger.ghosts(broker.url) == [
            "spektron/lab/old/state",
            "spektron/lab/old/status",
        ]
    finally:
        strict.kill()


def test_what_may_not_be_cleared_or_read_is_told_and_kept(tmp_path, station):
    need("broker")
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite spektron/#\n")
    broker = Mosquitto(tmp_path, f"allow_anonymous true\nacl_file {acl}")
    broker.start()
    try:
        mine = station(url=broker.url)
        for kind in ("state", "status"):
            mine.acknowledged(mine.client.publish(kind, b"{}", retain=True))
        mine.client.stop()
        acl.write_text(f"topic readwrite {ROOT}/status\n")
        broker.reload()
        config = tmp_path / "edge.toml"
        config.write_text(
            'site = "lab"\ninstrument = "m5"\nstate_dir = "."\n[serial]\nurl = "none"\n'
            f'[mqtt]\nurl = "{broker.url}"\n'
        )
        told = cli("mqtt-clear", "--config", config, status=49)
        assert f"{ROOT}/state: Not authorized" in told
        kept = json.loads((tmp_path / "retained.json").read_text())["retained"]
        assert [entry["topic"] for entry in kept] == [f"{ROOT}/state"]
        (tmp_path / "retained.json").write_text("{")
        assert "retained.json.damaged-1" in cli("mqtt-clear", "--config", config, status=14)
        told = cli("mqtt-clear", "--config", config)
        assert "removed" not in told
        assert f"mosquitto_sub --retained-only -v -t '{ROOT}/#'" in told
    finally:
        broker.kill()


@pytest.mark.parametrize(
    ("limit", "words"),
    [("max_packet_size 1000", "the broker takes 1000"), ("message_size_limit 1000", "hung up 3")],
)
def test_a_record_beyond_the_broker_s_limit_is_set_aside_and_blocks_nothing(
    tmp_path, station, limit, words
):
    need("broker")
    small = tmp_path / "small"
    small.mkdir()
    broker = Mosquitto(small, f"allow_anonymous true\n{limit}")
    broker.start()
    try:
        mine = station(url=broker.url)
        large = mine.client.publish("prediction", b"x" * 5000)
        fits = mine.client.publish("event", b"x")
        assert words in mine.acknowledged(large).error
        assert mine.acknowledged(fits).error is None
    finally:
        broker.kill()


# ---- the whole daemon, and its end


def cli(*words, status=0):
    command = [sys.executable, "-m", "spektron_edge", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == status, done
    return json.loads(done.stdout) if "--json" in words else done.stdout + done.stderr


def test_a_daemon_under_a_new_name_and_its_end(broker, make_rig):
    rig = make_rig(broker.url)
    kinds = {"status", "state", "model"}

    def kept(name):
        return {f"spektron/lab/{name}/{kind}" for kind in kinds}

    rig.settings[""]["instrument"] = "first"
    rig.start()
    until(lambda: retained(broker) == kept("first"), "the first name's topics")
    told = cli("mqtt-clear", "--config", rig.config, status=15)
    assert "state_in_use" in told
    rig.stop()
    rig.settings[""]["instrument"] = "second"
    rig.start()
    until(lambda: retained(broker) == kept("second"), "the second name's topics only")
    rig.stop()
    config = rig.config
    named = cli("mqtt-clear", "--config", config, "--dry-run", "--json")
    assert {line.split(" at ")[0] for line in named["topics"]} == kept("second")
    assert retained(broker) == kept("second")
    broker.kill()
    assert "broker_unreachable" in cli("mqtt-clear", "--config", config, status=40)
    broker.start()
    assert cli("mqtt-clear", "--config", config, "--json")["removed"] == 3
    assert retained(broker) == set()
    assert cli("mqtt-clear", "--config", config, "--json")["removed"] == 0


def test_what_a_daemon_cleared_away_stays_away_and_a_moved_broker_is_asked_where_it_was(
    tmp_path, broker, make_rig
):
    rig = make_rig(broker.url)
    rig.start()
    until(lambda: len(retained(broker)) == 3, "retained topics")
    rig.stop()
    other = tmp_path / "other"
    other.mkdir()
    moved = Mosquitto(other)
    moved.start()
    try:
        rig.settings["mqtt"]["url"] = moved.url
        rig.start()
        until(lambda: len(retained(moved)) == 3, "the same at the other broker")
        rig.stop()
        assert len(retained(broker)) == 3
        told = cli("mqtt-clear", "--config", rig.config, "--json")
        assert (told["removed"], len(told["elsewhere"])) == (3, 3)
        assert len(retained(broker)) == 3
        told = cli("mqtt-clear", "--config", rig.config, "--everywhere", "--json")
        assert (told["removed"], told["elsewhere"]) == (3, [])
        assert retained(broker) == retained(moved) == set()
    finally:
        moved.kill()
