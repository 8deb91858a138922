"""The file of a transfer, checked when it is read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle.members import Caps
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_file import pack, unpack
from spektron_edge.prediction.diagnostics import ApplicabilityModel
from spektron_edge.transfer.compact import Compact, Normalised

from .header import Header
from .state import TransferState

Array = NDArray[np.float64]
_CAPS = Caps(members=64, member_bytes=64 * 2**20, total_bytes=256 * 2**20)
# Of predictions made when it was written and when it is read, in spreads of what they should be.
_TOLERANCE = 1e-6


def encode(state: TransferState) -> bytes:
    """The bytes of its file; they depend on its contents only."""
    arrays = {
        "axis_nm": state.axis_nm,
        "matrix": state.matrix,
        "slopes": state.predictor.slopes,
        "offset": state.predictor.offset,
        "expected": _expected(state),
        "pca_kernel": state.domain.kernel,
        "pca_mean": state.domain.mean,
        "pca_loadings": state.domain.loadings,
        "pca_score_std": state.domain.score_std,
        "pca_t2_limit": np.array(state.domain.t2_limit),
        "pca_q_limit": np.array(state.domain.q_limit),
    }
    for i, part in enumerate(state.predictor.normalised):
        arrays |= {f"snv{i}_shift": part.shift, f"snv{i}_slopes": part.slopes}
        arrays |= {} if part.mix is None else {f"snv{i}_mix": part.mix}
    return pack(state.header, arrays)


def decode(data: bytes) -> TransferState:
    """Read a file. Raises Fault(TRANSFER_UNUSABLE) where it is damaged or predicts otherwise."""
    try:
        header, arrays = unpack(data, Header, _CAPS)
        state = _state(header, {n: a.astype(np.float64) for n, a in arrays.items()})
        _check(state, arrays["expected"])
    except Exception as error:  # noqa: BLE001  zipfile and numpy raise a dozen unrelated types
        detail = f"the transfer's file cannot be used ({type(error).__name__}: {error})"
        raise Fault(Faults.TRANSFER_UNUSABLE, detail) from None
    return state


def _state(header: Header, arrays: dict[str, Array]) -> TransferState:
    normalised: list[Normalised] = []
    while f"snv{len(normalised)}_slopes" in arrays:
        i = len(normalised)
        normalised.append(
            Normalised(arrays.get(f"snv{i}_mix"), arrays[f"snv{i}_shift"], arrays[f"snv{i}_slopes"])
        )
    predictor = Compact(arrays["slopes"], arrays["offset"], tuple(normalised))
    domain = ApplicabilityModel.from_arrays(arrays)
    state = TransferState(header, arrays["axis_nm"], arrays["matrix"], predictor, domain)
    if domain.points != state.matrix.shape[1] or state.axis_nm.shape != state.matrix.shape[:1]:
        raise ValueError("its parts are for spectra of different lengths")
    return state


def _examples(channels: int) -> Array:
    """(2, P) smooth spectra between 0.2 and 0.8, which are absorbances and reflectances alike."""
    position = np.linspace(0.0, 1.0, channels)
    return 0.5 + 0.3 * np.stack([np.sin(9 * position), np.cos(5 * position**2)])


def _expected(state: TransferState) -> Array:
    """What it predicts from the examples: (2, m), and T2 and Q as further columns."""
    rows = []
    for spectrum in _examples(state.axis_nm.size):
        found = state.assess(spectrum)
        rows.append([*found.values, found.applicability.t2, found.applicability.q])
    return np.array(rows)


def _check(state: TransferState, expected: Array) -> None:
    found = _expected(state)
    if found.shape != expected.shape or not np.all(np.isfinite(found)):
        raise ValueError("it does not predict what its header names")
    if np.any(np.abs(found - expected) > _TOLERANCE * (1e-3 + np.abs(expected))):
        raise ValueError("it predicts otherwise than when it was made")
