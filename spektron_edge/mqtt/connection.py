"""How a paho client is made, and a short-lived connection for tools."""

from __future__ import annotations

import contextlib
import queue
import secrets
import ssl
from collections.abc import Iterator

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from spektron_edge.config import Mqtt
from spektron_edge.faults import Fault, Faults

_MAX_PASSWORD_BYTES = 65535


@contextlib.contextmanager
def connect_plain(settings: Mqtt, timeout_s: float) -> Iterator[paho.Client]:
    """A short-lived paho client under an id of its own, connected.

    Raises Fault(BROKER_UNREACHABLE, BROKER_REFUSED, CONFIG_INVALID).
    """
    where = f"{settings.host}:{settings.port}"
    client = new_client(settings, f"spektron-cli-{secrets.token_hex(4)}")
    answers: queue.SimpleQueue[ReasonCode] = queue.SimpleQueue()
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.put(reason)
    try:
        client.connect(settings.host, settings.port, keepalive=settings.keepalive_s)
    except OSError as error:
        raise Fault(Faults.BROKER_UNREACHABLE, f"{where}: {error}") from None
    client.loop_start()
    try:
        try:
            reason = answers.get(timeout=timeout_s)
        except queue.Empty:
            raise Fault(Faults.BROKER_UNREACHABLE, f"{where} does not answer") from None
        if reason.is_failure:
            raise Fault(Faults.BROKER_REFUSED, f"{where} says: {reason}")
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def new_client(settings: Mqtt, client_id: str) -> paho.Client:
    """A paho client with protocol, credentials and TLS set up, not connected.

    Raises Fault(CONFIG_INVALID) for unreadable secrets.
    """
    v5 = settings.protocol == "5"
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
    )
    try:
        if settings.username is not None:
            password = None
            if settings.password_file is not None:
                password = settings.password_file.read_text("utf-8").strip()
                if len(password.encode()) > _MAX_PASSWORD_BYTES:
                    # paho finds out when it connects, and its thread ends.
                    raise Fault(
                        Faults.CONFIG_INVALID,
                        f"{settings.password_file} is too long for a password",
                    )
            client.username_pw_set(settings.username, password)
        if settings.tls:
            client.tls_set(
                ca_certs=None if settings.ca_file is None else str(settings.ca_file),
                tls_version=ssl.PROTOCOL_TLS_CLIENT,
            )
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(Faults.CONFIG_INVALID, f"mqtt secrets cannot be read: {error}") from None
    return client
