"""A fleet on one broker: how many instruments two cores bear, and what a message costs where.

Virtual publishers are MQTT 5 clients of this process with the daemon's own messages (a prediction,
QoS 1, content type and user properties), one record a second each, without instrument, inference or
disk. The broker is a process beside it; what it costs is read from /proc.
"""

from __future__ import annotations

import heapq
import multiprocessing
import os
import resource
import selectors
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from spektron_edge.mqtt.message import JSON, Message, schema_of
from spektron_edge.publishing.records import new_id
from tests.benchmarks.report import Figure
from tests.integration.rig import Mosquitto
from tests.predictions import prediction

NAME = "fleet"
# Python is what gives up first: two processes of load for two cores.
LOADERS = 2
STEPS = (1000, 2000, 3000, 4000, 6000, 8000)
STEP_S = 12.0
COST_PUBLISHERS = 200
COST_MESSAGES = 6000
REPEATS = 3
# Of the time a record waits for its PUBACK, beyond which a fleet is not served.
LATE_S = 1.0
SHARED = "$share/historian/spektron/+/+/prediction"
_TICK = os.sysconf("SC_CLK_TCK")
_FILES = 2 * max(STEPS)


@dataclass
class Publisher:
    """One instrument's connection."""

    topic: str
    client: paho.Client
    connected: bool = False
    sent: dict[int, float] = field(default_factory=dict)


class Fleet:
    """Connections driven by one select loop."""

    def __init__(self, port: int, count: int, first: int = 0) -> None:
        self.latencies: list[float] = []
        self._selector = selectors.DefaultSelector()
        self.publishers = [self._connect(port, first + n) for n in range(count)]
        deadline = time.monotonic() + 60.0
        while not all(p.connected for p in self.publishers):
            self.turn(0.1)
            if time.monotonic() > deadline:
                raise RuntimeError("the broker does not take all connections")

    def _connect(self, port: int, number: int) -> Publisher:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"spektron-fleet-{number}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        publisher = Publisher(f"spektron/fleet/i{number}/prediction", client)

        def connected(*_: object) -> None:
            publisher.connected = True

        def published(_c: object, _u: object, mid: int, reason: object, _p: object) -> None:
            self.latencies.append(time.monotonic() - publisher.sent.pop(mid))

        client.on_connect, client.on_publish = connected, published
        client.max_inflight_messages_set(0)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0
        client.connect("127.0.0.1", port, keepalive=600, clean_start=True, properties=properties)
        self._selector.register(client.socket(), selectors.EVENT_READ, publisher)
        if number % 50 == 0:
            self.turn(0.0)
        return publisher

    def turn(self, timeout_s: float) -> None:
        """Read what has arrived."""
        for key, _ in self._selector.select(timeout_s):
            client = key.data.client
            client.loop_read()
            if client.want_write():
                client.loop_write()

    def publish(self, publisher: Publisher, payload: bytes, *, bare: bool = False) -> None:
        """One record. bare: without what MQTT 5 says about it."""
        user = (("schema", str(schema_of("prediction"))), ("id", new_id()))
        message = Message(publisher.topic, payload, user=user)
        properties = None if bare else message.properties()
        at = time.monotonic()
        info = publisher.client.publish(publisher.topic, payload, 1, False, properties)
        publisher.sent[info.mid] = at

    def settle(self) -> None:
        """Wait for every PUBACK."""
        while any(p.sent for p in self.publishers):
            self.turn(1.0)

    def close(self) -> None:
        for publisher in self.publishers:
            publisher.client.disconnect()
        self._selector.close()


def _paced(fleet: Fleet, payload: bytes) -> tuple[float, list[float]]:
    """Every publisher once a second for STEP_S: share of records sent in time, each one's wait."""
    count = len(fleet.publishers)
    begun = time.monotonic()
    due = [(begun + number / count, number) for number in range(count)]
    heapq.heapify(due)
    fleet.latencies.clear()
    sent, end = 0, begun + STEP_S
    while time.monotonic() < end:
        while due[0][0] <= time.monotonic() < end:
            at, number = heapq.heappop(due)
            fleet.publish(fleet.publishers[number], payload)
            sent += 1
            heapq.heappush(due, (at + 1.0, number))
        fleet.turn(max(0.0, min(due[0][0], end) - time.monotonic()))
    in_time = sent / (count * STEP_S)
    fleet.settle()
    return in_time, fleet.latencies


def _load(port: int, count: int, first: int, payload: bytes, together: Any, found: Any) -> None:
    """One process of load."""
    _allow_files()
    fleet = Fleet(port, count, first)
    together.wait(120.0)
    found.put(_paced(fleet, payload))
    together.wait(120.0)
    fleet.close()


def _fast(fleet: Fleet, payload: bytes, *, bare: bool = False) -> float:
    """COST_MESSAGES as fast as they go, a few under way each; CPU seconds of this process."""
    before = time.process_time()
    for number in range(COST_MESSAGES):
        publisher = fleet.publishers[number % len(fleet.publishers)]
        while len(publisher.sent) >= 4:
            fleet.turn(1.0)
        fleet.publish(publisher, payload, bare=bare)
        if number % len(fleet.publishers) == 0:
            fleet.turn(0.0)
    fleet.settle()
    return time.process_time() - before


def _cpu_s(pid: int) -> float:
    """User and system time of a process."""
    parts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / _TICK


def _rss_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))


def _consume(port: int, ready: Any, total: Any) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = lambda c, *_: c.subscribe(SHARED, qos=1)
    client.on_subscribe = lambda *_: ready.release()

    def count(*_: object) -> None:
        with total.get_lock():
            total.value += 1

    client.on_message = count
    client.connect("127.0.0.1", port)
    client.loop_forever()


@contextmanager
def _consumers(port: int, count: int) -> Iterator[Any]:
    """A group that shares one subscription; how many messages it got altogether."""
    context = multiprocessing.get_context("spawn")
    ready, total = context.Semaphore(0), context.Value("L", 0)
    processes = [
        context.Process(target=_consume, args=(port, ready, total), daemon=True)
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    try:
        for _ in processes:
            if not ready.acquire(timeout=60.0):
                raise RuntimeError("a consumer does not start")
        yield total
    finally:
        for process in processes:
            process.kill()
            process.join()


def _costs(payload: bytes) -> dict[str, list[float]]:
    """Microseconds per message, REPEATS times."""
    found: dict[str, list[float]] = {"publisher": [], "bare": [], "broker": [], "delivered": []}
    with ExitStack() as stack:
        broker = stack.enter_context(_broker())
        fleet = Fleet(broker.port, COST_PUBLISHERS)
        stack.callback(fleet.close)
        scale = 1e6 / COST_MESSAGES
        for _ in range(REPEATS):
            before = _cpu_s(broker.pid)
            found["publisher"].append(scale * _fast(fleet, payload))
            found["broker"].append(scale * (_cpu_s(broker.pid) - before))
            found["bare"].append(scale * _fast(fleet, payload, bare=True))
        with _consumers(broker.port, 2) as total:
            for repeat in range(1, REPEATS + 1):
                before = _cpu_s(broker.pid)
                _fast(fleet, payload)
                while total.value < repeat * COST_MESSAGES:
                    time.sleep(0.01)
                found["delivered"].append(scale * (_cpu_s(broker.pid) - before))
    return found


def _borne(payload: bytes) -> tuple[int, float, float]:
    """The largest fleet that was served, its p99 in ms, and the broker's kB a connection."""
    best, best_p99, memory = 0, float("nan"), float("nan")
    for count in STEPS:
        with _broker() as broker:
            empty = _rss_kb(broker.pid)
            in_time, waits = _run_loaders(broker.port, count, payload)
            memory = (_rss_kb(broker.pid) - empty) / count
        p99 = statistics.quantiles(waits, n=100)[98]
        if in_time < 0.99 or p99 > LATE_S:
            break
        best, best_p99 = count, 1e3 * p99
    return best, best_p99, memory


def _run_loaders(port: int, count: int, payload: bytes) -> tuple[float, list[float]]:
    """The worst share of records sent in time, and every record's wait."""
    context = multiprocessing.get_context("spawn")
    together, found = context.Barrier(LOADERS), context.Queue()
    each = count // LOADERS
    processes = [
        context.Process(target=_load, args=(port, each, n * each, payload, together, found))
        for n in range(LOADERS)
    ]
    for process in processes:
        process.start()
    try:
        shares, waits = zip(*(found.get(timeout=300.0) for _ in processes), strict=True)
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()
    return min(shares), [wait for many in waits for wait in many]


def _allow_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


@contextmanager
def _broker() -> Iterator[Mosquitto]:
    with tempfile.TemporaryDirectory(prefix="spektron-fleet-") as name:
        broker = Mosquitto(Path(name), "allow_anonymous true\nmax_queued_messages 100000")
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()


def measure() -> list[Figure]:
    """All figures."""
    _allow_files()
    payload = prediction()
    costs = {name: statistics.median(found) for name, found in _costs(payload).items()}
    borne, p99_ms, memory_kb = _borne(payload)
    what = f"{len(payload)} bytes of JSON, QoS 1, {JSON} and user properties, Mosquitto on loopback"
    each = f"CPU time, median of {REPEATS} x {COST_MESSAGES} messages of {COST_PUBLISHERS} clients"
    return [
        Figure(
            "fleet_publishers",
            borne,
            "clients",
            "higher",
            None,
            f"of {STEPS}: one record a second each, 99 % sent in time and p99 within {LATE_S:g} s; "
            f"broker and {LOADERS} processes of load share this machine's cores; {what}",
        ),
        Figure("fleet_p99_to_puback_ms", p99_ms, "ms", "lower", None, "of that fleet"),
        Figure(
            "broker_us_per_message", costs["broker"], "us", "lower", None, f"no consumer; {each}"
        ),
        Figure(
            "broker_us_per_message_shared",
            costs["delivered"],
            "us",
            "lower",
            None,
            f"to two consumers that share a subscription; {each}",
        ),
        Figure(
            "publisher_us_per_message", costs["publisher"], "us", "lower", None, f"paho; {each}"
        ),
        Figure(
            "publisher_over_bare",
            costs["publisher"] / costs["bare"],
            "ratio",
            "lower",
            None,
            "the same payload from the same clients without MQTT 5's properties, in the same run",
        ),
        Figure(
            "broker_kb_per_connection", memory_kb, "kB", "lower", None, "growth of the broker's RSS"
        ),
    ]
