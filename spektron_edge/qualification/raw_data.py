"""All that was measured, as a zip of arrays and what belongs to them."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

import numpy as np

from spektron_edge.bundle.arrays import read_npy
from spektron_edge.bundle.canonical import canonical
from spektron_edge.bundle.errors import BundleError
from spektron_edge.bundle.members import Caps, checked_zip, write_members
from spektron_edge.files.state_file import npy

from .book import Calibration
from .items import Strict
from .measuring import Taken
from .results import Measured

_CAPS = Caps(members=20_000, member_bytes=2**28, total_bytes=2**30)


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[0-9]{2,5}/[a-z_]{1,32}\.(json|npy)", name) is not None


class _Measurement(Strict):
    """What is known of one measurement beside its numbers. properties: of the rows of its values,
    absent in files of the first version, of which the order is known where there is one."""

    key: str
    serial: str
    calibration: Calibration
    units: dict[str, str]
    properties: tuple[str, ...] = ()
    invalid: tuple[str, ...]
    records: tuple[str, ...]


def packed(taken: Taken) -> bytes | None:
    """As a file; None where nothing was measured. Its bytes depend on its contents only."""
    measured = {key: m for key, m in taken.items() if isinstance(m, Measured)}
    if not measured:
        return None
    entries: list[tuple[str, bytes]] = []
    for i, (key, m) in enumerate(measured.items(), start=1):
        about = _Measurement(
            key=key,
            serial=m.serial,
            calibration=m.calibration,
            units=m.units,
            properties=tuple(m.values),
            invalid=m.invalid,
            records=m.records,
        )
        entries.append((f"{i:02d}/about.json", canonical(about.model_dump(mode="json"))))
        arrays = {"absorbance": m.absorbance, "axis_nm": m.axis_nm, "at_s": m.at_s}
        arrays["values"] = np.array(list(m.values.values()))
        entries += [(f"{i:02d}/{name}.npy", npy(array)) for name, array in arrays.items()]
    stream = io.BytesIO()
    write_members(stream, entries)
    return stream.getvalue()


def unpacked(data: bytes) -> dict[str, Measured]:
    """By key. Raises ValueError for what is no such file."""
    try:
        with checked_zip(io.BytesIO(data), _CAPS, _is_name) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        folders = sorted({name.partition("/")[0] for name in members})
        found = [_measurement(members, folder) for folder in folders]
    except (BundleError, zipfile.BadZipFile, KeyError, EOFError, zlib.error) as error:
        raise ValueError(f"raw data cannot be read: {error}") from None
    return dict(found)


def _measurement(members: dict[str, bytes], folder: str) -> tuple[str, Measured]:
    about = _Measurement.model_validate_json(members[f"{folder}/about.json"])
    properties = about.properties or tuple(about.units)
    if not about.properties and len(about.units) > 1:
        raise ValueError("raw data of the first version does not say which values are whose")
    absorbance, axis_nm, at_s, values = (
        np.asarray(read_npy(members[f"{folder}/{name}.npy"]), np.float64)
        for name in ("absorbance", "axis_nm", "at_s", "values")
    )
    if values.shape[0] != len(properties) or absorbance.shape != (at_s.size, axis_nm.size):
        raise ValueError("raw data has arrays that do not fit together")
    return about.key, Measured(
        serial=about.serial,
        axis_nm=axis_nm,
        absorbance=absorbance,
        at_s=at_s,
        values=dict(zip(properties, values, strict=True)),
        units={name: about.units[name] for name in properties},
        invalid=about.invalid,
        calibration=about.calibration,
        records=about.records,
    )
