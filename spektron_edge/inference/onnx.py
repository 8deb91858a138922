"""onnxruntime on the CPU."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from .backend import BackendError, Inference
from .external_data import refuse_external_data

# onnxruntime 1.31 writes a device id into the home folder and reports to its maker unless told not
# to before it is imported; an instrument must not phone home.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

_OUTPUTS = ["y", "z_chem", "z_inst"]


class OnnxCpu:
    """One graph in one single-threaded onnxruntime session."""

    def __init__(self, graph: bytes) -> None:
        refuse_external_data(graph)
        options = ort.SessionOptions()
        # A second thread loses under contention: 11 ms instead of 2 (see docs/decisions/0003).
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Left to guess, onnxruntime would also load its own format, which was not looked through.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001  onnxruntime raises a dozen unrelated types
            raise BackendError(
                f"onnxruntime {ort.__version__} refused the graph: {error}"
            ) from None
        inputs = {i.name for i in self._session.get_inputs()}
        outputs = {o.name for o in self._session.get_outputs()}
        if inputs != {"x", "theta"} or not outputs.issuperset(_OUTPUTS):
            raise BackendError(
                f"the graph takes {sorted(inputs)} and gives {sorted(outputs)}; "
                "expected x, theta -> y, z_chem, z_inst"
            )
        self.provider: str = self._session.get_providers()[0]

    def infer(self, x: NDArray[np.float32], theta: NDArray[np.float32]) -> Inference:
        """Run a batch: x (B, L), theta (P,). Raises BackendError when the shapes do not fit."""
        try:
            y, z_chem, z_inst = self._session.run(_OUTPUTS, {"x": x, "theta": theta})
        except Exception as error:  # noqa: BLE001  as above
            raise BackendError(f"inference failed: {error}") from None
        return Inference(y, z_chem, z_inst)
