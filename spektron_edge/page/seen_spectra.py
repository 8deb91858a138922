"""Spectra that this process has seen, made ready for export."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge import __version__
from spektron_edge.spectra.jcamp_dx import Spectrum

from .errors import Refused, absent

Array = NDArray[np.float64]
_UNITS = {"absorbance": "ABSORBANCE", "counts": "ARBITRARY UNITS"}


def numbers(text: object, kind: str) -> Array | None:
    """Base64 of little-endian numbers (`<f4`, `<f8`) as the door sends them; None for what is
    none."""
    if not isinstance(text, str):
        return None
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), kind).astype(np.float64)
    except (binascii.Error, ValueError):
        return None


def quantity_of(seen: Mapping[str, Any]) -> str:
    """What of it is exported: absorbance, where there were dark and white, else counts."""
    return "absorbance" if isinstance(seen.get("absorbance"), str) else "counts"


def spectrum_of(seen: Mapping[str, Any], axis: Mapping[str, Any] | None) -> Spectrum:
    """axis: the last one that the daemon has told. Raises Refused(404, 409)."""
    hello = seen.get("instrument") or {}
    if axis is None or axis.get("id") != seen.get("axis"):
        told = "the wavelengths of this spectrum are not known any more"
        raise Refused(409, "axis_unknown", told, "export spectra before the instrument is changed")
    x_nm, quantity = numbers(axis.get("values"), "<f8"), quantity_of(seen)
    values = numbers(seen.get(quantity), "<f4")
    if (
        x_nm is None
        or values is None
        or x_nm.shape != values.shape
        or not np.isfinite(values).any()
    ):
        raise absent("this spectrum has no numbers")
    site, instrument = str(hello.get("site", "")), str(hello.get("instrument", ""))
    more = {"SPEKTRON RECORD": str(seen["record"]), "SPEKTRON UTC": str(seen.get("utc", ""))}
    for label, name in (("SCAN", "scan"), ("BOOT ID", "boot_id"), ("AXIS", "axis")):
        more[f"SPEKTRON {label}"] = str(seen.get(name, ""))
    for label, name in (("SATURATED", "saturated"), ("BAD PIXELS", "bad_pixels")):
        more[f"SPEKTRON {label}"] = " ".join(map(str, seen.get(name) or ())) or "none"
    return Spectrum(
        title=f"{site}/{instrument} scan {seen.get('scan', '')}",
        origin=f"{site}/{instrument}",
        owner=site,
        instrument=f"{seen.get('serial', '')}, Spektron Edge {__version__}",
        taken=_time(seen.get("utc")),
        x_nm=x_nm,
        values=values,
        y_units=_UNITS[quantity],
        more=more,
    )


def _time(utc: object) -> datetime:
    try:
        return datetime.fromisoformat(str(utc).replace("Z", "+00:00"))
    except ValueError:
        raise absent("this spectrum has no time") from None
