"""A spectrum as it is published: one line of JSON, then the numbers."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.config.publishing import SpectraSettings
from spektron_edge.spectra.scan import Scan

from .records import Axis, SpectrumHeader, to_json

CONTENT_TYPE = "application/vnd.spektron.spectrum"
_DTYPES = {"float32": "<f4", "float16": "<f2"}


@dataclass(frozen=True)
class SpectrumPayload:
    """payload: what is sent; user: what announces it, for those who do not read it."""

    payload: bytes
    user: tuple[tuple[str, str], ...]


def axis_id(axis_nm: NDArray[np.float64]) -> str:
    """Identifies an axis, (P,) in nm: the same for the same numbers."""
    return hashlib.sha256(axis_nm.astype("<f8").tobytes()).hexdigest()[:16]


def axis_record(site: str, instrument: str, serial: str, axis_nm: NDArray[np.float64]) -> Axis:
    """The axis of an instrument, (P,) in nm, finite."""
    return Axis(
        site=site,
        instrument=instrument,
        serial=serial,
        id=axis_id(axis_nm),
        values=tuple(float(nm) for nm in axis_nm),
    )


def spectrum_payload(
    record: str,
    scan: Scan,
    absorbance: NDArray[np.float64],
    settings: SpectraSettings,
    site: str,
    instrument: str,
    variance: NDArray[np.float64] | None = None,
) -> SpectrumPayload:
    """absorbance, variance: (P,) on the instrument's own axis; record: id of the prediction."""
    blocks = [absorbance]
    if settings.noise and variance is not None:
        # Variances of good spectra are too small for float16.
        blocks.append(np.sqrt(variance))
    header = SpectrumHeader(
        record=record,
        site=site,
        instrument=instrument,
        serial=scan.serial,
        scan=scan.number,
        boot_id=scan.boot_id,
        axis=axis_id(scan.axis_nm),
        points=absorbance.size,
        noise=len(blocks) > 1,
        dtype=settings.precision,
        compression=settings.compression,
    )
    body = np.concatenate(blocks).astype(_DTYPES[settings.precision]).tobytes()
    if settings.compression == "zlib":
        body = zlib.compress(body)
    user = (
        ("schema", header.schema_),
        ("record", record),
        ("axis", header.axis),
        ("dtype", header.dtype),
        ("compression", header.compression),
    )
    return SpectrumPayload(to_json(header) + b"\n" + body, user)
