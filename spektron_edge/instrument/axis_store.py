"""The instrument's wavelength axis kept on disk: what comes from files has to be on it, too."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.files.durable import write_durably

Array = NDArray[np.float64]
_FILE = "axis.npz"


def save_axis(folder: Path, serial: str, axis_nm: Array) -> None:
    """axis_nm: (P,) nm of the instrument that is connected. Raises OSError."""
    known = load_axis(folder, serial)
    if known is not None and np.array_equal(known, axis_nm):
        return
    stream = io.BytesIO()
    np.savez(stream, serial=np.array(serial), axis_nm=axis_nm)
    write_durably(folder / _FILE, stream.getvalue())


def load_axis(folder: Path, serial: str) -> Array | None:
    """(P,) nm, or None where another instrument, or none, was connected last."""
    try:
        with np.load(folder / _FILE, allow_pickle=False) as data:
            axis = np.asarray(data["axis_nm"], np.float64)
            return axis if str(data["serial"]) == serial else None
    except Exception:  # noqa: BLE001  numpy raises a dozen unrelated types for a damaged file
        return None
