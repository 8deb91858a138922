"""Latency of live predictions while the child of adaptation works, against without it.

As the daemon does it: an instrument that measures as mp6 does, a drift that is told, and an attempt
of ten steps while predictions go on. And beyond: children all the time, one after the other.
"""

from __future__ import annotations

import secrets
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from spektron_edge.adaptation.candidate import Batch
from spektron_edge.adaptation.steps import STEPS
from spektron_edge.adaptation.task import RESULT, WORK, Given, Task, write_task
from spektron_edge.bundle import read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.demo.corn import load_corn
from tests.benchmarks.report import Figure
from tests.benchmarks.usual_load import RATE, SCANS, last_state
from tests.integration.rig import Rig

NAME = "adapt_live"
RUNS = 5
Ways = Literal["frozen", "daemon", "always"]
SERIAL = "VIRT-0001"


def _given() -> Given:
    """48 spectra of cups on mp6; those held out are of m5, so that the guard refuses it: a device
    keeps a proposal at most once in minutes, and not once a second."""
    train = load_corn().train.spectra
    spectra = np.concatenate([train["mp6"][:48], train["m5"][48:]])
    spectra = spectra.astype(np.float32).astype(np.float64)
    scans = tuple((1, number) for number in range(len(spectra)))
    task = Task(
        id=secrets.token_hex(6),
        bundle=read_bundle(shipped_bundle()).id,
        serial=SERIAL,
        mode="propose",
        seed=0,
        why="benchmark",
        parent=None,
        drift=None,
        services=(),
        growing="",
        astray=(),
        stability=(),
    )
    return Given(task, Batch(spectra[:48], scans[:48]), Batch(spectra[48:], scans[48:]), ())


@contextmanager
def _adapting(config: Path, folder: Path, done: list[int]) -> Iterator[None]:
    """Children as the daemon starts them, one after the other: more than it ever does."""
    over = threading.Event()
    command = [sys.executable, "-m", "spektron_edge.adaptation.worker", str(config), "adapt"]

    def work() -> None:
        while not over.is_set():
            write_task(folder, _given())
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
                while child.poll() is None:
                    if over.wait(0.05):
                        child.kill()
            if (folder / RESULT).exists():
                done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _p99(way: Ways, done: list[int]) -> float:
    """In ms, over SCANS scans."""

    def children(rig: Rig) -> AbstractContextManager[None]:
        return _adapting(rig.config, rig.folder / "state" / WORK, done)

    state = last_state(
        "mp6",
        settings={"adaptation": {"mode": "propose" if way == "daemon" else "frozen"}},
        first=20,
        **({"meanwhile": children} if way == "always" else {}),
    )
    if way == "daemon":
        # Or it would be the latency of something else.
        assert state["counters"]["adaptations_tried"] >= 1
    return float(state["p99_ms"])


def measure() -> list[Figure]:
    """All figures."""
    done: list[int] = []
    ways: tuple[Ways, ...] = ("frozen", "daemon", "always")
    runs = [[_p99(way, done) for way in ways] for _ in range(RUNS)]
    alone, daemon, always = (statistics.median(column) for column in zip(*runs, strict=True))
    rises = sorted(100 * (run[1] / run[0] - 1) for run in runs)
    line = f"{SCANS} scans at {RATE:g}/s, median of {RUNS} runs in turns"
    child = f"one attempt of {STEPS} steps, started by the daemon"
    beyond = f"children of {STEPS} steps one after the other, {len(done)} in all"
    return [
        Figure("live_p99_alone_ms", alone, "ms", "lower", None, f"frozen; {line}"),
        Figure("live_p99_ms", daemon, "ms", "lower", None, f"{child}; {line}"),
        Figure(
            "live_p99_rise",
            100 * (daemon / alone - 1),
            "%",
            "lower",
            (rises[-2] - rises[1]) / 2,
            f"{child}; bar 20",
        ),
        Figure("live_p99_always_ms", always, "ms", "lower", None, f"{beyond}; {line}"),
    ]
