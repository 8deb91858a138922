"""numpy's files from a bundle: no pickle, and no array larger than the bytes it came with."""

from __future__ import annotations

import io
import math
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .members import Caps, read_members

MAX_BYTES = 64 * 2**20
MAX_ARRAYS = 256
_SUFFIX = ".npy"


def read_npy(data: bytes) -> NDArray[Any]:
    """The array of an .npy file. Raises ValueError, or what numpy raises for a damaged one."""
    stream = io.BytesIO(data)
    _check_header(stream, len(data))
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def read_npz(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file. Raises BundleError beyond the caps, else as `read_npy`."""
    members = read_members(io.BytesIO(data), Caps(MAX_ARRAYS, MAX_BYTES, MAX_BYTES))
    return {name.removesuffix(_SUFFIX): read_npy(raw) for name, raw in members.items()}


def _check_header(stream: BinaryIO, size: int) -> None:
    """numpy makes room for what the header claims before it reads: look at the claim first."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"array format {version} is unknown")
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize > size:
        raise ValueError("it claims more numbers than it brings")
