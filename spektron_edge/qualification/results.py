"""What was measured of one thing: spectra, and the predictions that came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.publishing.active_faults import QUALIFICATION

from .book import Calibration

Array = NDArray[np.float64]
Record = dict[str, Any]
# That a qualification is due does not speak against the values that it is made of.
_DUE = {kind.value.code for kind in QUALIFICATION}


@dataclass(frozen=True, eq=False)
class Measured:
    """n scans of one thing. absorbance: (n, P) on axis_nm (P,), with P 0 where only the predictions
    are known; at_s: (n,) UTC, seconds since 1970;
    values: property -> (n,), NaN where there is no valid value; units: of them; invalid: reasons of
    results that do not count; records: ids of the predictions."""

    serial: str
    axis_nm: Array
    absorbance: Array
    at_s: Array
    values: dict[str, Array]
    units: dict[str, str]
    invalid: tuple[str, ...]
    calibration: Calibration
    records: tuple[str, ...]


def calibration_of(model: Record) -> Calibration:
    """What values come from; model: of a prediction or of the model's record."""
    transfer, adaptation = model["transfer"], model["adaptation"]
    return Calibration(
        bundle=model["bundle"],
        product=model["product"],
        transfer=None if transfer is None else transfer["id"],
        adaptation=None if adaptation is None else adaptation["id"],
    )


def measured(records: Sequence[Record], absorbance: Array, axis_nm: Array, at_s: Array) -> Measured:
    """From predictions of one instrument and calibration, one or more."""
    reasons = [set(record["reasons"]) - _DUE for record in records]
    names = records[0]["values"]
    values = {
        name: np.array(
            [
                np.nan if why or (v := record["values"][name]["value"]) is None else v
                for record, why in zip(records, reasons, strict=True)
            ],
            np.float64,
        )
        for name in names
    }
    return Measured(
        serial=records[0]["serial"],
        axis_nm=axis_nm,
        absorbance=absorbance,
        at_s=at_s,
        values=values,
        units={name: names[name]["unit"] for name in names},
        invalid=tuple(sorted(set().union(*reasons))),
        calibration=calibration_of(records[0]["model"]),
        records=tuple(record["id"] for record in records),
    )
