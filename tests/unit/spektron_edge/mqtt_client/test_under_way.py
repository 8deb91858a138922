"""What was handed over is published once, in its order, whatever the broker does."""

from __future__ import annotations

import socket
import time
from collections import deque

import pytest

from spektron_edge.faults import Faults
from spektron_edge.inbox import FaultRaised, FaultsOver
from spektron_edge.mqtt.message import Message, packet_bytes
from tests import mqtt_peer as mp

from .clients import TOPICS, accept_and, accepting, published


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
