"""What the calibration was made from: the mean spectrum an instrument's own is compared with, and
the range of each property."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.config.file import Config
from spektron_edge.faults import Fault
from spektron_edge.prediction.product import product_of
from spektron_edge.transfer_session.source import Source, configured_bundle, open_source

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """values: mean absorbance at each wavelength, None outside the calibration's; of: whose."""

    values: tuple[float | None, ...]
    of: str


class Sources:
    """The source of the bundle in use, opened once as long as bundle and product are the same."""

    def __init__(self) -> None:
        self._known: tuple[object, Source | Fault] | None = None
        self._ranges: tuple[object, dict[str, tuple[float, float]]] | None = None

    def source(self, config: Config) -> Source:
        """Raises Fault(TRANSFER_IMPOSSIBLE) where the bundle has no spectra. Blocks."""
        key = _identity(config)
        if self._known is None or self._known[0] != key:
            try:
                self._known = key, open_source(config)
            except Fault as fault:
                self._known = key, fault
        found = self._known[1]
        if isinstance(found, Fault):
            raise found
        return found

    def mean_on(self, config: Config, axis_nm: Array) -> Mean | None:
        """At wavelengths (P,) in nm; None where the bundle has no spectra. Blocks."""
        try:
            source = self.source(config)
        except Fault:
            return None
        mean = source.x.mean(axis=0)
        values = np.interp(axis_nm, source.axis, mean, left=np.nan, right=np.nan)
        told = tuple(float(value) if np.isfinite(value) else None for value in values)
        return Mean(told, f"{len(source.samples)} calibration spectra of {source.bundle}")

    def range_of(self, config: Config, name: str) -> tuple[float, float] | None:
        """Least and most of a property in the calibration; None where the bundle in use does not
        predict it, or cannot be read. Blocks."""
        key = _identity(config)
        if self._ranges is None or self._ranges[0] != key:
            self._ranges = key, _ranges(config)
        return self._ranges[1].get(name)


def _ranges(config: Config) -> dict[str, tuple[float, float]]:
    try:
        manifest = configured_bundle(config).manifest
        product = manifest.product(product_of(config, manifest))
    except (Fault, KeyError):
        return {}
    return {p.name: (p.calibrated_min, p.calibrated_max) for p in product.properties}


def _identity(config: Config) -> object:
    """Another one where the bundle may be another."""
    files = (config.bundle_path, config.state_dir / "bundles" / "slots.json", _choices(config))
    return config.bundle, config.product, tuple(_stamp(path) for path in files)


def _choices(config: Config) -> Path:
    return config.state_dir / "choices" / "choices.json"


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
