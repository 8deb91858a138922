"""The edge node's own session with the broker, beside the daemon's: each has a will of its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import paho.mqtt.client as paho

from spektron_edge import log
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import FaultRaised, FaultsOver, Item
from spektron_edge.mqtt.backoff import Backoff
from spektron_edge.mqtt.blame import Blame
from spektron_edge.mqtt.keeper import Keeper
from spektron_edge.mqtt.message import Message
from spektron_edge.mqtt.send_queue import Numbered, Waker
from spektron_edge.mqtt.session import Session
from spektron_edge.service.beats import Beat

from .bd_seq import BD_SEQ_FILE, BdSeq
from .flow import Flow, Names
from .payload import asks_for_rebirth

_LONGEST_COMMAND = 16384


class SparkplugNode:
    """Sends what it is offered, as far as it can: stored records are the daemon's business."""

    def __init__(
        self,
        settings: Mqtt,
        client_id: str,
        names: Names,
        most: int,
        state_dir: Path,
        post: Callable[[Item], None],
        backoff: Backoff | None = None,
        beat: Beat | None = None,
    ) -> None:
        """client_id: its own; most: records that wait without a session; post: told of what the
        broker does not take; beat: of its thread. Nothing connects yet."""
        self._post = post
        self._refused = False
        self._settings, self._client_id = _without_expiry(settings), client_id
        self._commands = names.of_node("NCMD")
        self._flow = Flow(names, most, lambda: round(1000 * time.time()))
        self._source = _Source(self._flow)
        self._bd_seq = BdSeq(state_dir / BD_SEQ_FILE)
        self._number: int | None = None
        self._backoff = backoff or Backoff()
        self._beat = beat or Beat("sparkplug")
        self._blame = Blame()
        self._session: Session | None = None
        self._keeper: Keeper | None = None
        self._stopping = False
        self._said: str | None = None

    def start(self) -> None:
        """Begin to connect, and keep at it. Raises Fault(CONFIG_INVALID) for unreadable secrets."""
        self._source.open()
        self._keeper = Keeper(self._new_session, self._tell, self._backoff, self._beat)
        self._keeper.start()

    def stop(self) -> None:
        """Send what waits, declare the node dead and disconnect."""
        self._stopping = True
        if self._keeper is not None:
            self._source.leaving = True
            self._keeper.stop()
        if left := self._flow.waiting:
            log.info("sparkplug_unsent", records=left)
        self._source.close()

    def use(self, settings: Mqtt, client_id: str) -> None:
        """Leave in good order and go on with another broker, or the same one by other means."""
        self._settings, self._client_id = _without_expiry(settings), client_id
        self.renew()

    def renew(self) -> None:
        """The same with certificates and password as they are now."""
        if self._keeper is not None:
            self._source.leaving = True
            self._keeper.again()

    def offer(self, kind: str, payload: bytes, *, stored: bool = False) -> None:
        """A record (prediction, event, state); stored: it comes late."""
        self._flow.offer(kind, payload, stored=stored)
        self._source.wake()

    def model(self, properties: Mapping[str, str]) -> None:
        """What is predicted from now on: property -> unit."""
        self._flow.model(properties)
        self._source.wake()

    def instrument(self, *, present: bool) -> None:
        """Whether the instrument is on the line."""
        self._flow.instrument(present=present)
        self._source.wake()

    @property
    def counts(self) -> Counter[str]:
        """Records sent, records dropped, rebirths, sessions, commands not understood."""
        return Counter(self._flow.counts)

    # ---- what happens on the keeper's thread

    def _new_session(self) -> Session:
        # A number that no CONNECT has carried is still good.
        if self._number is None or (self._session is not None and self._session.connect_sent):
            self._number = self._bd_seq.next()
        death = self._flow.death(self._number)
        self._source.begin(death, leaving=self._stopping)
        self._session = Session(
            self._settings,
            self._client_id,
            death,
            (self._commands,),
            self._source,
            self._blame,
            self,
        )
        return self._session

    def _tell(self, fault: Fault) -> None:
        # The daemon tells of its own connection by events; this one is beside it.
        self._flow.counts["sparkplug_disconnects"] += 1
        if str(fault) != self._said:
            self._said = str(fault)
            log.warn("sparkplug_disconnected", detail=fault, next=fault.next_step)

    def accepted(self) -> None:
        """Owner: CONNACK."""
        self._said = None
        if self._refused:
            self._refused = False
            self._post(FaultsOver((Faults.SPARKPLUG_REFUSED,)))
        self._flow.counts["sparkplug_sessions"] += 1
        number = self._number or 0
        self._flow.begin(number)
        log.info("sparkplug_connected", bd_seq=number)

    def steady(self) -> None:
        """Owner: nothing depends on it here."""

    def subscribed(self, topic: str, *, refused: bool) -> None:
        """Owner: SUBACK."""
        if refused:
            log.warn(
                "sparkplug_commands_refused",
                detail=f"the broker refuses the subscription to {topic}: no rebirths",
                next="allow it in the broker's access list",
            )

    def acknowledged(self, sent: Numbered, error: str | None) -> None:
        """Owner: it was sent, or cannot be."""
        if error is None:
            return
        self._flow.refused(sent.message)
        if not self._refused:
            self._refused = True
            where = f"{self._settings.host}:{self._settings.port}"
            told = f"{where} refuses {sent.message.topic}: {error}"
            self._post(FaultRaised(Fault(Faults.SPARKPLUG_REFUSED, told)))

    def received(self, message: paho.MQTTMessage) -> None:
        """Owner: an NCMD. Only rebirth is known; what one may write over MQTT are commands."""
        try:
            if len(message.payload) > _LONGEST_COMMAND:
                raise ValueError(f"{len(message.payload)} bytes")
            wanted = asks_for_rebirth(bytes(message.payload), self._flow.rebirth_alias)
        except ValueError:
            wanted = False
        if wanted and not message.retain:
            self._flow.rebirth()
        else:
            self._flow.counts["sparkplug_commands_ignored"] += 1


def _without_expiry(settings: Mqtt) -> Mqtt:
    # The specification wants a clean start and no session behind it.
    return settings.model_copy(update={"session_expiry_s": 0})


class _Source(Waker):
    """The flow as a session takes from it, with the death last when it leaves in good order."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self._flow = flow
        self._death: Message | None = None
        self._over = False
        self._taken = 0
        self.leaving = False

    def begin(self, death: Message, *, leaving: bool) -> None:
        """A new session, which ends with this."""
        self._death, self._over, self.leaving = death, False, leaving

    @property
    def waiting(self) -> int:
        return 0 if self._over else self._flow.waiting + self.leaving

    def take(self) -> Numbered | None:
        message = None if self._over else self._flow.next()
        if message is None and self.leaving and not self._over:
            message, self._over = self._death, True
        if message is None:
            return None
        self._taken += 1
        return Numbered(self._taken, message)

    def put_back(self, taken: Sequence[Numbered]) -> None:
        """Nothing of a session that is over may be sent in the next."""

    def finish(self) -> None:
        """Nothing is counted: what waits is bounded by the flow."""
