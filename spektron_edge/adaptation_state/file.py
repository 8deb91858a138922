"""The file of an adaptation, checked when it is read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.adaptation.candidate import Adapted
from spektron_edge.adaptation.correction import TERMS, Correction
from spektron_edge.bundle.members import Caps
from spektron_edge.faults import Fault, Faults
from spektron_edge.state_file import pack, unpack

from .header import Header
from .state import AdaptationState

Array = NDArray[np.float64]
MOST_BYTES = 16 * 2**20
_CAPS = Caps(members=16, member_bytes=8 * 2**20, total_bytes=MOST_BYTES)
# Of corrected examples when it was written and when it is read, as a share of the largest.
_TOLERANCE = 1e-9
_TYPES = {
    "coefficients": np.float64,
    "residual": np.float64,
    "step_nm": np.float64,
    "theta": np.float32,
    "examples": np.float64,
    "corrected": np.float64,
    "values": np.float64,
}


def encode(state: AdaptationState) -> bytes:
    """The bytes of its file; they depend on its contents only."""
    correction = state.adapted.correction
    arrays: dict[str, NDArray[Any]] = {
        "coefficients": correction.coefficients,
        "residual": correction.residual,
        "step_nm": np.array(correction.step_nm),
        "theta": state.adapted.theta,
        "examples": state.examples,
        "corrected": correction.apply(state.examples),
        "values": state.values,
    }
    return pack(state.header, arrays)


def decode(data: bytes) -> AdaptationState:
    """Read a file. Raises Fault(ADAPTATION_UNUSABLE) where it is damaged or corrects otherwise."""
    try:
        header, arrays = unpack(data, Header, _CAPS)
        return _state(header, arrays)
    except Exception as error:  # noqa: BLE001  zipfile and numpy raise a dozen unrelated types
        detail = f"the adaptation's file cannot be used ({type(error).__name__}: {error})"
        raise Fault(Faults.ADAPTATION_UNUSABLE, detail) from None


def _state(header: Header, arrays: dict[str, NDArray[Any]]) -> AdaptationState:
    if {name: array.dtype for name, array in arrays.items()} != _TYPES:
        raise ValueError("its arrays are not those of an adaptation")
    if not all(np.all(np.isfinite(array)) for array in arrays.values()):
        raise ValueError("a number in it is not finite")
    examples, values = arrays["examples"], arrays["values"]
    shapes = {
        "coefficients": (len(TERMS),),
        "residual": (examples.shape[-1],),
        "step_nm": (),
        "examples": (len(values), examples.shape[-1]),
        "corrected": examples.shape,
    }
    if any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("its arrays do not fit together")
    if arrays["theta"].ndim != 1 or values.ndim != 2 or not arrays["step_nm"] > 0:
        raise ValueError("its arrays do not have the form of an adaptation's")
    correction = Correction(
        arrays["coefficients"], arrays["residual"], float(arrays["step_nm"].item())
    )
    wanted = arrays["corrected"]
    limit = _TOLERANCE * max(1e-3, float(np.max(np.abs(wanted), initial=0.0)))
    if np.any(np.abs(correction.apply(examples) - wanted) > limit):
        raise ValueError("it corrects otherwise than when it was made")
    return AdaptationState(header, Adapted(correction, arrays["theta"]), examples, values)
