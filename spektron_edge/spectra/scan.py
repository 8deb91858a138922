"""A scan as the instrument reports it: counts, and the conditions they were taken under."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol import LampState, Position


@dataclass(frozen=True)
class Scan:
    """Raw counts of one exposure.

    counts: (P,) detector counts, mean of `averages` exposures; axis_nm: (P,) wavelengths in nm;
    number: the instrument's scan number since `boot_id`; integration_us: of one exposure, us;
    temperature_c: of the detector, deg C; saturated: good channels that were full; device_us:
    instrument clock since power-on, us; last_byte_at: host's time.monotonic() when the last byte
    arrived, s; variance: (P,) of the counts, counts squared, None where nobody knows it;
    dark_level: counts of pixels behind a mask, NaN without any; full: (P,) good channels
    that were full, as far as the counts show it, None where nobody looked.
    """

    counts: NDArray[np.float64]
    axis_nm: NDArray[np.float64]
    number: int
    boot_id: int
    serial: str
    integration_us: int
    averages: int
    lamp: LampState
    position: Position
    temperature_c: float
    saturated: int
    device_us: int
    last_byte_at: float
    variance: NDArray[np.float64] | None = None
    dark_level: float = math.nan
    full: NDArray[np.bool_] | None = None
