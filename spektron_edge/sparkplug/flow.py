"""What an edge node sends, one message after the other: births before data, `seq` without a hole.

A message is made when the network takes it, not when its record was made: so `seq` follows the
order on the line, and nothing made for a session that is over can be sent in the next.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from spektron_edge.mqtt.message import Message

from .payload import Definition, Reading, birth, data, device_death, node_death
from .readings import (
    REBIRTH_METRIC,
    device_definitions,
    node_constants,
    node_definitions,
    readings,
)

_REBIRTH_EVERY_S = 1.0


@dataclass(frozen=True)
class Names:
    """`spBv1.0/<group>/<type>/<node>[/<device>]`"""

    group: str
    node: str
    device: str

    def of_node(self, kind: str) -> str:
        """Topic of NBIRTH, NDATA, NDEATH or NCMD."""
        return f"spBv1.0/{self.group}/{kind}/{self.node}"

    def of_device(self, kind: str) -> str:
        """Topic of DBIRTH, DDATA or DDEATH."""
        return f"{self.of_node(kind)}/{self.device}"


@dataclass
class _Waiting:
    kind: str
    payload: bytes
    stored: bool


class _Metrics:
    """Of the node or of the device: what was defined, under which aliases, and the last values."""

    def __init__(self, next_alias: Callable[[], int]) -> None:
        self._next_alias = next_alias
        self._aliases: dict[str, int] = {}
        self._defined: dict[str, Definition] = {}
        self._latest: dict[str, Reading] = {}

    def define(self, definitions: Iterable[Definition]) -> bool:
        """Put these in place of what was defined; whether that changes anything."""
        before = self._defined
        self._defined = {d.name: d for d in definitions}
        return self._defined != before

    def add(self, definitions: Iterable[Definition]) -> bool:
        """Define these, too; whether one of them is new."""
        before = dict(self._defined)
        self._defined.update((d.name, d) for d in definitions)
        return self._defined != before

    def alias(self, name: str) -> int:
        if name not in self._aliases:
            self._aliases[name] = self._next_alias()
        return self._aliases[name]

    def keep(self, found: Iterable[Reading]) -> None:
        """These are the values of now."""
        self._latest.update((r.definition.name, r) for r in found)

    def aliased(self, found: Iterable[Reading]) -> list[tuple[Reading, int]]:
        return [(r, self.alias(r.definition.name)) for r in found]

    def all(self, now_ms: int) -> list[tuple[Reading, int]]:
        """Every metric with its last value, for a birth."""
        unknown = (Reading(d, None, now_ms) for d in self._defined.values())
        return self.aliased(self._latest.get(r.definition.name, r) for r in unknown)


class Flow:
    """Records in, messages out. Safe for several threads; one of them calls `next`, and `refused`
    before it calls `next` again."""

    def __init__(
        self,
        names: Names,
        most: int,
        now_ms: Callable[[], int],
        running_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """most: records that may wait while there is no session; then the oldest are dropped."""
        self._running_s = running_s
        self._reborn_at = float("-inf")
        self._rebirth_asked = False
        # A birth that the broker does not take is not offered again in the same session.
        self._node_refused = self._device_refused = False
        # Whether the host has the device as born, and had before its last birth.
        self._device_known = self._device_was_known = False
        self._names = names
        self._most = most
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._last_alias = 0
        self._node = _Metrics(self._new_alias)
        self._device = _Metrics(self._new_alias)
        self._node.define(node_definitions())
        self._rebirth_alias = self._node.alias(REBIRTH_METRIC.name)
        self._device.define(device_definitions({}))
        self._present = False
        self._node_born = self._device_born = False
        self._seq = self._bd_seq = 0
        self.counts: Counter[str] = Counter()

    def _new_alias(self) -> int:
        self._last_alias += 1
        return self._last_alias

    @property
    def rebirth_alias(self) -> int:
        """Alias of `Node Control/Rebirth`."""
        return self._rebirth_alias

    # ---- from the daemon

    def offer(self, kind: str, payload: bytes, *, stored: bool = False) -> None:
        """A record (prediction, event, state). stored: it is sent late, whenever that is."""
        with self._lock:
            if kind == "state":
                # Only the last one says anything.
                self._waiting = deque(w for w in self._waiting if w.kind != "state")
            self._waiting.append(_Waiting(kind, payload, stored))
            if len(self._waiting) > self._most:
                self._waiting.popleft()
                self.counts["sparkplug_dropped"] += 1

    def model(self, properties: Mapping[str, str]) -> None:
        """What is predicted from now on: property -> unit. Another set needs another birth."""
        with self._lock:
            if self._device.define(device_definitions(properties)):
                self._device_born = self._device_refused = False

    def instrument(self, *, present: bool) -> None:
        """Whether the instrument is on the line."""
        with self._lock:
            self._present = present

    # ---- from the session

    def begin(self, bd_seq: int) -> None:
        """A session was accepted: births are due, and all that waited is history."""
        with self._lock:
            self._bd_seq = bd_seq
            self._node_born = self._device_born = self._device_known = False
            self._node_refused = self._device_refused = self._rebirth_asked = False
            for record in self._waiting:
                record.stored = True

    def rebirth(self) -> None:
        """The host asks for all births once more: however often, it gets them once a second."""
        with self._lock:
            self._rebirth_asked = True

    def refused(self, message: Message) -> None:
        """The message that `next` gave last was not sent, and cannot be: for its host, there was
        none. Nothing that depends on a birth follows when it was one."""
        kind = message.topic.split("/")[2]
        with self._lock:
            self.counts["sparkplug_refused"] += 1
            if kind == "NBIRTH":
                self._node_refused, self._node_born = True, False
            if kind in ("NBIRTH", "NDEATH"):
                return
            # Its number goes to the next one: no host has seen it.
            self._seq = (self._seq - 1) % 256
            if kind == "DBIRTH":
                self._device_refused, self._device_born = True, False
                self._device_known = self._device_was_known
            elif kind in ("NDATA", "DDATA"):
                self.counts["sparkplug_sent"] -= 1

    def death(self, bd_seq: int) -> Message:
        """The will of a session, and its last message when it ends in good order."""
        payload = node_death(bd_seq, self._now_ms())
        return Message(self._names.of_node("NDEATH"), payload, content_type=None, qos=1)

    def next(self) -> Message | None:
        """The next message to send, numbered; None when nothing is due."""
        with self._lock:
            if self._node_refused:
                return None
            if self._rebirth_asked and self._running_s() - self._reborn_at >= _REBIRTH_EVERY_S:
                self._reborn_at, self._rebirth_asked = self._running_s(), False
                self._node_born = self._device_born = self._device_refused = False
                self.counts["sparkplug_rebirths"] += 1
            if not self._node_born:
                return self._node_birth()
            if self._device_refused and self._device_known:
                # The host goes by an older birth, to which nothing fits any more.
                return self._device_death()
            found = self._read()
            if found is None:
                return self._device_state()
            record = self._waiting[0]
            if record.kind == "prediction":
                # A record of another model, stored or just changed, may bring metrics of its own.
                if self._device.add(r.definition for r in found) or not self._device_born:
                    return self._device_birth()
                self._waiting.popleft()
                return self._data(self._names.of_device("DDATA"), self._device, found, record)
            self._waiting.popleft()
            return self._data(self._names.of_node("NDATA"), self._node, found, record)

    @property
    def waiting(self) -> int:
        """Records that wait."""
        with self._lock:
            return len(self._waiting)

    def _read(self) -> list[Reading] | None:
        """The metrics of the first record that waits."""
        while self._waiting:
            record = self._waiting[0]
            if record.kind == "prediction" and self._device_refused:
                self._waiting.popleft()
                self.counts["sparkplug_dropped"] += 1
                continue
            found = _understood(record)
            if found is not None:
                return found
            self._waiting.popleft()
            self.counts["sparkplug_unreadable"] += 1
        return None

    def _device_state(self) -> Message | None:
        if self._present and not self._device_born and not self._device_refused:
            return self._device_birth()
        if self._device_born and not self._present:
            return self._device_death()
        return None

    def _device_death(self) -> Message:
        self._device_born = self._device_known = False
        seq, now = self._number(), self._now_ms()
        return _message(self._names.of_device("DDEATH"), device_death(seq, now))

    def _node_birth(self) -> Message:
        self._node_born, self._device_born, self._seq = True, False, 0
        self._device_known = False
        now = self._now_ms()
        self._node.keep(node_constants(now))
        payload = birth(self._node.all(now), 0, now, self._bd_seq)
        return _message(self._names.of_node("NBIRTH"), payload)

    def _device_birth(self) -> Message:
        self._device_was_known = self._device_known
        self._device_born = self._device_known = True
        seq, now = self._number(), self._now_ms()
        payload = birth(self._device.all(now), seq, now)
        return _message(self._names.of_device("DBIRTH"), payload)

    def _data(
        self, topic: str, metrics: _Metrics, found: list[Reading], record: _Waiting
    ) -> Message:
        if not record.stored:
            metrics.keep(found)
        self.counts["sparkplug_sent"] += 1
        payload = data(
            metrics.aliased(found), self._number(), self._now_ms(), historical=record.stored
        )
        return _message(topic, payload)

    def _number(self) -> int:
        self._seq = (self._seq + 1) % 256
        return self._seq


def _message(topic: str, payload: bytes) -> Message:
    # The specification wants QoS 0 for all but NDEATH, never retained.
    return Message(topic, payload, content_type=None, qos=0)


def _understood(record: _Waiting) -> list[Reading] | None:
    try:
        return readings(record.kind, record.payload)
    except (ValueError, KeyError, TypeError):
        # Stored by another version, perhaps; the native topics have it.
        return None
