"""The broker, step by step: its name, its port, login over TLS, and what its access list allows."""

from __future__ import annotations

import queue
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import paho.mqtt.client as paho

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults
from spektron_edge.mqtt.connection import connect_plain
from spektron_edge.mqtt.in_use import in_use
from spektron_edge.mqtt.message import Message, schema_of
from spektron_edge.mqtt.tls import ends_soon
from spektron_edge.mqtt.topics import Topics
from spektron_edge.publishing.records import Status, to_json

from .finding import Finding, bad, of_fault, ok, unseen, warning
from .subject import Subject

PART = "broker"
WAIT_S = 5.0
_LIST = "broker's access list"


def look(subject: Subject) -> Iterator[Finding]:
    """Raises Fault."""
    config = subject.config
    mqtt = config.mqtt
    if subject.running:
        noted = in_use(config.state_dir, subject.path)
        if noted is not None and noted != mqtt:
            told = "the daemon still goes by `[mqtt]` as it was before the file changed"
            yield warning(PART, told, "send `reload`, or restart the daemon")
    yield from _way_there(mqtt)
    with connect_plain(mqtt, WAIT_S) as client:
        yield ok(PART, f"{mqtt.url} accepts us")
        yield from _certificate(client)
        yield from _allowed(client, subject)


def accepts(mqtt: Mqtt) -> str:
    """In words. Raises Fault as `connect_plain`."""
    with connect_plain(mqtt, WAIT_S):
        return f"{mqtt.url} accepts us"


def _way_there(mqtt: Mqtt) -> Iterator[Finding]:
    """Raises Fault(BROKER_UNREACHABLE) at the first step that cannot be taken."""
    try:
        found = socket.getaddrinfo(mqtt.host, mqtt.port, type=socket.SOCK_STREAM)
    except OSError as error:
        told = f"the name {mqtt.host} cannot be resolved: {error.strerror}"
        raise Fault(Faults.BROKER_UNREACHABLE, told) from None
    addresses = ", ".join(dict.fromkeys(str(address[0]) for *_, address in found))
    try:
        socket.create_connection((mqtt.host, mqtt.port), WAIT_S).close()
    except OSError as error:
        why = error.strerror or error
        told = f"{mqtt.host} ({addresses}) port {mqtt.port} takes no connection: {why}"
        raise Fault(Faults.BROKER_UNREACHABLE, told) from None
    yield ok(PART, f"{mqtt.host} ({addresses}) takes connections on port {mqtt.port}")


def _certificate(client: paho.Client) -> Iterator[Finding]:
    line: Any = client.socket()
    shown = line.getpeercert() if isinstance(line, ssl.SSLSocket) else None
    if not shown:
        return
    begins, ends = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown[name])), timezone.utc)
        for name in ("notBefore", "notAfter")
    )
    told = f"the broker's certificate ends at {ends:%Y-%m-%d %H:%M} UTC"
    if ends_soon(begins, ends, datetime.now(timezone.utc)):
        yield warning(PART, told, "have whoever runs the broker replace it in time")
    else:
        yield ok(PART, told)


def _allowed(client: paho.Client, subject: Subject) -> Iterator[Finding]:
    """Tried with what is true at this moment: no daemon runs, so the instrument is offline."""
    config = subject.config
    if subject.running:
        yield unseen(_LIST, "a daemon runs, and says itself what is refused")
        return
    if config.mqtt.protocol != "5":
        yield unseen(_LIST, "over MQTT 3.1.1 a broker acknowledges what it refuses, too")
        return
    topics = Topics(config.site, config.instrument)
    topic = topics.of("status")
    if (refused := _published(client, topic)) is not None:
        fault = Fault(Faults.PUBLISH_REFUSED, f"the broker refuses {topic}: {refused}")
        yield of_fault(_LIST, fault)
        return
    yield ok(_LIST, f"it takes what is published on {topic}")
    if config.commands.operators:
        yield _commands(client, topics.commands)


def _published(client: paho.Client, topic: str) -> str | None:
    """Why it is refused; not retained, so that nothing stays. Raises Fault(BROKER_UNREACHABLE)."""
    answers: queue.Queue[Any] = queue.Queue()
    client.on_publish = lambda _c, _u, _m, reason, _p: answers.put(reason)
    user = (("schema", schema_of("status") or ""),)
    message = Message(topic, to_json(Status(status="offline")), user=user)
    client.publish(topic, message.payload, 1, False, message.properties())
    reason = _answer(answers, client, "a publication")
    return str(reason) if reason.is_failure else None


def _commands(client: paho.Client, topic: str) -> Finding:
    """Raises Fault(BROKER_UNREACHABLE)."""
    answers: queue.Queue[Any] = queue.Queue()
    client.on_subscribe = lambda _c, _u, _m, reasons, _p: answers.put(reasons[0])
    client.subscribe(topic, 1)
    reason = _answer(answers, client, "a subscription")
    if reason.is_failure:
        step = "allow it in the broker's access list, else no command arrives"
        return bad(_LIST, f"the broker refuses the subscription to {topic}: {reason}", step)
    return ok(_LIST, f"it allows commands on {topic}")


def _answer(answers: queue.Queue[Any], client: paho.Client, to: str) -> Any:
    try:
        return answers.get(timeout=WAIT_S)
    except queue.Empty:
        where = f"{client.host}:{client.port}"
        how = "does not answer" if client.is_connected() else "hung up over"
        raise Fault(Faults.BROKER_UNREACHABLE, f"{where} {how} {to}") from None
