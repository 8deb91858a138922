"""The interface every inference engine fulfils."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

# Of an encoder graph, whatever engine runs it.
INPUTS = ("x", "theta")
OUTPUTS = ("y", "z_chem", "z_inst")


class BackendError(Exception):
    """The engine cannot serve this graph; the message says why."""


@dataclass(frozen=True)
class Inference:
    """Outputs for a batch: y (B, n_properties), z_chem (B, 128), z_inst (B, 64); float32."""

    y: NDArray[np.float32]
    z_chem: NDArray[np.float32]
    z_inst: NDArray[np.float32]


class Backend(Protocol):
    """An engine that holds one graph ready to run."""

    @property
    def provider(self) -> str:
        """Name of what really runs, e.g. CPUExecutionProvider."""
        ...

    def infer(self, x: NDArray[np.float32], theta: NDArray[np.float32]) -> Inference:
        """Run a batch: x (B, L) absorbance on the model's grid, theta (P,)."""
        ...
