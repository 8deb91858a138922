"""numpy's files between daemon and child: whatever lies there, reading it ends in a ValueError."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle import BundleError
from spektron_edge.bundle.arrays import read_npz

_MAX_BYTES = 16 * 2**20


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Raises OSError, and ValueError for whatever is not a file of arrays."""
    with path.open("rb") as stream:
        data = stream.read(_MAX_BYTES)
    try:
        return read_npz(data)
    except BundleError as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # noqa: BLE001  numpy and zipfile raise a dozen unrelated types
        raise ValueError(f"not an array archive ({error})") from None


def npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    """The bytes of an .npz file."""
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]  # numpy takes names for options
    return packed.getvalue()
