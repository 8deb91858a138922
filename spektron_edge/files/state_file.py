"""What a device keeps of a state: a zip of `state.json` and arrays, of fixed bytes. No pickle."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from spektron_edge.bundle.arrays import read_npy
from spektron_edge.bundle.canonical import canonical
from spektron_edge.bundle.members import Caps, read_members, write_members

from .formats import newer

HeaderKind = TypeVar("HeaderKind", bound=BaseModel)
_HEADER = "state.json"


def pack(header: BaseModel, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of a file; they depend on its contents only."""
    members = {_HEADER: canonical(header.model_dump(mode="json"))}
    members |= {f"{name}.npy": npy(array) for name, array in arrays.items()}
    packed = io.BytesIO()
    write_members(packed, sorted(members.items()))
    return packed.getvalue()


def unpack(
    data: bytes, kind: type[HeaderKind], caps: Caps
) -> tuple[HeaderKind, dict[str, NDArray[Any]]]:
    """Header and arrays of a file. Raises whatever zipfile, numpy and pydantic raise."""
    members = read_members(io.BytesIO(data), caps)
    raw = members.pop(_HEADER)
    try:
        header = kind.model_validate_json(raw)
    except ValidationError:
        if why := newer(raw, kind):
            raise ValueError(why) from None
        raise
    return header, {n.removesuffix(".npy"): read_npy(member) for n, member in members.items()}


def npy(array: NDArray[Any]) -> bytes:
    """An array as numpy's own file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array, order="C"), allow_pickle=False)
    return stream.getvalue()


def identify(data: bytes) -> str:
    """The id of a state: twelve digits of its file's SHA-256."""
    return hashlib.sha256(data).hexdigest()[:12]
