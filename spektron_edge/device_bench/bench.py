"""`spektron-edge bench-device`: which backend and precision is best on this machine.

Every candidate runs in a process of its own (worker.py) on one thread. They take turns, so
that a busy machine slows all of them; figures are medians over the rounds. A candidate counts only
if its golden vectors hold.
"""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spektron_edge.backend_choice import BackendName
from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.bundle.manifest import Precision
from spektron_edge.faults import Fault
from spektron_edge.inference.device_engine import build_for_device
from spektron_edge.inference.session import available_providers

from .candidate import BATCHES, Candidate, Result

# Below this share of difference in time, memory decides.
_SAME_SPEED = 1.1
_PROVIDERS: dict[BackendName, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt-ep": "TensorrtExecutionProvider",
}

Tell = Callable[[str], None]


def bench_device(
    path: Path, product: str | None, engines: Path | None, rounds: int, calls: int, tell: Tell
) -> dict[str, object]:
    """Measure every backend and precision that this machine has.

    engines: where engines are kept, None for a folder that is removed afterwards; tell: is given
    lines of progress. Raises Fault(BUNDLE_INVALID).
    """
    try:
        bundle = read_bundle(path)
        chosen = bundle.manifest.product(product)
    except BundleError as error:
        raise error.fault from None
    except KeyError as error:
        raise BundleError(str(error.args[0])).fault from None
    with contextlib.ExitStack() as stack:
        if engines is None:
            engines = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spektron-")))
        candidates: list[Candidate] = []
        absent: list[Result] = []
        for precision in (graph.precision for graph in chosen.graphs):
            for backend in (*_PROVIDERS, "tensorrt"):
                why_not = _why_not(backend, path, precision, chosen.name, engines, tell)
                if why_not:
                    absent.append(Result(backend, precision, why_not=why_not))
                    continue
                tell(f"loading {backend} {precision}")
                arguments = [str(path), chosen.name, precision, backend, str(engines)]
                candidate = Candidate(backend, precision, arguments)
                stack.callback(candidate.end)
                candidates.append(candidate)
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            for batch in BATCHES:
                for candidate in candidates:
                    candidate.turn(batch, calls)
        measured = [candidate.result() for candidate in candidates]
    return {
        "bundle": bundle.id,
        "product": chosen.name,
        "how": f"one thread, {rounds} rounds of {calls} calls in turns, medians",
        "results": [asdict(result) for result in measured + absent],
        "recommended": recommend(measured),
    }


def recommend(results: Sequence[Result]) -> dict[str, str] | None:
    """The fastest at one spectrum; of those about as fast, the one that takes least memory."""
    good = [result for result in results if not result.why_not and result.ms]
    if not good:
        return None
    fastest = min((result.ms or {})[1] for result in good)
    near = [result for result in good if (result.ms or {})[1] <= _SAME_SPEED * fastest]
    best = min(near, key=lambda result: result.peak_mb)
    return {"precision": best.precision, "inference.backend": best.backend}


def table(results: Sequence[dict[str, Any]]) -> list[str]:
    """Lines for a reader."""
    head = f"{'backend':12} {'precision':9} {'1 spectrum':>16} {'8 spectra':>16} {'memory':>9}"
    lines = [f"{head} {'load':>8}  runs on"]
    for result in results:
        names = f"{result['backend']:12} {result['precision']:9}"
        if result["why_not"]:
            lines.append(f"{names} {result['why_not']}")
            continue
        times = " ".join(
            f"{result['ms'][b]:8.2f} ±{result['spread_ms'][b]:4.2f} ms" for b in BATCHES
        )
        lines.append(
            f"{names} {times} {result['peak_mb']:6.0f} MB {result['load_s']:6.2f} s  "
            f"{result['provider']}"
        )
    return lines


def _why_not(
    backend: BackendName, path: Path, precision: Precision, product: str, engines: Path, tell: Tell
) -> str:
    """Why a backend cannot be tried here; empty when it can. Builds the engine that it needs."""
    if backend != "tensorrt":
        provider = _PROVIDERS[backend]
        return "" if provider in available_providers() else f"onnxruntime has no {provider}"
    if importlib.util.find_spec("tensorrt") is None:
        return "the Python module `tensorrt` is not installed"
    tell(f"building a {precision} engine; this takes up to minutes")
    try:
        build_for_device(path, precision, engines, product)
    except Fault as fault:
        return fault.detail
    return ""
