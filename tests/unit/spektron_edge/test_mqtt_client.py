"""The broker's client without a broker; the real one is met in tests/integration."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from spektron_edge.config import Mqtt
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import Acknowledged, CommandReceived, Connected, FaultRaised
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.connection import connect_plain
from spektron_edge.mqtt.topics import Topics

TOPICS = Topics("plant", "nir")


@pytest.fixture
def said():
    return []


@pytest.fixture
def client(said):
    return MqttClient(Mqtt(url="mqtt://127.0.0.1:1", in_flight=2), TOPICS, said.append)


def reason(name, kind=PacketTypes.CONNACK):
    return ReasonCode(kind, name)


def message(topic="spektron/plant/nir/command/health", payload=b"{}", retain=False, **properties):
    return SimpleNamespace(
        topic=topic, payload=payload, retain=retain, properties=SimpleNamespace(**properties)
    )


def test_an_accepted_session_is_said(client, said):
    client._on_connect(None, None, None, reason("Success"), None)
    assert said == [Connected()]


@pytest.mark.parametrize("why", ["Not authorized", "Bad user name or password"])
def test_refused_credentials_are_a_fault_with_the_broker_s_words(client, said, why):
    client._on_connect(None, None, None, reason(why), None)
    (trouble,) = said
    assert trouble.fault.kind is Faults.BROKER_REFUSED
    assert why in trouble.fault.detail


def test_a_broker_that_is_not_there_is_a_fault(client, said):
    client._on_connect_fail(None, None)
    assert said[0].fault.kind is Faults.BROKER_UNREACHABLE
    assert "127.0.0.1:1" in said[0].fault.detail


def test_a_lost_connection_is_a_fault_and_a_wanted_end_is_none(client, said):
    client._on_disconnect(
        None, None, None, reason("Normal disconnection", PacketTypes.DISCONNECT), None
    )
    assert said == []
    client._on_disconnect(None, None, None, reason("Server busy", PacketTypes.DISCONNECT), None)
    assert said[0].fault.kind is Faults.BROKER_UNREACHABLE


def test_sessions_that_end_at_once_again_and_again_mean_that_the_id_is_taken(client, said):
    for _ in range(3):
        client._on_connect(None, None, None, reason("Success"), None)
        gone = reason("Session taken over", PacketTypes.DISCONNECT)
        client._on_disconnect(None, None, None, gone, None)
    kinds = [item.fault.kind for item in said if isinstance(item, FaultRaised)]
    assert kinds[-1] is Faults.SESSION_TAKEN
    assert Faults.SESSION_TAKEN not in kinds[:-1]


def test_acknowledgements_carry_the_broker_s_refusal(client, said):
    client._on_publish(None, None, 4, reason("Success", PacketTypes.PUBACK), None)
    client._on_publish(None, None, 5, reason("Not authorized", PacketTypes.PUBACK), None)
    assert [(i.mid, i.error) for i in said if isinstance(i, Acknowledged)] == [
        (4, None),
        (5, "Not authorized"),
    ]


def test_a_command_is_passed_on_with_its_correlation(client, said):
    client._on_message(None, None, message(CorrelationData=b"\x01"))
    client._on_message(None, None, message(topic="spektron/plant/nir/command/reload"))
    assert said == [
        CommandReceived("health", b"{}", b"\x01"),
        CommandReceived("reload", b"{}", None),
    ]


@pytest.mark.parametrize(
    "odd",
    [
        {"retain": True},
        {"payload": bytes(16385)},
        {"topic": "spektron/plant/nir/command/" + "x" * (65535 - 27)},
    ],
)
def test_retained_or_huge_commands_are_not_even_looked_at(client, said, odd):
    client._on_message(None, None, message(**odd))
    assert said == []


def test_when_its_queue_is_full_the_client_says_so(client):
    taken = [client.publish("prediction", b"x") for _ in range(10)]
    assert None not in taken[:4]
    assert taken[-1] is None
    assert len({mid for mid in taken if mid is not None}) == len([m for m in taken if m])
    assert not client.connected


@pytest.mark.parametrize(("protocol", "kept"), [("5", True), ("3.1.1", False)])
def test_correlation_is_returned_where_the_protocol_knows_it(protocol, kept, monkeypatch):
    sent = []
    monkeypatch.setattr(paho.Client, "publish", lambda *a, **k: sent.append((a, k)))
    settings = Mqtt(url="mqtt://h", protocol=protocol)
    MqttClient(settings, TOPICS, print).respond("health", b"{}", b"\x07")
    properties = sent[0][1]["properties"]
    assert (properties is not None and properties.CorrelationData == b"\x07") is kept


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_that_cannot_be_read_is_a_fault_of_the_configuration(tmp_path, content):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    settings = Mqtt(url="mqtt://h", username="u", password_file=path)
    with pytest.raises(Fault) as caught:
        MqttClient(settings, TOPICS, print)
    assert caught.value.kind is Faults.CONFIG_INVALID


def test_a_password_that_mqtt_cannot_carry_is_a_fault_before_anything_connects(tmp_path):
    (tmp_path / "password").write_text("x" * 65536)
    settings = Mqtt(url="mqtt://h", username="u", password_file=tmp_path / "password")
    with pytest.raises(Fault) as caught:
        MqttClient(settings, TOPICS, print)
    assert caught.value.kind is Faults.CONFIG_INVALID


def test_a_password_is_read_without_its_line_end(tmp_path):
    (tmp_path / "password").write_text("secret\n")
    settings = Mqtt(url="mqtt://h", username="u", password_file=tmp_path / "password")
    assert MqttClient(settings, TOPICS, print)._client._password == b"secret"


def test_tls_with_an_authority_that_is_none_is_a_fault(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = Mqtt(url="mqtts://h", ca_file=tmp_path / "ca.pem")
    with pytest.raises(Fault) as caught:
        MqttClient(settings, TOPICS, print)
    assert caught.value.kind is Faults.CONFIG_INVALID


def test_tls_is_used_where_the_url_asks_for_it():
    assert MqttClient(Mqtt(url="mqtts://h"), TOPICS, print)._client._ssl


def test_a_plain_connection_to_nobody_is_a_fault():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Fault) as caught, connect_plain(Mqtt(url=f"mqtt://127.0.0.1:{port}"), 5.0):
        pass
    assert caught.value.kind is Faults.BROKER_UNREACHABLE


def test_a_plain_connection_to_somebody_who_does_not_answer_is_a_fault():
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = Mqtt(url=f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(Fault) as caught, connect_plain(settings, 0.1):
            pass
    assert "does not answer" in caught.value.detail
