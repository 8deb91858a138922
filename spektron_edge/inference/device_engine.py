"""`spektron-edge build-engine`: a TensorRT engine for this device, kept where the daemon looks."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spektron_edge.backend_choice import BackendChoice
from spektron_edge.bundle import Bundle, BundleError, read_bundle
from spektron_edge.bundle.install import Terms
from spektron_edge.bundle.manifest import Precision
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_folder import storage_fault

from . import BackendError, Model, load_model
from .cuda import Cuda, Gpu
from .engine_build import Built, build_engine, check_version
from .engine_file import BATCH, EngineKey, key_of, make_folder, read_engine, store_engine
from .trtexec import build_with_trtexec, find_trtexec, trtexec_version


@dataclass(frozen=True)
class Builder:
    """A way to build: what it is called, its TensorRT's version, and how.

    build: (graph, precision, channels of x) -> engine; runs: whether it can also run what it built.
    """

    name: str
    version: str
    build: Callable[[bytes, Precision, int], Built]
    runs: bool


def build_for_device(
    path: Path,
    precision: Precision,
    engines: Path,
    product: str | None = None,
    terms: Terms | None = None,
) -> dict[str, object]:
    """Build, store and try the engine of a bundle's graph; an engine that is there is kept.

    terms: of the device; TensorRT is given no graph that the daemon would refuse. Raises
    Fault(BUNDLE_INVALID, BUNDLE_UNTRUSTED, BUNDLE_ELSEWHERE, TENSORRT_MISSING, GPU_MISSING,
    ENGINE_FAILED, or of the disk).
    """
    try:
        bundle = read_bundle(path)
        if terms is not None:
            terms.admit(bundle)
        # On the CPU first: a bundle that is wrong must not cost minutes of building.
        model = load_model(bundle, product, precision)
    except BundleError as error:
        raise error.fault from None
    builder, gpu = find_builder(), _gpu()
    graph = bundle.graph(model.graph)
    key = key_of(graph, precision, builder.version, gpu)
    started = time.monotonic()
    try:
        check_version(builder.version)
        typing = _kept(engines, key) or _build(builder, graph, model, engines, key)
    except BackendError as error:
        raise Fault(Faults.ENGINE_FAILED, str(error)) from None
    except OSError as error:
        raise storage_fault(error, engines) from None
    report: dict[str, object] = {
        "engine": str(engines / key.file_name),
        "bundle": bundle.id,
        "product": model.product.name,
        "precision": precision,
        "tensorrt": builder.version,
        "built with": builder.name,
        "typing": typing,
        "gpu": str(gpu),
        "batch": f"{BATCH[0]} to {BATCH[-1]}, best at {BATCH[1]}",
        "seconds": round(time.monotonic() - started, 1),
    }
    return {**report, "golden vectors": _try_it(bundle, model, builder, engines)}


def find_builder() -> Builder:
    """TensorRT's Python module, else trtexec. Raises Fault(TENSORRT_MISSING)."""
    reason = "the Python module `tensorrt` is not installed"
    if importlib.util.find_spec("tensorrt") is not None:
        try:
            return _with_module(importlib.import_module("tensorrt"))
        except Exception as error:  # noqa: BLE001  a broken installation raises what it likes
            reason = f"the Python module `tensorrt` cannot be used ({error})"
    program = find_trtexec()
    if program is None:
        raise Fault(Faults.TENSORRT_MISSING, f"{reason}, and there is no program trtexec")
    try:
        version = trtexec_version(program)
    except BackendError as error:
        raise Fault(Faults.TENSORRT_MISSING, f"{reason}, and {error}") from None

    def build(graph: bytes, precision: Precision, points: int) -> Built:
        return build_with_trtexec(program, version, graph, precision, points)

    return Builder(str(program), version, build, runs=False)


def _with_module(trt: Any) -> Builder:
    def build(graph: bytes, precision: Precision, _: int) -> Built:
        return build_engine(trt, graph, precision)

    return Builder("the Python module tensorrt", str(trt.__version__), build, runs=True)


def _gpu() -> Gpu:
    try:
        return Cuda().gpu
    except BackendError as error:
        raise Fault(Faults.GPU_MISSING, f"an engine is built on its own GPU: {error}") from None


def _kept(engines: Path, key: EngineKey) -> str:
    """Says so when the engine is there and whole; a damaged one is set aside."""
    try:
        read_engine(engines, key)
    except BackendError:
        return ""
    return "as it was: the engine was there already"


def _build(builder: Builder, graph: bytes, model: Model, engines: Path, key: EngineKey) -> str:
    # Written to before minutes are spent.
    make_folder(engines)
    built = builder.build(graph, key.precision, model.product.grid.points)
    store_engine(engines, key, built.plan)
    if built.typing == "strong":
        return "strong: computed in the graph's own types"
    return "flags: TensorRT chose the types, the graph's own were refused"


def _try_it(bundle: Bundle, model: Model, builder: Builder, engines: Path) -> str:
    """Run the golden vectors as the daemon will. Raises Fault(ENGINE_FAILED) and sets it aside."""
    if not builder.runs:
        return "not compared: running an engine needs the Python module tensorrt"
    choice = BackendChoice("tensorrt", engines)
    tried = load_model(bundle, model.product.name, model.graph.precision, choice=choice)
    if tried.fell_back:
        raise Fault(Faults.ENGINE_FAILED, tried.fell_back)
    return "hold on this device"
