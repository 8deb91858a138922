"""The section [mqtt]."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from spektron_edge.config.mqtt import Mqtt


@pytest.mark.parametrize(
    ("url", "port", "tls", "path"),
    [
        ("mqtt://h", 1883, False, None),
        ("mqtts://h", 8883, True, None),
        ("mqtts://[::1]:99", 99, True, None),
        ("ws://h", 80, False, "/mqtt"),
        ("ws://h:8080/", 8080, False, "/"),
        ("wss://h/broker/mqtt?key=1", 443, True, "/broker/mqtt?key=1"),
    ],
)
def test_urls(url, port, tls, path):
    settings = Mqtt(url=url)
    assert (settings.port, settings.tls, settings.websocket_path) == (port, tls, path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "http://h"}, "must look like"),
        ({"url": "mqtt://h/topic"}, "only ws:// and wss:// have a path"),
        ({"url": "mqtt://h:70000"}, "Port"),
        ({"url": "mqtts://h", "key_file": "k"}, "`key_file` needs `cert_file`"),
        ({"url": "mqtt://h", "cert_file": "c"}, "need an URL with mqtts://"),
        ({"url": "ws://h", "ca_file": "c"}, "need an URL with mqtts://"),
        ({"url": "mqtt://h", "protocol": "3.1.1", "session_expiry_s": 1}, "needs protocol 5"),
        (
            {"url": "mqtt://h", "protocol": "3.1.1", "message_expiry_s": {"event": 1}},
            "needs protocol 5",
        ),
        ({"url": "mqtt://h", "message_expiry_s": {"status": 1}}, "'prediction'"),
        ({"url": "mqtt://h", "message_expiry_s": {"event": 0}}, "greater than or equal to 1"),
        ({"url": "mqtt://h", "response_topics": ["a/#"]}, "must end in /"),
        ({"url": "mqtt://h", "response_topics": ["a"]}, "must end in /"),
        ({"url": "mqtt://h", "timeout_s": 0.1}, "greater than or equal to 1"),
        ({"url": "mqtt://h:0"}, "port 0 is none"),
        ({"url": "mqtts://h:0"}, "port 0 is none"),
        ({"url": "mqtt://h?x=1"}, "only ws:// and wss:// have a query"),
        ({"url": "wss://h/mqtt#x"}, "none has a fragment"),
        ({"url": "mqtt://h", "password_file": "p"}, "`password_file` needs `username`"),
        ({"url": "mqtt://h", "username": "a\0b"}, "printable"),
        ({"url": "mqtt://h", "client_id": "a\0b"}, "printable"),
    ],
)
def test_what_cannot_work_is_refused_with_words(settings, words):
    with pytest.raises(ValidationError) as caught:
        Mqtt(**settings)
    assert words in str(caught.value)
