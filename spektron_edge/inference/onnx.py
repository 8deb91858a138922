"""onnxruntime on the CPU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .backend import BackendError, Inference
from .session import open_session

_INPUTS = ("x", "theta")
_OUTPUTS = ("y", "z_chem", "z_inst")


class OnnxCpu:
    """One encoder graph, ready to run. Raises BackendError for a graph that cannot serve."""

    def __init__(self, graph: bytes) -> None:
        self._session = open_session(graph, _INPUTS, _OUTPUTS)
        self.provider: str = self._session.get_providers()[0]

    def infer(self, x: NDArray[np.float32], theta: NDArray[np.float32]) -> Inference:
        """Run a batch: x (B, L), theta (P,). Raises BackendError when the shapes do not fit."""
        try:
            y, z_chem, z_inst = self._session.run(_OUTPUTS, {"x": x, "theta": theta})
        except Exception as error:  # noqa: BLE001  onnxruntime raises a dozen unrelated types
            raise BackendError(f"inference failed: {error}") from None
        return Inference(y, z_chem, z_inst)
