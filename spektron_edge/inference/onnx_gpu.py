"""onnxruntime's two ways to a GPU. Both need onnxruntime-gpu in the place of onnxruntime."""

from __future__ import annotations

import hashlib
from pathlib import Path

from spektron_edge.bundle.manifest import Precision

from .backend import INPUTS, OUTPUTS, BackendError
from .engine_file import BATCH, put_aside
from .onnx import OnnxBackend
from .session import CPU_PROVIDER, Provider, open_session


class OnnxCuda(OnnxBackend):
    """onnxruntime's CUDA provider."""

    def __init__(self, graph: bytes) -> None:
        # TF32 keeps ten bits of a float32 factor; golden vectors are computed with all of them.
        # Trying every convolution first would take seconds at each new batch size.
        options = {"device_id": 0, "use_tf32": 0, "cudnn_conv_algo_search": "HEURISTIC"}
        super().__init__(graph, ("CUDAExecutionProvider", options))


class OnnxTensorrt(OnnxBackend):
    """onnxruntime's TensorRT provider, which builds engines itself and keeps them in a folder."""

    def __init__(self, graph: bytes, precision: Precision, engines: Path) -> None:
        """engines: of this device. Building at the first start takes up to minutes."""
        digest = hashlib.sha256(graph).hexdigest()
        self._folder = engines / f"onnxruntime-{precision}-{digest[:16]}"
        points = _points(graph)
        # Building it again at every start would take minutes, for the same outcome.
        if aside := sorted(engines.glob(f"{self._folder.name}.damaged-*")):
            raise BackendError(
                f"its engine was wrong before and set aside; remove {aside[0]} to try again"
            )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BackendError(f"cannot make {self._folder}: {error.strerror}") from None
        super().__init__(graph, self._provider(points, precision))

    def reject(self) -> str:
        """The engine computes something else than promised: never use its files again."""
        return put_aside(self._folder)

    def _provider(self, points: int, precision: Precision) -> Provider:
        smallest, typical, largest = (f"x:{rows}x{points}" for rows in BATCH)
        options = {
            "device_id": 0,
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(self._folder),
            "trt_fp16_enable": precision == "fp16",
            "trt_int8_enable": precision == "int8",
            # Without a profile an engine is built again at the first batch of another size.
            "trt_profile_min_shapes": smallest,
            "trt_profile_opt_shapes": typical,
            "trt_profile_max_shapes": largest,
        }
        return "TensorrtExecutionProvider", options


def _points(graph: bytes) -> int:
    """Channels of x; a graph that cannot serve is refused before minutes of building."""
    session = open_session(graph, INPUTS, OUTPUTS, provider=CPU_PROVIDER)
    shape = next(i.shape for i in session.get_inputs() if i.name == "x")
    if len(shape) != 2 or not isinstance(shape[1], int):
        raise BackendError(f"the graph's x has shape {shape}; expected (B, L) with a fixed L")
    return shape[1]
