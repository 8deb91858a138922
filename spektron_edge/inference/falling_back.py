"""The engine that was asked for, and onnxruntime on the CPU when that one does not do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spektron_edge.backend_choice import BackendChoice, BackendName
from spektron_edge.bundle.manifest import Precision

from .backend import Backend, BackendError, Inference
from .onnx import OnnxCpu

Check = Callable[[Backend], None]


class FallingBack:
    """Runs the first; from the first batch on that only the CPU can run, the CPU.

    Never silent: `fell_back` says why, and `active` what runs. Neither is used before `check` has
    compared it with the golden vectors.
    """

    def __init__(
        self, graph: bytes, precision: Precision, choice: BackendChoice, check: Check
    ) -> None:
        """check: raises BackendError for a backend that computes something else than promised.

        Raises BackendError when the CPU cannot serve either.
        """
        self._graph, self._check = graph, check
        self.asked: BackendName = choice.name
        self.active: BackendName = choice.name
        self.fell_back = ""
        try:
            self._backend = self._first(precision, choice)
        except BackendError as error:
            self._fall_back(self._on_cpu(), error)

    @property
    def provider(self) -> str:
        """Of what really runs."""
        return self._backend.provider

    def infer(self, x: NDArray[np.float32], theta: NDArray[np.float32]) -> Inference:
        """Run a batch: x (B, L), theta (P,). Raises BackendError when the shapes do not fit."""
        try:
            return self._backend.infer(x, theta)
        except BackendError as error:
            if self.active == "cpu":
                raise
            # A batch that the CPU refuses as well is the caller's mistake, not the GPU's.
            cpu = self._on_cpu()
            outputs = cpu.infer(x, theta)
            self._fall_back(cpu, error)
            return outputs

    def _first(self, precision: Precision, choice: BackendChoice) -> Backend:
        backend = open_backend(self._graph, precision, choice)
        try:
            self._check(backend)
        except BackendError as error:
            reject = getattr(backend, "reject", None)
            raise BackendError(f"{error}{reject() if reject else ''}") from None
        return backend

    def _on_cpu(self) -> Backend:
        cpu = OnnxCpu(self._graph)
        self._check(cpu)
        return cpu

    def _fall_back(self, cpu: Backend, why: BackendError) -> None:
        self._backend, self.active = cpu, "cpu"
        self.fell_back = f"{self.asked} was asked for, the CPU is used: {why}"


def open_backend(graph: bytes, precision: Precision, choice: BackendChoice) -> Backend:
    """Exactly what is asked for. Raises BackendError where it cannot be had.

    What needs a GPU is imported here and not before.
    """
    if choice.name == "cpu":
        return OnnxCpu(graph)
    if choice.name == "cuda":
        from .onnx_gpu import OnnxCuda

        return OnnxCuda(graph)
    if choice.engines is None:
        raise BackendError(f"{choice.name} needs a folder for its engines")
    if choice.name == "tensorrt-ep":
        from .onnx_gpu import OnnxTensorrt

        return OnnxTensorrt(graph, precision, choice.engines)
    from .native_tensorrt import open_native

    return open_native(graph, precision, choice.engines)
