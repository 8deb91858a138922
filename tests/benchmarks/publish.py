"""Durable publishing: how many predictions a second one core bears, and how long each one takes.

From a prediction to the PUBACK of a Mosquitto on loopback, with outbox, delivery and client as the
daemon uses them. The floors of disk and broker are measured in the same run, between the samples.
"""

from __future__ import annotations

import os
import queue
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_bridge.virtual import PtyPort, VirtualSpectrometer
from spektron_edge.bundle import read_bundle
from spektron_edge.clock import Clock, ClockWatch
from spektron_edge.config.file import shipped_bundle
from spektron_edge.config.instrument import Acquisition, Serial
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.demo.corn import load_corn
from spektron_edge.inbox import Acknowledged, Inbox, Measured
from spektron_edge.inference import Model, load_model
from spektron_edge.instrument.thread import InstrumentThread, Settings
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.connection import connect_plain
from spektron_edge.mqtt.retained import RETAINED_FILE, RetainedLedger
from spektron_edge.mqtt.topics import Topics
from spektron_edge.outbox import Limits, Outbox, Outgoing, Progress
from spektron_edge.prediction.pipeline import Outcome, evaluate
from spektron_edge.publishing.delivery import Delivery
from spektron_edge.publishing.reporter import Reporter
from spektron_edge.spectra.resampling import Resampler
from tests.benchmarks.report import Figure
from tests.integration.rig import ROOT, Mosquitto, until

NAME = "publish"
RUN_S, RUNS = 10.0, 5
SAMPLES, RATE = 1000, 10.0
# As many as the daemon takes out of its inbox in a turn, and as many as may wait there.
TURN, QUEUED = 32, 64
IN_FLIGHT = 20
BACKLOG = 10_000


@dataclass
class Line:
    """Makes predictions of one real scan, each a record of its own."""

    model: Model
    measured: Measured
    resampler: Resampler
    outcome: Outcome
    reporter: Reporter
    ages: Acquisition
    clock: Clock

    def record(self) -> Outgoing:
        """A prediction of the spectrum that was evaluated once."""
        scan, references = self.measured.scan, self.measured.references
        now = self.clock.now()
        return self.reporter.prediction(scan, references, self.outcome, self.model, now)

    def evaluated(self) -> Outgoing:
        """The same, evaluated anew."""
        settings = Settings(Serial(url="-"), self.ages, Path())
        self.outcome = evaluate(
            self.measured.scan,
            self.measured.references,
            self.resampler,
            self.model,
            settings.ages,
            self.clock.now(),
        )
        return self.record()


def _line(folder: Path) -> Line:
    corn, model, clock = load_corn().test, load_model(read_bundle(shipped_bundle())), Clock()
    device = VirtualSpectrometer(corn.spectra["m5"], corn.axis_nm, scans=1)
    inbox = Inbox(64)
    with PtyPort(device) as port:
        ages = Acquisition(dark_max_age_s=1e6, white_max_age_s=1e6)
        settings = Settings(Serial(url=port.url), ages, folder)
        thread = InstrumentThread(settings, clock, inbox.put)
        thread.start()
        found: list[Measured] = []
        while not found:
            found = [item for item in inbox.take(30.0, 32) if isinstance(item, Measured)]
        thread.halt()
        thread.join()
    resampler = Resampler.between(found[0].scan.axis_nm, model.product.grid.axis())
    outcome = evaluate(
        found[0].scan, found[0].references, resampler, model, settings.ages, clock.now()
    )
    site, name = ROOT.split("/")[1:]
    reporter = Reporter(site, name, clock, ClockWatch(0.0))
    return Line(model, found[0], resampler, outcome, reporter, ages, clock)


@dataclass
class Publisher:
    """What the daemon's main path does with a finished prediction."""

    inbox: Inbox
    delivery: Delivery
    number: int = 0

    def store(self, record: Outgoing) -> None:
        """Queue it for the next commit."""
        self.number += 1
        self.delivery.store([record], Progress("VIRT-0001", 1, self.number), time.monotonic())

    def turn(self, wait_s: float) -> list[float]:
        """Commit, publish, take acknowledgements; their moments, by time.monotonic()."""
        self.delivery.commit()
        self.delivery.publish()
        at = []
        for item in self.inbox.take(wait_s, TURN):
            if isinstance(item, Acknowledged):
                fault = self.delivery.acknowledge(item.mid, item.at, item.error)
                assert fault is None, fault
                at.append(item.at)
        self.delivery.note()
        return at


@contextmanager
def _publisher(folder: Path, url: str) -> Iterator[Publisher]:
    inbox = Inbox(64)
    site, name = ROOT.split("/")[1:]
    settings, ledger = Mqtt(url=url, in_flight=IN_FLIGHT), RetainedLedger(folder / RETAINED_FILE)
    client = MqttClient(settings, Topics(site, name), inbox.put, ledger)
    outbox = Outbox(folder / "outbox.sqlite", Limits(2**28, 2**25))
    publisher = Publisher(inbox, Delivery(outbox, client, IN_FLIGHT))
    client.start()
    try:
        until(lambda: client.connected, "the broker")
        publisher.turn(0.1)
        yield publisher
    finally:
        client.stop()
        outbox.close()


def _sustained(publisher: Publisher, make: Callable[[], Outgoing], turn: int = TURN) -> float:
    """Acknowledged predictions a second, more of them waiting than can be dealt with.

    turn: as many share a commit.
    """
    made = done = 0
    begun = time.monotonic()
    while time.monotonic() - begun < RUN_S:
        for _ in range(min(turn, QUEUED - (made - done))):
            publisher.store(make())
            made += 1
        done += len(publisher.turn(0.05))
    seconds = time.monotonic() - begun
    while done < made:
        done += len(publisher.turn(0.05))
    publisher.delivery.note(now=True)
    return made / seconds


def _behind_backlog(line: Line, url: str) -> float:
    """The longest time in ms from a prediction to its PUBACK while a backlog goes out."""
    with tempfile.TemporaryDirectory(prefix="spektron-bench-") as name:
        folder = Path(name)
        outbox = Outbox(folder / "outbox.sqlite", Limits(2**28, 2**25))
        outbox.commit([line.record() for _ in range(BACKLOG)])
        outbox.close()
        with _publisher(folder, url) as publisher:
            delivery, due = publisher.delivery, time.monotonic()
            while delivery.published["prediction"] < BACKLOG:
                if time.monotonic() >= due:
                    publisher.store(line.record())
                    due += 1 / RATE
                publisher.turn(0.01)
            while delivery.under_way:
                publisher.turn(0.05)
            publisher.delivery.note(now=True)
            # Of those that were made meanwhile: for the backlog's own no beginning is known.
            longest = delivery.latencies.quantile(1.0)
    assert longest is not None
    return longest


def _latencies(folder: Path, url: str, publisher: Publisher, line: Line) -> np.ndarray:
    """(SAMPLES, 3) ms: prediction to PUBACK; write and fdatasync; bare publish to PUBACK."""
    out = np.zeros((SAMPLES, 3))
    answers: queue.Queue[float] = queue.Queue()
    handle = os.open(folder / "floor", os.O_CREAT | os.O_WRONLY)
    with connect_plain(Mqtt(url=url), 10.0) as bare:
        bare.on_publish = lambda *_: answers.put(time.monotonic())
        begun = time.monotonic()
        for n in range(SAMPLES):
            _pass(publisher, begun + n / RATE)
            record = line.record()
            at = time.monotonic()
            publisher.store(record)
            acknowledged: list[float] = []
            while not acknowledged:
                acknowledged = publisher.turn(0.2)
            out[n, 0] = acknowledged[0] - at

            _pass(publisher, begun + (n + 1 / 3) / RATE)
            at = time.monotonic()
            os.pwrite(handle, record.payload.ljust(4096), 4096 * n)
            os.fdatasync(handle)
            out[n, 1] = time.monotonic() - at

            _pass(publisher, begun + (n + 2 / 3) / RATE)
            at = time.monotonic()
            bare.publish("bare", record.payload, qos=1)
            out[n, 2] = answers.get(timeout=10.0) - at
    os.close(handle)
    return 1e3 * out


def _pass(publisher: Publisher, until_s: float) -> None:
    """Turns of the loop until then, as the daemon's when nothing comes."""
    while (left := until_s - time.monotonic()) > 0:
        publisher.turn(min(left, 0.2))


def measure() -> list[Figure]:
    """All figures."""
    allowed = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="spektron-bench-") as name:
        folder = Path(name)
        line = _line(folder)
        broker = Mosquitto(folder)
        broker.start()
        # Threads that are made from here on stay on this core as well.
        os.sched_setaffinity(0, {min(allowed)})
        try:
            with _publisher(folder, broker.url) as publisher:
                stored = [_sustained(publisher, line.record) for _ in range(RUNS)]
                alone = [_sustained(publisher, line.record, turn=1) for _ in range(RUNS)]
                evaluated = [_sustained(publisher, line.evaluated) for _ in range(RUNS)]
                os.sched_setaffinity(0, allowed)
                latencies = _latencies(folder, broker.url, publisher, line)
            waits = [_behind_backlog(line, broker.url) for _ in range(RUNS)]
        finally:
            os.sched_setaffinity(0, allowed)
            broker.kill()
    own, sync, puback = np.percentile(latencies, 99, axis=0)
    size = len(line.record().payload)
    broker_is = "Mosquitto on loopback"
    ten = f"{SAMPLES} samples at {RATE:g}/s, {broker_is}"
    sustained = f"records of {size} bytes made, committed, acknowledged by {broker_is}, one core"
    return [
        _rate("durable_predictions_per_s", stored, sustained),
        _rate("ungrouped_predictions_per_s", alone, f"{sustained}, each with a commit of its own"),
        _rate("evaluated_predictions_per_s", evaluated, f"{sustained}, and evaluated before"),
        _ms("p50_prediction_to_puback_ms", np.median(latencies[:, 0]), f"median, {ten}"),
        _ms("p99_prediction_to_puback_ms", own, f"99 %, {ten}"),
        _ms("p99_fsync_ms", sync, "99 %, 4 KiB written and fdatasync, between the samples"),
        _ms("p99_bare_puback_ms", puback, "99 %, paho alone, no disk, between the samples"),
        Figure(
            "p99_over_floor",
            float(own / (sync + puback)),
            "1",
            "lower",
            None,
            "p99 of a prediction over the sum of both floors' p99, in the same run",
        ),
        _ms(
            "live_wait_behind_backlog_ms",
            max(waits),
            f"the longest from a prediction to its PUBACK at {RATE:g}/s while {BACKLOG} stored "
            f"records of {size} bytes go out to {broker_is}, of {RUNS} outages; the bar is 1000",
        ),
    ]


def _rate(name: str, runs: list[float], how: str) -> Figure:
    quartiles = statistics.quantiles(runs, n=4)
    how += f"; median of {RUNS} runs of {RUN_S:g} s"
    spread = (quartiles[2] - quartiles[0]) / 2
    return Figure(name, statistics.median(runs), "1/s", "higher", spread, how)


def _ms(name: str, value: float, how: str) -> Figure:
    return Figure(name, float(value), "ms", "lower", None, how)
