"""Dark and white reference kept on disk, so that a restart need not measure them again."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from spektron_edge.clock import Stamp
from spektron_edge.spectra.acquisition import References

_FILE = "references.npz"


def save_references(folder: Path, references: References) -> None:
    """Write durably: a power cut leaves the old file or the new one. Raises OSError."""
    partial = folder / (_FILE + ".partial")
    known = {
        "dark_variance": references.dark_variance,
        "white_variance": references.white_variance,
    }
    variances: dict[str, Any] = {name: v for name, v in known.items() if v is not None}
    with partial.open("wb") as stream:
        np.savez(
            stream,
            dark=references.dark,
            white=references.white,
            taken=np.array(
                [
                    [references.dark_taken.utc_s, references.dark_taken.running_s],
                    [references.white_taken.utc_s, references.white_taken.running_s],
                ]
            ),
            boot=np.array(references.dark_taken.boot),
            serial=np.array(references.serial),
            numbers=np.array([references.boot_id, references.integration_us], np.int64),
            white_temperature_c=np.array(references.white_temperature_c),
            levels=np.array([references.dark_level, references.white_level]),
            exposures=np.array(references.exposures),
            **variances,
        )
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(folder / _FILE)


def discard_references(folder: Path) -> None:
    """Forget what was saved; where that fails it stays."""
    with suppress(OSError):
        (folder / _FILE).unlink(missing_ok=True)


def load_references(folder: Path) -> References | None:
    """What was saved, or None when there is nothing usable: references are measured again then."""
    try:
        with np.load(folder / _FILE, allow_pickle=False) as data:
            taken, boot = data["taken"], str(data["boot"])
            return References(
                dark=data["dark"],
                white=data["white"],
                dark_taken=Stamp(float(taken[0, 0]), float(taken[0, 1]), boot),
                white_taken=Stamp(float(taken[1, 0]), float(taken[1, 1]), boot),
                serial=str(data["serial"]),
                boot_id=int(data["numbers"][0]),
                integration_us=int(data["numbers"][1]),
                # Files from before these were kept are as good without.
                white_temperature_c=float(data["white_temperature_c"])
                if "white_temperature_c" in data
                else math.nan,
                dark_variance=data.get("dark_variance"),
                white_variance=data.get("white_variance"),
                dark_level=float(data["levels"][0]) if "levels" in data else math.nan,
                white_level=float(data["levels"][1]) if "levels" in data else math.nan,
                exposures=int(data["exposures"]) if "exposures" in data else 1,
            )
    except Exception:  # noqa: BLE001  numpy raises a dozen unrelated types for a damaged file
        return None
