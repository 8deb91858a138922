"""The broker's client against a peer that misbehaves on purpose; the real broker is met in
tests/integration."""

from __future__ import annotations

import json
import queue
import socket
import time
from collections import deque
from types import SimpleNamespace

import pytest

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import (
    Acknowledged,
    CommandReceived,
    Connected,
    FaultRaised,
    FaultsOver,
)
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.connection import connect_plain, new_client
from spektron_edge.mqtt.message import Message, packet_bytes
from spektron_edge.mqtt.retained import RetainedLedger
from spektron_edge.mqtt.topics import Topics
from tests import mqtt_peer as mp

TOPICS = Topics("plant", "nir")
PATIENCE_S = 20.0


class Said:
    """What the client told the daemon."""

    def __init__(self):
        self._arriving = queue.SimpleQueue()
        self.items = []

    def __call__(self, item):
        self._arriving.put(item)

    def until(self, wanted, what):
        """The first item, early or late, that `wanted` accepts."""
        for item in self.items:
            if wanted(item):
                return item
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                self.items.append(self._arriving.get(timeout=0.1))
            except queue.Empty:
                continue
            if wanted(self.items[-1]):
                return self.items[-1]
        raise AssertionError(f"waited in vain for {what}; there was {self.items}")

    def fault(self, kind=None):
        item = self.until(
            lambda i: isinstance(i, FaultRaised) and kind in (None, i.fault.kind), f"fault {kind}"
        )
        return item.fault

    def answer(self, number):
        return self.until(
            lambda i: isinstance(i, Acknowledged) and i.mid == number, f"PUBACK of {number}"
        )

    def connected(self):
        return self.until(lambda i: isinstance(i, Connected), "a session")


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


def accepting(line):
    """Accept, and acknowledge whatever comes."""
    line.read(mp.CONNECT)
    line.send(mp.ACCEPT)
    while True:
        packet = line.read()
        if packet.kind == mp.PUBLISH:
            line.send(mp.puback(packet.mid))


def accept_and(*what):
    def script(line):
        line.read(mp.CONNECT)
        line.send(mp.ACCEPT)
        for step in what:
            if isinstance(step, bytes):
                line.send(step)
            else:
                line.read(step)

    return script


def published(line):
    return [(p.topic.rsplit("/", 1)[-1], p.retain) for p in line.seen if p.kind == mp.PUBLISH]


# ---- sessions


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


# ---- what is under way


def test_what_was_not_acknowledged_is_published_again_in_its_order(make, said):
    def deaf(line):
        line.read(mp.CONNECT)
        line.send(mp.ACCEPT)
        for _ in range(4):
            line.read(mp.PUBLISH)

    with mp.listening_peer(deaf, accepting) as peer:
        client = make(peer.url)
        client.start()
        said.connected()
        numbers = [client.publish("prediction", b"%d" % n) for n in range(2)]
        numbers.append(client.publish("state", b"{}", retain=True))
        numbers.append(client.publish("event", b"{}"))
        for number in numbers:
            assert said.answer(number).error is None
        once = [("prediction", False), ("prediction", False), ("state", True), ("event", False)]
        assert [published(line) for line in peer.lines] == [once, once]


def test_a_link_on_which_nothing_is_acknowledged_counts_as_dead(make, said):
    silent = accept_and(mp.PUBLISH, mp.PUBLISH, mp.PUBLISH)
    with mp.listening_peer(silent, accepting) as peer:
        client = make(peer.url)
        client.start()
        said.connected()
        number = client.publish("prediction", b"1")
        assert "acknowledges nothing" in said.fault(Faults.BROKER_UNREACHABLE).detail
        assert said.answer(number).error is None


def test_a_slow_line_on_which_something_is_acknowledged_is_not_dead(make, said):
    def slow(line):
        line.read(mp.CONNECT)
        line.send(mp.ACCEPT)
        mids = [line.read(mp.PUBLISH).mid for _ in range(4)]
        for mid in mids:
            time.sleep(0.6)
            line.send(mp.puback(mid))
        line.read(mp.DISCONNECT)

    with mp.listening_peer(slow) as peer:
        client = make(peer.url)
        client.start()
        said.connected()
        for number in [client.publish("prediction", b"%d" % n) for n in range(4)]:
            assert said.answer(number).error is None
        assert len(peer.lines) == 1


def test_no_more_is_under_way_than_the_broker_bears(make, said):
    most = []

    def narrow(line):
        line.read(mp.CONNECT)
        line.send(mp.connack(receive_maximum=2))
        unanswered = deque()
        for _ in range(7):
            unanswered.append(line.read(mp.PUBLISH).mid)
            if len(unanswered) == 2:
                line.socket.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    line.read(mp.PUBLISH)
                line.socket.settimeout(20.0)
                most.append(len(unanswered))
                line.send(mp.puback(unanswered.popleft()))
        for mid in unanswered:
            line.send(mp.puback(mid))
        line.read(mp.DISCONNECT)

    with mp.listening_peer(narrow) as peer:
        client = make(peer.url, in_flight=5)
        client.start()
        said.connected()
        numbers = [client.publish("prediction", b"%d" % n) for n in range(7)]
        for number in numbers:
            said.answer(number)
        client.stop()
    assert most
    assert set(most) == {2}


def test_a_record_larger_than_the_broker_takes_is_refused_and_the_next_goes(make, said):
    def small(line):
        line.read(mp.CONNECT)
        line.send(mp.connack(largest=400))
        while True:
            line.send(mp.puback(line.read(mp.PUBLISH).mid))

    with mp.listening_peer(small) as peer:
        client = make(peer.url)
        client.start()
        said.connected()
        large, fits = client.publish("prediction", b"x" * 400), client.publish("event", b"x")
        error = said.answer(large).error
        assert error.startswith("Packet too large: 4")
        assert "the broker takes 400" in error
        assert said.answer(fits).error is None
        assert published(peer.lines[0]) == [("event", False)]


def test_a_broker_that_hangs_up_over_a_large_packet_does_not_meet_it_again(make, said):
    def strict(line):
        line.read(mp.CONNECT)
        line.send(mp.ACCEPT)
        for _ in range(2):
            line.read(mp.PUBLISH)
        line.send(mp.disconnect(0x95))
        line.read(mp.DISCONNECT)

    with mp.listening_peer(strict, accepting) as peer:
        client = make(peer.url)
        client.start()
        said.connected()
        small, large = client.publish("event", b"x"), client.publish("prediction", b"x" * 5000)
        assert said.answer(large).error == "Packet too large"
        assert said.answer(small).error is None
        assert published(peer.lines[1]) == [("event", False)]


def test_a_record_that_a_broker_hangs_up_over_without_a_word_does_not_block_the_others(make, said):
    """As Mosquitto 2.0 does beyond its `message_size_limit`."""

    def touchy(line):
        line.read(mp.CONNECT)
        line.send(mp.ACCEPT)
        while b"poison" not in (packet := line.read(mp.PUBLISH)).body:
            line.send(mp.puback(packet.mid))

    with mp.listening_peer(touchy) as peer:
        client = make(peer.url)
        client.start()
        said.connected()
        numbers = [client.publish("event", text) for text in (b"a", b"poison", b"b", b"c")]
        for number in (numbers[0], *numbers[2:]):
            assert said.answer(number).error is None
        assert "hung up 3 times over it" in said.answer(numbers[1]).error
        assert len(peer.lines) == 4
        # Offered again, it costs one connection only, and is not taken for another client.
        again = client.publish("event", b"poison")
        assert "hung up 3 times" in said.answer(again).error
        said.until(lambda _: len(peer.lines) == 5, "another session")
    faults = {item.fault.kind for item in said.items if isinstance(item, FaultRaised)}
    assert faults == {Faults.BROKER_UNREACHABLE}


def test_a_broker_that_was_only_away_blames_nobody(make, said):
    def away_twice(line):
        line.read(mp.CONNECT)
        line.send(mp.ACCEPT)
        line.read(mp.PUBLISH)

    with mp.listening_peer(away_twice, away_twice, accepting, away_twice, accepting) as peer:
        client = make(peer.url)
        client.start()
        assert said.answer(client.publish("event", b"1")).error is None
        peer.lines[2].socket.shutdown(socket.SHUT_RDWR)
        assert said.answer(client.publish("event", b"2")).error is None


@pytest.mark.parametrize("size", [0, 10, 50, 51, 52, 53, 54, 127, 128, 16_310, 16_400])
def test_the_size_of_a_packet_is_known_before_it_is_sent(make, said, size):
    with mp.listening_peer(accepting) as peer:
        client = make(peer.url)
        client.start()
        said.connected()
        message = Message(TOPICS.of("event"), b"x" * size, user=(("id", "ü"),), expiry_s=9)
        said.answer(client.send(message))
        (packet,) = [p for p in peer.lines[0].seen if p.kind == mp.PUBLISH]
    assert packet.size == packet_bytes(message, message.properties())


def test_when_its_queue_is_full_the_client_says_so(make):
    client = make("mqtt://127.0.0.1:1", in_flight=2)
    taken = [client.publish("prediction", b"x") for _ in range(10)]
    assert taken == [1, 2, 3, 4, *[None] * 6]


def test_acknowledgements_carry_the_broker_s_refusal(make, said):
    def refusing(line):
        line.read(mp.CONNECT)
        line.send(mp.ACCEPT)
        line.send(mp.puback(line.read(mp.PUBLISH).mid))
        line.send(mp.puback(line.read(mp.PUBLISH).mid, 0x87))
        line.read(mp.DISCONNECT)

    with mp.listening_peer(refusing) as peer:
        client = make(peer.url)
        client.start()
        said.connected()
        first, second = client.publish("event", b"1"), client.publish("event", b"2")
        assert (said.answer(first).error, said.answer(second).error) == (None, "Not authorized")


def test_a_refused_state_is_a_fault_until_it_is_taken(make, said):
    verdicts = iter([0x87, 0x87, 0, 0])

    def moody(line):
        line.read(mp.CONNECT)
        line.send(mp.ACCEPT)
        for verdict in verdicts:
            line.send(mp.puback(line.read(mp.PUBLISH).mid, verdict))
        line.read(mp.DISCONNECT)

    with mp.listening_peer(moody) as peer:
        client = make(peer.url)
        client.start()
        said.connected()
        for kind in ("state", "model", "state"):
            client.publish(kind, b"{}", retain=True)
        assert "spektron/plant/nir/state: Not authorized" in said.fault().detail
        assert said.fault().kind is Faults.NOTICE_REFUSED
        last = client.publish("model", b"{}", retain=True)
        over = said.until(lambda i: isinstance(i, FaultsOver), "its end")
        assert over.kinds == (Faults.NOTICE_REFUSED,)
        said.answer(last)
    # The model was still refused when the state was taken.
    assert said.items.index(over) > said.items.index(said.answer(3))


# ---- commands and answers


def message(topic="spektron/plant/nir/command/health", payload=b"{}", retain=False, **properties):
    return SimpleNamespace(
        topic=topic, payload=payload, retain=retain, properties=SimpleNamespace(**properties)
    )


def test_a_command_is_passed_on_with_correlation_and_response_topic(make, said):
    client = make("mqtt://127.0.0.1:1")
    client.received(message(CorrelationData=b"\x01", ResponseTopic="a/b"))
    client.received(message(topic="spektron/plant/nir/command/reload"))
    assert said.until(lambda _: True, "a command") == CommandReceived(
        "health", b"{}", b"\x01", "a/b"
    )
    said.until(lambda i: i == CommandReceived("reload", b"{}", None), "the other")


@pytest.mark.parametrize(
    "odd",
    [
        {"retain": True},
        {"payload": bytes(16385)},
        {"topic": "spektron/plant/nir/command/" + "x" * (65535 - 27)},
    ],
)
def test_retained_or_huge_commands_are_not_even_looked_at(make, said, odd):
    make("mqtt://127.0.0.1:1").received(message(**odd))
    assert said._arriving.empty()


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (None, "spektron/plant/nir/response/health"),
        ("spektron/plant/nir/response/anna/7", "spektron/plant/nir/response/anna/7"),
        ("plant/replies/7", "plant/replies/7"),
        ("spektron/plant/nir/prediction", "spektron/plant/nir/response/health"),
        ("plant/replies/#", "spektron/plant/nir/response/health"),
        ("plant/replies/" + "x" * 2000, "spektron/plant/nir/response/health"),
        ("", "spektron/plant/nir/response/health"),
    ],
)
def test_answers_go_where_the_request_says_only_if_that_is_allowed(make, said, asked, answered):
    with mp.listening_peer(accepting) as peer:
        client = make(peer.url, response_topics=["plant/replies/"])
        client.start()
        said.connected()
        client.respond("health", b"{}", b"\x07\x08\x09", asked)
        said.answer(1)
        (packet,) = [p for p in peer.lines[0].seen if p.kind == mp.PUBLISH]
    assert packet.topic == answered
    assert b"\x09\x00\x03\x07\x08\x09" in packet.body


# ---- secrets


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_that_cannot_be_read_is_a_fault_of_the_configuration(tmp_path, make, content):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Fault) as caught:
        make("mqtt://h", username="u", password_file=path)
    assert caught.value.kind is Faults.CONFIG_INVALID


def test_a_password_that_mqtt_cannot_carry_is_a_fault_before_anything_connects(tmp_path, make):
    (tmp_path / "password").write_text("x" * 65536)
    with pytest.raises(Fault) as caught:
        make("mqtt://h", username="u", password_file=tmp_path / "password")
    assert caught.value.kind is Faults.CONFIG_INVALID


def test_a_password_is_read_without_its_line_end(tmp_path):
    (tmp_path / "password").write_text("secret\n")
    settings = Mqtt(url="mqtt://h", username="u", password_file=tmp_path / "password")
    assert new_client(settings, "id").password == "secret"


def test_a_changed_password_is_used_by_the_next_session(tmp_path, make, said):
    path = tmp_path / "password"
    path.write_text("first")
    with mp.listening_peer(accepting) as peer:
        client = make(peer.url, username="u", password_file=path)
        client.start()
        said.connected()
        assert not client.files_changed()
        path.write_text("second")
        assert client.files_changed()
        number = client.publish("prediction", b"1")
        client.use(client._settings)
        said.answer(number)
        said.until(lambda _: len(peer.lines) > 1, "another session")
    assert peer.lines[0].seen[-1].kind == mp.DISCONNECT
    assert [line.seen[0].body.endswith(b"\x00\x05first") for line in peer.lines] == [True, False]
    assert peer.lines[1].seen[0].body.endswith(b"\x00\x06second")


def test_other_settings_are_taken_up_with_everything_that_is_under_way(make, said, tmp_path):
    with (
        mp.listening_peer(accept_and(mp.PUBLISH, mp.DISCONNECT)) as first,
        mp.listening_peer(accepting) as second,
    ):
        client = make(first.url)
        client.start()
        said.connected()
        number = client.publish("prediction", b"1")
        said.until(lambda _: True, "anything")
        with pytest.raises(Fault):
            client.use(Mqtt(url=second.url, username="u", password_file=tmp_path / "none"))
        assert client.connected
        client.use(Mqtt(url=second.url, client_id="other", timeout_s=1.0))
        assert said.answer(number).error is None
        assert b"other" in second.lines[0].seen[0].body
    ledger = json.loads((tmp_path / "retained.json").read_text())["retained"]
    brokers = {entry["broker"] for entry in ledger}
    assert brokers == {first.url, second.url}
    assert not [item for item in said.items if isinstance(item, FaultRaised)]


def test_a_file_that_is_gone_changes_nothing_until_the_session_ends(tmp_path, make, said):
    path = tmp_path / "password"
    path.write_text("first")
    with mp.listening_peer(accept_and(mp.SUBSCRIBE, mp.PUBLISH), accepting) as peer:
        client = make(peer.url, username="u", password_file=path)
        client.start()
        said.connected()
        path.unlink()
        with pytest.raises(Fault, match="password"):
            client.files_changed()
        assert client.connected
        number = client.publish("event", b"{}")
        assert "password" in said.fault(Faults.CONFIG_INVALID).detail
        path.write_text("second")
        assert said.answer(number).error is None


def test_tls_with_an_authority_that_is_none_is_a_fault(tmp_path, make):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(Fault) as caught:
        make("mqtts://h", ca_file=tmp_path / "ca.pem")
    assert caught.value.kind is Faults.CONFIG_INVALID
    assert "mqtt.ca_file" in caught.value.detail


# ---- short-lived connections


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
