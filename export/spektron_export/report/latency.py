"""How long each graph of a bundle takes on this machine, one spectrum and one thread."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spektron_edge.bundle import Bundle
from spektron_edge.bundle.manifest import Product
from spektron_edge.inference import load_gradient, load_model
from spektron_edge.inference.gradient import Objective
from spektron_train.machine import processor

GRADIENT = "gradient"
ROUNDS, _CALLS, _WARM_UP = 9, 5, 2


@dataclass(frozen=True)
class Latency:
    """Milliseconds a call: median, smallest and largest over the rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Latencies:
    """machine: in words, the figures hold for no other; graphs: by precision or `gradient`."""

    machine: str
    rounds: int
    graphs: dict[str, Latency]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        graphs = {name: asdict(latency) for name, latency in self.graphs.items()}
        return {
            "machine": self.machine,
            "threads": 1,
            "spectra_a_call": 1,
            "rounds": self.rounds,
            "milliseconds": graphs,
        }


def measure(bundle: Bundle, product: Product, rounds: int = ROUNDS) -> Latencies:
    """Time every graph, taking turns: what else the machine does then falls on all of them.

    Raises BundleError when a graph cannot be loaded.
    """
    calls = _calls(bundle, product)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(_WARM_UP):
            call()
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            for _ in range(_CALLS):
                call()
            times[name].append((time.perf_counter() - started) / _CALLS * 1e3)
    graphs = {
        name: Latency(float(np.median(seen)), min(seen), max(seen)) for name, seen in times.items()
    }
    return Latencies(machine(), rounds, graphs)


def machine() -> str:
    """Processor and system, as far as the system tells."""
    return f"{processor()}, {platform.system()} {platform.machine()}"


def _calls(bundle: Bundle, product: Product) -> dict[str, Callable[[], object]]:
    golden = bundle.arrays(product.golden)
    x = golden["x"][:1].astype(np.float32)
    theta = bundle.vector(product.theta)
    calls: dict[str, Callable[[], object]] = {}
    for graph in product.graphs:
        backend = load_model(bundle, product.name, graph.precision).backend
        calls[graph.precision] = lambda backend=backend: backend.infer(x, theta)  # type: ignore[misc]
    if product.adapt is not None:
        engine = load_gradient(bundle, product.name)
        given = {n: a.astype(np.float32) for n, a in bundle.arrays(product.adapt.golden).items()}
        objective = Objective(theta, given["centre"], given["spread"], given["weights"])
        keep = given["keep"][:1]
        calls[GRADIENT] = lambda: engine.step(x, keep, given["theta"], objective)
    return calls
