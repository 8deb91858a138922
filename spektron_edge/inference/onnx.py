"""onnxruntime, on the CPU or on a GPU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .backend import INPUTS, OUTPUTS, BackendError, Inference
from .session import CPU_PROVIDER, Provider, open_session


class OnnxBackend:
    """One encoder graph with one provider. Raises BackendError for a graph that cannot serve."""

    def __init__(self, graph: bytes, provider: Provider) -> None:
        self._session = open_session(graph, INPUTS, OUTPUTS, provider=provider)
        self.provider: str = provider[0]

    def infer(self, x: NDArray[np.float32], theta: NDArray[np.float32]) -> Inference:
        """Run a batch: x (B, L), theta (P,). Raises BackendError when the shapes do not fit."""
        try:
            y, z_chem, z_inst = self._session.run(OUTPUTS, {"x": x, "theta": theta})
        except Exception as error:  # noqa: BLE001  onnxruntime raises a dozen unrelated types
            raise BackendError(f"inference failed: {error}") from None
        return Inference(y, z_chem, z_inst)


class OnnxCpu(OnnxBackend):
    """On the CPU, on one thread."""

    def __init__(self, graph: bytes) -> None:
        super().__init__(graph, CPU_PROVIDER)
