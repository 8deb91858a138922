"""Sessions with peers that misbehave on purpose; the real broker is met in tests/integration."""

from __future__ import annotations

import socket
import time

import pytest

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import FaultRaised, FaultsOver
from spektron_edge.mqtt.connection import connect_plain
from tests import mqtt_peer as mp

from .clients import PATIENCE_S, accept_and, accepting


def test_an_accepted_session_is_said_and_a_wanted_end_is_no_fault(make, said):
    with mp.listening_peer(accepting) as peer:
        client = make(peer.url)
        assert not client.connected
        client.start()
        said.connected()
        assert client.connected
        client.stop()
        assert not client.connected
        deadline = time.monotonic() + PATIENCE_S
        while peer.lines[0].seen[-1].kind != mp.DISCONNECT and time.monotonic() < deadline:
            time.sleep(0.01)
        assert peer.lines[0].seen[-1].kind == mp.DISCONNECT
    assert not [item for item in said.items if isinstance(item, FaultRaised)]


@pytest.mark.parametrize(
    ("reason", "words"),
    [(0x87, "Not authorized"), (0x86, "Bad user name or password"), (0x89, "Server busy")],
)
def test_refused_credentials_are_a_fault_with_the_broker_s_words(make, said, reason, words):
    with mp.listening_peer(lambda line: (line.read(), line.send(mp.connack(reason)))) as peer:
        make(peer.url).start()
        assert words in said.fault(Faults.BROKER_REFUSED).detail


def test_a_broker_without_mqtt_5_is_told_with_what_to_set(make, said):
    old = bytes([0x20, 2, 0, 1])
    with mp.listening_peer(lambda line: (line.read(), line.send(old))) as peer:
        make(peer.url).start()
        assert 'mqtt.protocol = "3.1.1"' in said.fault(Faults.BROKER_REFUSED).detail


def test_a_broker_that_is_not_there_is_a_fault(make, said):
    make("mqtt://127.0.0.1:1").start()
    fault = said.fault(Faults.BROKER_UNREACHABLE)
    assert "127.0.0.1:1" in fault.detail
    assert "refused" in fault.detail


def test_a_peer_that_says_nothing_is_told_soon(make, said):
    with mp.listening_peer(lambda line: line.read(mp.PUBLISH)) as peer:
        make(peer.url).start()
        assert "says nothing for 1 s" in said.fault(Faults.BROKER_UNREACHABLE).detail


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x00", b"\xff" * 9])
def test_a_peer_that_speaks_no_mqtt_is_a_fault_and_is_tried_again(make, said, noise):
    with mp.listening_peer(lambda line: (line.read(), line.send(noise)), accepting) as peer:
        make(peer.url).start()
        said.fault(Faults.BROKER_UNREACHABLE)
        said.connected()


@pytest.mark.parametrize(
    "noise", [b"\x41\x00", b"\xe0\x02\xff\x00", b"\x32\x03\x00\x05a", b"\x00\x00"]
)
def test_broken_packets_end_the_session_and_not_the_client(make, said, noise):
    with mp.listening_peer(accept_and(noise, mp.DISCONNECT), accepting) as peer:
        make(peer.url).start()
        said.fault(Faults.BROKER_UNREACHABLE)
        said.until(lambda _: len(peer.lines) > 1 and peer.lines[1].seen, "another session")


def test_a_session_taken_over_is_named_at_once(make, said):
    with mp.listening_peer(accept_and(mp.SUBSCRIBE, mp.disconnect(0x8E))) as peer:
        make(peer.url).start()
        assert "'spektron-plant-nir'" in said.fault().detail
        assert said.fault().kind is Faults.SESSION_TAKEN


def test_mqtt_3_sessions_that_end_at_once_again_and_again_mean_the_same(make, said):
    def hang_up(line):
        line.read(mp.CONNECT)
        line.send(bytes([0x20, 2, 0, 0]))
        line.read(mp.SUBSCRIBE)

    with mp.listening_peer(hang_up) as peer:
        make(peer.url, protocol="3.1.1").start()
        assert "3 times in a row" in said.fault(Faults.SESSION_TAKEN).detail
    earlier = [item for item in said.items if isinstance(item, FaultRaised)][:2]
    assert [item.fault.kind for item in earlier] == [Faults.BROKER_UNREACHABLE] * 2


def test_once_a_session_lasts_the_id_is_not_taken_any_more(make, said, monkeypatch):
    monkeypatch.setattr("spektron_edge.mqtt.session.STEADY_S", 0.2)
    with mp.listening_peer(accept_and(mp.SUBSCRIBE, mp.disconnect(0x8E)), accepting) as peer:
        make(peer.url).start()
        said.until(
            lambda i: isinstance(i, FaultsOver) and Faults.SESSION_TAKEN in i.kinds, "its end"
        )


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
