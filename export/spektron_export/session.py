"""Run a graph as the runtime does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray

from spektron_edge.inference import Inference
from spektron_edge.inference.onnx import OnnxCpu

Run = Callable[[NDArray[np.float64]], Inference]


def runner(model: onnx.ModelProto, theta: NDArray[np.float32]) -> Run:
    """A function (n, L) -> Inference at that theta, on the runtime's own backend."""
    backend = OnnxCpu(model.SerializeToString())
    return lambda x: backend.infer(np.asarray(x).astype(np.float32), theta)
