"""The main job from end to end, each part in its own process or thread as in the field."""

from __future__ import annotations

import contextlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.virtual import PtyPort, VirtualSpectrometer
from spektron_edge.config.file import Config
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.prediction.product import load_product

from .broker import open_broker
from .corn import PROPERTIES, Corn, CornMissing, load_corn
from .repeatability import repeatability
from .screen import Screen
from .subscriber import Subscriber, subscribe
from .summary import Summary, figures

_PATIENCE_S = 30.0
_STOP_S = 15.0


@dataclass(frozen=True)
class Options:
    """What `spektron-edge demo` was asked for. speed: scans per second."""

    scans: int
    speed: float
    seed: int
    broker: str | None


def run_demo(options: Options, screen: Screen) -> int:
    """Run the demo and print it. Exit status 0 when every scan was received.

    Raises Fault(DEMO_MISSING, DEMO_INCOMPLETE, CONFIG_INVALID) and broker faults.
    """
    if not options.speed > 0:
        raise Fault(Faults.CONFIG_INVALID, "--speed must be above 0")
    try:
        corn = load_corn().test
    except CornMissing as error:
        raise Fault(Faults.DEMO_MISSING, str(error)) from None
    folder = Path(tempfile.mkdtemp(prefix="spektron-demo-"))
    with open_broker(options.broker, folder) as broker:
        config = _write_config(folder, broker.url, broker.protocol)
        screen.begin(broker.name, str(folder / "daemon.log"))
        summary = _stream(options, corn, config, broker.name, folder, screen)
    screen.end(summary)
    if not summary.complete:
        raise Fault(Faults.DEMO_INCOMPLETE, f"not every scan arrived; see {folder}/daemon.log")
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _write_config(folder: Path, url: str, protocol: str) -> Config:
    path = folder / "spektron.toml"
    path.write_text(
        f'site = "demo"\ninstrument = "m5"\nstate_dir = "state"\n\n'
        f'[serial]\nurl = "{folder}/instrument"\n\n'
        f'[mqtt]\nurl = "{url}"\nprotocol = "{protocol}"\n\n'
        '[log]\nformat = "json"\n'
    )
    return load_config(path)


@contextlib.contextmanager
def _daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  ourselves
            [sys.executable, "-m", "spektron_edge", "run", "--config", f"{folder}/spektron.toml"],
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _stream(
    options: Options, corn: Corn, config: Config, broker: str, folder: Path, screen: Screen
) -> Summary:
    device = VirtualSpectrometer(
        corn.spectra["m5"],
        corn.axis_nm,
        seed=options.seed,
        scans=options.scans,
        interval_s=1.0 / options.speed,
    )
    predicted, references, invalid = [], [], 0
    root = f"spektron/{config.site}/{config.instrument}"
    with (
        subscribe(config.mqtt, root) as subscriber,
        PtyPort(device, link=folder / "instrument") as port,
        _daemon(folder) as process,
    ):
        for record in _records(subscriber, options, process):
            row = port.call(partial(device.presented.get, record["scan"]["number"]))
            if row is None:
                continue
            screen.row(record, int(corn.samples[row]), corn.references[row])
            invalid += not record["valid"]
            values = [record["values"][name]["value"] for name in PROPERTIES]
            predicted.append([np.nan if v is None else v for v in values])
            references.append(corn.references[row])
        sent = port.call(lambda: device.samples_shown)
        process.send_signal(signal.SIGTERM)
        state = _last_state(subscriber)
    counters = state.get("counters", {})
    model = load_product(config).model
    usable = np.all(np.isfinite(predicted), axis=1) if predicted else np.zeros(0, bool)
    return Summary(
        sent=sent,
        predicted=counters.get("valid", 0) + counters.get("invalid", 0),
        published=counters.get("published_predictions", 0),
        received=len(predicted),
        invalid=invalid,
        figures=figures(np.array(predicted)[usable], np.array(references)[usable], PROPERTIES),
        repeatability=repeatability(model, corn.spectra["m5"], corn.axis_nm, options.seed),
        p50_ms=state.get("p50_ms"),
        p99_ms=state.get("p99_ms"),
        bundle=model.bundle_id,
        broker=broker,
        notes=model.product.notes,
    )


def _records(
    subscriber: Subscriber, options: Options, process: subprocess.Popen[bytes]
) -> Iterator[dict[str, Any]]:
    received = 0
    deadline = time.monotonic() + _PATIENCE_S
    while received < options.scans and time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(queue.Empty):
            yield subscriber.predictions.get(timeout=0.2)
            received += 1
            deadline = time.monotonic() + _PATIENCE_S + 1.0 / options.speed


def _last_state(subscriber: Subscriber) -> dict[str, Any]:
    """The state that the daemon publishes when it ends."""
    deadline = time.monotonic() + _STOP_S
    while not subscriber.offline and time.monotonic() < deadline:
        time.sleep(0.02)
    return subscriber.state
