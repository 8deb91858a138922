"""The daemon as a process: time to the first prediction, memory, and latency to the PUBACK."""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.report import Figure
from tests.integration.rig import (
    Mosquitto,
    Rig,
    instrument,
    listening,
    standard_settings,
    until,
)

NAME = "daemon"
STARTS = 5
SCANS = 300
RATE = 10.0


@contextmanager
def _bench(scans: int | None) -> Iterator[tuple[Rig, Mosquitto]]:
    with tempfile.TemporaryDirectory(prefix="spektron-bench-") as name:
        folder = Path(name)
        broker = Mosquitto(folder)
        broker.start()
        rig = Rig(folder, instrument(folder, interval_s=1.0 / RATE, scans=scans))
        rig.settings = standard_settings(folder, broker.url)
        try:
            yield rig, broker
        finally:
            rig.stop()
            rig.port.close()
            broker.kill()


def _first_prediction_s() -> float:
    with _bench(None) as (rig, broker), listening(broker.port) as subscriber:
        begun = time.monotonic()
        rig.start()
        subscriber.predictions.get(timeout=60.0)
        return time.monotonic() - begun


def _steady() -> tuple[float, float, float]:
    """RSS in MB (10^6 bytes), p50 and p99 in ms over SCANS scans at RATE a second."""
    with _bench(SCANS) as (rig, broker), listening(broker.port) as subscriber:
        process = rig.start()
        until(lambda: len(rig.gather(subscriber)) == SCANS, "all predictions", 3 * SCANS / RATE)
        status = Path(f"/proc/{process.pid}/status").read_text()
        rss = 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1e6
        rig.stop()
        until(lambda: subscriber.offline, "the farewell")
    return rss, subscriber.state["p50_ms"], subscriber.state["p99_ms"]


def measure() -> list[Figure]:
    """All figures."""
    starts = [_first_prediction_s() for _ in range(STARTS)]
    rss, p50, p99 = _steady()
    quartiles = statistics.quantiles(starts, n=4)
    line = f"last serial byte to PUBACK, {SCANS} scans at {RATE:g}/s, Mosquitto on loopback"
    return [
        Figure(
            "start_to_first_prediction_s",
            statistics.median(starts),
            "s",
            "lower",
            (quartiles[2] - quartiles[0]) / 2,
            f"process start to the subscriber, dark and white taken in between; {STARTS} starts",
        ),
        Figure("rss_mb", rss, "MB", "lower", None, f"VmRSS after {SCANS} predictions"),
        Figure("p50_ms", p50, "ms", "lower", None, f"median, {line}"),
        Figure("p99_ms", p99, "ms", "lower", None, f"99 %, {line}"),
    ]
