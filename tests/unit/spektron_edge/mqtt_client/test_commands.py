"""Commands come in and answers go out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from spektron_edge.inbox import CommandReceived
from tests import mqtt_peer as mp

from .clients import accepting


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
