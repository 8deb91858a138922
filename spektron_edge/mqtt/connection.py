"""How a paho client is made, and a short-lived connection for tools."""

from __future__ import annotations

import contextlib
import queue
import secrets
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults

from .message import Message
from .tls import explain, make_context

_MAX_PASSWORD_BYTES = 65535
# Well beyond what any command needs: larger ones are dropped by the broker, not sent to us.
_MAX_PACKET_BYTES = 2**17


@contextlib.contextmanager
def connect_plain(
    settings: Mqtt, timeout_s: float, client_id: str | None = None
) -> Iterator[paho.Client]:
    """A short-lived paho client, connected, under an id of its own unless one is given.

    Raises Fault: BROKER_UNREACHABLE, BROKER_REFUSED, BROKER_UNTRUSTED, CERTIFICATE_REFUSED,
    CONFIG_INVALID.
    """
    where = f"{settings.host}:{settings.port}"
    answers: queue.Queue[ReasonCode | OSError] = queue.Queue()
    client = new_client(settings, client_id or f"spektron-cli-{secrets.token_hex(4)}", answers.put)
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.put(reason)
    try:
        connect(client, settings, session_expiry_s=0)
    except OSError as error:
        raise connect_fault(error, settings) from None
    client.loop_start()
    try:
        try:
            answer = answers.get(timeout=timeout_s)
        except queue.Empty:
            raise Fault(Faults.BROKER_UNREACHABLE, f"{where} does not answer") from None
        if isinstance(answer, OSError):
            raise connect_fault(answer, settings)
        if answer.is_failure:
            raise refusal(answer, settings)
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def new_client(
    settings: Mqtt,
    client_id: str,
    note: Callable[[OSError], None] = lambda _: None,
    will: Message | None = None,
) -> paho.Client:
    """A paho client with protocol, credentials, TLS and will set up, not connected.

    note: told of errors on a TLS connection. Raises Fault(CONFIG_INVALID) for unreadable secrets.
    """
    v5 = settings.protocol == "5"
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
        transport="tcp" if settings.websocket_path is None else "websockets",
    )
    client.connect_timeout = settings.timeout_s
    if settings.websocket_path is not None:
        client.ws_set_options(settings.websocket_path)
    if settings.username is not None:
        client.username_pw_set(settings.username, _password(settings))
    if settings.tls:
        client.tls_set_context(make_context(settings, note))
    if will is not None:
        properties = will.properties(PacketTypes.WILLMESSAGE) if v5 else None
        client.will_set(will.topic, will.payload, 1, will.retain, properties)
    return client


def connect(client: paho.Client, settings: Mqtt, session_expiry_s: int) -> MQTTErrorCode:
    """Open the connection and send CONNECT; what the broker says to it comes later.

    Raises OSError.
    """
    if settings.protocol != "5":
        return client.connect(settings.host, settings.port, settings.keepalive_s)
    properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_expiry_s
    properties.MaximumPacketSize = _MAX_PACKET_BYTES
    return client.connect(
        settings.host,
        settings.port,
        settings.keepalive_s,
        clean_start=session_expiry_s == 0,
        properties=properties,
    )


def connect_fault(error: OSError, settings: Mqtt) -> Fault:
    """What kept a connection from being made, or ended it."""
    where = f"{settings.host}:{settings.port}"
    if settings.tls and isinstance(error, (ConnectionResetError, ssl.SSLEOFError)):
        told = f"{where} hung up in the TLS handshake: does it speak TLS on this port?"
        return Fault(Faults.BROKER_UNREACHABLE, told)
    unreachable = Fault(Faults.BROKER_UNREACHABLE, f"{where} cannot be reached: {error}")
    return explain(error, settings, where) or unreachable


def refusal(reason: ReasonCode, settings: Mqtt) -> Fault:
    """The broker's no to CONNECT."""
    told = f"{settings.host}:{settings.port} says: {reason}"
    if str(reason) == "Unsupported protocol version" and settings.protocol == "5":
        told += '; set `mqtt.protocol = "3.1.1"` for a broker without MQTT 5'
    return Fault(Faults.BROKER_REFUSED, told)


def _password(settings: Mqtt) -> str | None:
    path = settings.password_file
    if path is None:
        return None
    try:
        password = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(Faults.CONFIG_INVALID, f"mqtt secrets cannot be read: {error}") from None
    if len(password.encode()) > _MAX_PASSWORD_BYTES:
        # paho finds out when it connects, and its thread ends.
        raise Fault(Faults.CONFIG_INVALID, f"{path} is too long for a password")
    return password
