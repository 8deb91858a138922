"""What a model saw of a scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Seen:
    """measured: (L,) absorbance on the model's grid; corrected: the same as the adaptation in use
    corrects it, or as it is; z_chem (128,), z_inst (64,): what the model made of it."""

    measured: NDArray[np.float64]
    corrected: NDArray[np.float64]
    z_chem: NDArray[np.float32]
    z_inst: NDArray[np.float32]
