"""One connection to the broker, from CONNECT to its end, driven by one thread.

paho speaks the protocol; what is under way, how long an answer may take and what fits is decided
here. paho's own threads, queue and reconnects are not used: they keep old certificates, wait
without jitter, and know neither the broker's limits nor a deadline for its answers.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import paho.mqtt.client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults
from spektron_edge.service.beats import Beat

from .backoff import STEADY_S
from .blame import OFTEN, Blame
from .connection import connect, connect_fault, new_client, refusal
from .message import Message, packet_bytes
from .send_queue import Numbered
from .tls import explain

_MAX_TURN_S = 1.0
_LAST_WORDS_S = 2.0
# A name that no server knows: resolvers ask several, several times over.
_CONNECTING_S = 300.0
_KEEP_ALIVE, _TAKEN_OVER, _TOO_LARGE = 0x8D, 0x8E, 0x95


class Source(Protocol):
    """Where messages come from; all but `wake` on the session's thread."""

    @property
    def waiting(self) -> int:
        """How many wait to be taken."""

    def take(self) -> Numbered | None:
        """The next message, which is sent at once."""

    def put_back(self, taken: Sequence[Numbered]) -> None:
        """These were taken and not sent for certain."""

    def finish(self) -> None:
        """One that was taken is acknowledged or given up."""

    def wake(self) -> None:
        """Make `fileno` readable."""

    def quiet(self) -> None:
        """Make it unreadable until something comes."""

    def fileno(self) -> int:
        """For select."""


class Owner(Protocol):
    """Whom a session tells; called on its thread."""

    def accepted(self) -> None:
        """CONNACK said yes."""

    def steady(self) -> None:
        """The session has lasted for long enough to be believed in."""

    def subscribed(self, topic: str, *, refused: bool) -> None:
        """SUBACK came."""

    def acknowledged(self, sent: Numbered, error: str | None) -> None:
        """PUBACK came; error: why the broker does not take it, or why it cannot be sent."""

    def received(self, message: paho.MQTTMessage) -> None:
        """A message came on one of the subscriptions."""


@dataclass(frozen=True)
class End:
    """How a session ended. fault: None when it was wanted; lasted_s: since it was accepted; blamed:
    one message seems to be why."""

    fault: Fault | None
    lasted_s: float = 0.0
    blamed: bool = False


class Session:
    """Made to `run` once. Other threads may call `leave` and look at `open`."""

    def __init__(
        self,
        settings: Mqtt,
        client_id: str,
        will: Message,
        subscriptions: Sequence[str],
        queue: Source,
        blame: Blame,
        owner: Owner,
    ) -> None:
        """Raises Fault(CONFIG_INVALID) for unreadable secrets."""
        self._settings = settings
        self._subscriptions = subscriptions
        self._queue = queue
        self._blame = blame
        self._owner = owner
        self._where = f"{settings.host}:{settings.port}"
        self._window = settings.in_flight
        self._largest: int | None = None
        self._under_way: dict[int, Numbered] = {}
        self._began = self._heard_at = 0.0
        self._accepted_at: float | None = None
        self._steady = False
        self._leaving = False
        self._leave_by: float | None = None
        self._error: OSError | None = None
        self._end: End | None = None
        self._paho = new_client(settings, client_id, self._note, will)
        self._paho.max_inflight_messages_set(0)
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_subscribe = self._on_subscribe
        self._paho.on_publish = self._on_publish
        self._paho.on_message = lambda _client, _userdata, message: owner.received(message)

    @property
    def open(self) -> bool:
        """Whether the broker has accepted, and nothing is known to be wrong since."""
        return self._accepted_at is not None and self._end is None

    @property
    def connect_sent(self) -> bool:
        """Whether the broker may know of this session, and of its will."""
        return self._began > 0.0

    def leave(self) -> None:
        """Send what waits, then disconnect in good order."""
        self._leaving = True
        self._queue.wake()

    def run(self, beat: Beat) -> End:
        """Connect and serve until the end; then what may be lost is in the queue again.

        beat: of the thread that runs it.
        """
        try:
            beat.doing("connecting to the broker", _CONNECTING_S)
            connect(self._paho, self._settings, self._settings.session_expiry_s)
            self._began = time.monotonic()
            while self._end is None:
                beat.doing("serving its session", _MAX_TURN_S)
                self._turn()
        except OSError as error:
            self._end = self._end or End(connect_fault(error, self._settings), self._lasted_s)
        except Exception as error:  # noqa: BLE001  whatever a broken packet does to paho
            self._ends(f"sent what cannot be understood ({type(error).__name__}: {error})")
        self._close()
        return self._end or End(None)

    def _turn(self) -> None:
        line: Any = self._paho.socket()
        if line is None:
            self._ends("closed the connection")
            return
        # What TLS or a websocket has read already does not show in select.
        buffered = hasattr(line, "pending") and line.pending() > 0
        writing = [line] if self._paho.want_write() else []
        wait_s = 0.0 if buffered else min(_MAX_TURN_S, self._settings.timeout_s / 4)
        readable, _, _ = select.select([line, self._queue], writing, [], wait_s)
        if buffered or line in readable:
            self._paho.loop_read()
        if self._queue in readable:
            self._queue.quiet()
        self._hand_over()
        if self._paho.want_write():
            self._paho.loop_write()
        self._paho.loop_misc()
        self._watch(time.monotonic())

    def _hand_over(self) -> None:
        while self.open and len(self._under_way) < self._window:
            sent = self._queue.take()
            if sent is None:
                return
            message = sent.message
            properties = message.properties() if self._settings.protocol == "5" else None
            size = packet_bytes(message, properties)
            if self._largest is not None and size > self._largest:
                told = f"Packet too large: {size} bytes, the broker takes {self._largest}"
                self._done(sent, told)
                continue
            if message.qos and not self._under_way:
                self._heard_at = time.monotonic()
            info = self._paho.publish(
                message.topic, message.payload, message.qos, message.retain, properties
            )
            if message.qos:
                self._under_way[info.mid] = sent
            else:
                self._done(sent, None)

    def _watch(self, now: float) -> None:
        """The deadlines: of CONNACK, of the next PUBACK, of leaving."""
        patience_s = self._settings.timeout_s
        if self._accepted_at is None:
            if self._leaving:
                self._end = self._end or End(None)
            elif now - self._began > patience_s:
                self._ends(f"takes the connection and says nothing for {patience_s:g} s")
            return
        if not self._steady and now - self._accepted_at >= STEADY_S:
            self._steady = True
            self._owner.steady()
        if self._leaving:
            self._leave_by = self._leave_by or now + _LAST_WORDS_S
            if now > self._leave_by or not (self._under_way or self._queue.waiting):
                self._end = self._end or End(None, self._lasted_s)
                self._paho.disconnect()
        # On a slow line the last of many waits for long, but acknowledgements go on coming.
        elif self._under_way and now - self._heard_at > patience_s:
            self._ends(f"acknowledges nothing for {patience_s:g} s: the connection is dead")

    def _done(self, sent: Numbered, error: str | None) -> None:
        self._queue.finish()
        self._owner.acknowledged(sent, error)

    def _ends(self, how: str) -> End:
        fault = Fault(Faults.BROKER_UNREACHABLE, f"{self._where} {how}")
        if self._error is not None:
            # In TLS 1.3 a certificate is refused after the handshake.
            fault = explain(self._error, self._settings, self._where) or fault
        self._end = self._end or End(fault, self._lasted_s)
        return self._end

    @property
    def _lasted_s(self) -> float:
        return 0.0 if self._accepted_at is None else time.monotonic() - self._accepted_at

    def _close(self) -> None:
        # paho would say DISCONNECT first, and a broker that reads it later drops our will.
        line: Any = self._paho.socket()
        if line is not None:
            line.close()
        self._queue.put_back(list(self._under_way.values()))
        self._under_way.clear()

    # ---- paho's callbacks, on the thread of `run`

    def _note(self, error: OSError) -> None:
        self._error = error

    def _on_connect(
        self,
        client: paho.Client,
        _userdata: Any,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._end = End(refusal(reason, self._settings))
            return
        self._window = min(self._window, getattr(properties, "ReceiveMaximum", self._window))
        self._largest = getattr(properties, "MaximumPacketSize", None)
        self._accepted_at = time.monotonic()
        client.subscribe([(topic, 1) for topic in self._subscriptions])
        self._owner.accepted()

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: Any,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._end is not None:
            return
        if flags.is_disconnect_packet_from_server and reason.value == _TAKEN_OVER:
            told = f"{self._where} gave the session to another client with this client id"
            self._end = End(Fault(Faults.SESSION_TAKEN, told), self._lasted_s)
            return
        if flags.is_disconnect_packet_from_server:
            end = self._ends(f"ended the connection: {reason}")
        else:
            end = self._ends("closed the connection" if self._error is None else str(self._error))
        if not self._under_way or reason.value == _KEEP_ALIVE:
            return
        if reason.value == _TOO_LARGE:
            # It does not say which: only the largest can be meant, and must not come again.
            largest = max(self._under_way, key=lambda mid: self._size(mid))
            self._done(self._under_way.pop(largest), str(reason))
            return
        first = next(iter(self._under_way))
        times = self._blame.hung_up(self._under_way[first].message)
        self._end = replace(end, blamed=times > 1)
        if times >= OFTEN:
            told = f"the broker hung up {times} times over it and did not say why"
            self._done(self._under_way.pop(first), told)

    def _size(self, mid: int) -> int:
        return len(self._under_way[mid].message.payload)

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: Any,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        for topic, reason in zip(self._subscriptions, reasons, strict=False):
            self._owner.subscribed(topic, refused=reason.is_failure)

    def _on_publish(
        self,
        _client: paho.Client,
        _userdata: Any,
        mid: int,
        reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        self._heard_at = time.monotonic()
        sent = self._under_way.pop(mid, None)
        if sent is not None:
            self._blame.taken(sent.message)
            self._done(sent, str(reason) if reason.is_failure else None)
