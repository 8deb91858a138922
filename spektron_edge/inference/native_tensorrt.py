"""An engine run by TensorRT itself, without onnxruntime."""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle.manifest import Precision

from .backend import INPUTS, OUTPUTS, BackendError, Inference
from .cuda import Cuda
from .engine_file import BATCH, EngineKey, key_of, put_aside, read_engine

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Device:
    """TensorRT's module and the GPU, as they are on this machine."""

    trt: Any
    cuda: Cuda

    def key(self, graph: bytes, precision: Precision) -> EngineKey:
        """Of the graph's engine on this device."""
        return key_of(graph, precision, self.trt.__version__, self.cuda.gpu)


def find_device() -> Device:
    """Raises BackendError where TensorRT's Python package or a GPU is missing."""
    try:
        trt = importlib.import_module("tensorrt")
    except Exception as error:  # noqa: BLE001  a broken installation raises what it likes
        raise BackendError(f"TensorRT's Python package cannot be used here: {error}") from None
    return Device(trt, Cuda())


class NativeTensorrt:
    """One engine, ready to run on one thread. Raises BackendError for one that cannot serve."""

    def __init__(self, device: Device, plan: bytes, kept_in: Path | None = None) -> None:
        """kept_in: the engine's file, to be set aside if it turns out to be wrong."""
        self._trt, self._cuda, self._kept_in = device.trt, device.cuda, kept_in
        self.provider = f"TensorRT {self._trt.__version__}"
        self._logger = self._trt.Logger(self._trt.Logger.ERROR)
        self._cuda.enter()
        try:
            self._engine = self._trt.Runtime(self._logger).deserialize_cuda_engine(plan)
            self._context = self._engine and self._engine.create_execution_context()
        except Exception as error:  # noqa: BLE001  its bindings raise unrelated types
            raise BackendError(f"{self.provider} cannot load the engine: {error}") from None
        if self._context is None:
            raise BackendError(f"{self.provider} cannot load the engine")
        self._widths = self._check_tensors()
        self._addresses = {
            name: self._cuda.allocate(width * (1 if name == "theta" else BATCH[-1]) * _FLOAT_BYTES)
            for name, width in self._widths.items()
        }
        for name, address in self._addresses.items():
            self._context.set_tensor_address(name, address)

    def infer(self, x: NDArray[np.float32], theta: NDArray[np.float32]) -> Inference:
        """Run a batch: x (B, L), theta (P,). Raises BackendError when the shapes do not fit.

        More spectra than an engine is built for are run in parts.
        """
        self._check_fit(x, theta)
        rows = len(x)
        outputs = {n: np.empty((rows, self._widths[n]), np.float32) for n in OUTPUTS}
        # The daemon may call from another thread than the one that loaded.
        self._cuda.enter()
        self._cuda.upload(self._addresses["theta"], np.ascontiguousarray(theta))
        for start in range(0, rows, BATCH[-1]):
            part = np.ascontiguousarray(x[start : start + BATCH[-1]])
            self._cuda.upload(self._addresses["x"], part)
            if not self._context.set_input_shape("x", part.shape):
                raise BackendError(f"{self.provider} refuses a batch of {len(part)}")
            if not self._context.execute_async_v3(self._cuda.stream):
                raise BackendError(f"{self.provider} could not run the engine")
            self._cuda.wait()
            for name, whole in outputs.items():
                self._cuda.download(whole[start : start + len(part)], self._addresses[name])
        return Inference(**outputs)

    def reject(self) -> str:
        """The engine computes something else than promised: never use its file again."""
        return "" if self._kept_in is None else put_aside(self._kept_in)

    def __del__(self) -> None:
        # A reload makes a second one in the same process; at its end the driver may be gone.
        with contextlib.suppress(BackendError):
            self._cuda.enter()
            for address in getattr(self, "_addresses", {}).values():
                self._cuda.free(address)

    def _check_tensors(self) -> dict[str, int]:
        """Width of every tensor: columns of x and the outputs, length of theta."""
        trt, engine = self._trt, self._engine
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        inputs = {n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT}
        if inputs != set(INPUTS) or set(names) - inputs != set(OUTPUTS):
            raise BackendError(
                f"the engine has {', '.join(names)}; "
                f"expected {', '.join(INPUTS)} -> {', '.join(OUTPUTS)}"
            )
        widths = {}
        for name in names:
            shape = tuple(engine.get_tensor_shape(name))
            ranks = 1 if name == "theta" else 2
            if len(shape) != ranks or shape[-1] < 1:
                raise BackendError(f"the engine's {name} has shape {shape}")
            if engine.get_tensor_dtype(name) != trt.DataType.FLOAT:
                raise BackendError(f"the engine's {name} is not float32")
            widths[name] = int(shape[-1])
        return widths

    def _check_fit(self, x: NDArray[np.float32], theta: NDArray[np.float32]) -> None:
        # A wrong size would be a copy beyond the device's buffer, not an error.
        if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != self._widths["x"] or not len(x):
            raise BackendError(
                f"x is {x.dtype} {x.shape}; the engine takes float32 (B, {self._widths['x']})"
            )
        if theta.dtype != np.float32 or theta.shape != (self._widths["theta"],):
            raise BackendError(
                f"theta is {theta.dtype} {theta.shape}; "
                f"the engine takes float32 ({self._widths['theta']},)"
            )


def open_native(graph: bytes, precision: Precision, engines: Path) -> NativeTensorrt:
    """The engine that was built for this graph on this device.

    Raises BackendError where there is none: building takes up to minutes, so it is never done at
    the daemon's start but by `spektron-edge build-engine`.
    """
    device = find_device()
    key = device.key(graph, precision)
    plan = read_engine(engines, key)
    return NativeTensorrt(device, plan, engines / key.file_name)
