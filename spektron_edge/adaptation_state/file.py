"""The file of an adaptation, checked when it is read."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.adaptation.candidate import Adapted
from spektron_edge.adaptation.correction import TERMS, Correction
from spektron_edge.bundle.members import Caps
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_file import pack, unpack

from .header import Header
from .state import AdaptationState

Array = NDArray[np.float64]
MOST_BYTES = 16 * 2**20
_CAPS = Caps(members=16, member_bytes=8 * 2**20, total_bytes=MOST_BYTES)
# Of corrected examples when it was written and when it is read, as a share of the largest.
_TOLERANCE = 1e-9
_FIELDS = tuple(field.name for field in fields(Correction))
_SINGLE = ("theta",)


def encode(state: AdaptationState) -> bytes:
    """The bytes of its file; they depend on its contents only."""
    correction = state.adapted.correction
    named = correction.named
    arrays: dict[str, NDArray[Any]] = {
        **{name: np.asarray(getattr(correction, name)) for name in _FIELDS},
        "coefficients": np.array([named.get(term, 0.0) for term in state.header.terms]),
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
    _check_form(arrays)
    examples, values, wanted = arrays["examples"], arrays["values"], arrays["corrected"]
    of_correction = {name: _plain(arrays[name]) for name in _FIELDS}
    of_correction["coefficients"] = _in_order(header.terms, arrays["coefficients"])
    correction = Correction(**of_correction)
    limit = _TOLERANCE * max(1e-3, float(np.max(np.abs(wanted), initial=0.0)))
    if np.any(np.abs(correction.apply(examples) - wanted) > limit):
        raise ValueError("it corrects otherwise than when it was made")
    return AdaptationState(header, Adapted(correction, arrays["theta"]), examples, values)


def _check_form(arrays: dict[str, NDArray[Any]]) -> None:
    names = {*_FIELDS, "theta", "examples", "corrected", "values"}
    types = {name: np.float32 if name in _SINGLE else np.float64 for name in names}
    if {name: array.dtype for name, array in arrays.items()} != types:
        raise ValueError("its arrays are not those of an adaptation")
    if not all(np.all(np.isfinite(array)) for array in arrays.values()):
        raise ValueError("a number in it is not finite")
    examples, values = arrays["examples"], arrays["values"]
    fit = examples.ndim == values.ndim == 2 and len(examples) == len(values)
    fit = fit and arrays["corrected"].shape == examples.shape
    fit = fit and arrays["theta"].ndim == arrays["coefficients"].ndim == 1
    for name in set(_FIELDS) - {"coefficients"}:
        # One number for each channel, or one for all.
        fit = fit and arrays[name].shape in ((), examples.shape[1:])
    if not fit:
        raise ValueError("its arrays do not fit together")


def _in_order(terms: tuple[str, ...], coefficients: Array) -> Array:
    """As this version orders them; terms that an older one did not have are nought."""
    named = dict(zip(terms, coefficients.tolist(), strict=True))
    unknown = [name for name, value in named.items() if value and name not in TERMS]
    if unknown:
        raise ValueError(f"this version does not know its terms {', '.join(unknown)}")
    return np.array([named.get(term, 0.0) for term in TERMS])


def _plain(array: NDArray[Any]) -> Any:
    return array if array.ndim else array.item()
