"""The spectra that an adaptation was made from: numpy's file of float32, named by its SHA-256.

They are kept so that an adaptation can be made again, bit by bit.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spektron_edge.adaptation.candidate import Batch
from spektron_edge.bundle.arrays import read_npy
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_file import npy

from .header import Header

MOST_BYTES = 32 * 2**20


def as_kept(batch: Batch) -> Batch:
    """The batch with spectra (n, L) rounded to float32: what has to be adapted to."""
    return replace(batch, spectra=batch.spectra.astype(np.float32).astype(np.float64))


def encode_batch(batch: Batch) -> bytes:
    """The bytes of its file. Raises ValueError for numbers that it would change, or too many."""
    spectra = batch.spectra.astype(np.float32)
    if not np.array_equal(spectra, batch.spectra):
        raise ValueError("the batch holds numbers that are not finite float32: round it first")
    data = npy(spectra)
    if len(data) > MOST_BYTES:
        raise ValueError(f"the batch is larger than {MOST_BYTES} bytes")
    return data


def digest(batch: Batch) -> str:
    """SHA-256 of its file. Raises ValueError as `encode_batch`."""
    return hashlib.sha256(encode_batch(batch)).hexdigest()


def decode_batch(data: bytes, header: Header) -> Batch:
    """The batch of an adaptation. Raises Fault(ADAPTATION_UNUSABLE) where it is another one."""
    try:
        if hashlib.sha256(data).hexdigest() != header.batch:
            raise ValueError("it is not the one that the adaptation was made from")
        spectra: NDArray[np.float64] = read_npy(data).astype(np.float64)
        if spectra.ndim != 2 or len(spectra) != len(header.scans):
            raise ValueError(f"it does not hold {len(header.scans)} spectra")
    except Exception as error:  # noqa: BLE001  numpy raises a dozen unrelated types
        detail = f"the batch cannot be used ({error})"
        raise Fault(Faults.ADAPTATION_UNUSABLE, detail) from None
    return Batch(spectra, header.scans)
