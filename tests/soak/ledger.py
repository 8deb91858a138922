"""What was made, by the instruments' own log, and what came, by a subscriber that knows JSON."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho


@dataclass(frozen=True)
class Made:
    """One line of the instruments' log. position: 1 is a sample; at_s: time.monotonic()."""

    serial: str
    boot_id: int
    number: int
    position: int
    at_s: float


def read_made(log: Path) -> list[Made]:
    """All scans that were made."""
    rows = (line.split() for line in log.read_text().splitlines())
    return [Made(r[0], int(r[1]), int(r[2]), int(r[3]), float(r[4])) for r in rows]


@dataclass(frozen=True)
class Came:
    """A prediction, when its first copy came by time.monotonic()."""

    serial: str
    boot_id: int
    number: int
    valid: bool
    at_s: float


@dataclass
class Ledger:
    """Every record that came, once each, and how often. Each is also a line of `file`."""

    file: Path
    predictions: dict[str, Came] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    repeats: int = 0
    subscriptions: list[Any] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        """Paho's on_message."""
        kind = message.topic.rsplit("/", 1)[-1]
        if kind == "state":
            self.state = json.loads(message.payload)
        if kind not in ("prediction", "event"):
            return
        record, now = json.loads(message.payload), time.monotonic()
        record_id = record["id"]
        with self._lock:
            if record_id in self.ids:
                self.repeats += 1
                return
            self.ids.add(record_id)
            if kind == "event":
                self.events[record_id] = record
                line = {"at_s": now, **record}
            else:
                scan = record["scan"]
                came = Came(record["serial"], scan["boot_id"], scan["number"], record["valid"], now)
                self.predictions[record_id] = came
                line = {"at_s": now, "id": record_id, "serial": came.serial, **scan}
            with self.file.open("a") as stream:
                stream.write(json.dumps(line) + "\n")

    def newest(self) -> Came | None:
        """The prediction that came last."""
        with self._lock:
            return next(reversed(self.predictions.values()), None)

    def came(self) -> list[Came]:
        """All predictions, in the order in which they came."""
        with self._lock:
            return list(self.predictions.values())

    def told(self, code: str) -> list[dict[str, Any]]:
        """Events of that code, in the order in which they came."""
        with self._lock:
            return [event for event in self.events.values() if event["code"] == code]
