"""What the bundle in use holds: the mean spectrum of its calibration, which an instrument's own is
compared with, the range of each property, and its products."""

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
    """values: mean absorbance at each wavelength, None outside the calibration's; spectra: how
    many, of which bundle."""

    values: tuple[float | None, ...]
    spectra: int
    bundle: str


@dataclass(frozen=True)
class _Told:
    """products: names; ranges: least and most of the properties of the one that is measured."""

    products: tuple[str, ...]
    ranges: dict[str, tuple[float, float]]


class Sources:
    """The source of the bundle in use, opened once as long as bundle and product are the same."""

    def __init__(self) -> None:
        self._known: tuple[object, Source | Fault] | None = None
        self._told: tuple[object, _Told] | None = None

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
        return Mean(told, len(source.samples), source.bundle)

    def range_of(self, config: Config, name: str) -> tuple[float, float] | None:
        """Least and most of a property in the calibration; None where the bundle in use does not
        predict it, or cannot be read. Blocks."""
        return self._of_bundle(config).ranges.get(name)

    def products(self, config: Config) -> tuple[str, ...]:
        """Of the bundle in use, in its order; none where it cannot be read. Blocks."""
        return self._of_bundle(config).products

    def _of_bundle(self, config: Config) -> _Told:
        key = _identity(config)
        if self._told is None or self._told[0] != key:
            self._told = key, _told(config)
        return self._told[1]


def _told(config: Config) -> _Told:
    try:
        manifest = configured_bundle(config).manifest
    except Fault:
        return _Told((), {})
    products = tuple(product.name for product in manifest.products)
    try:
        product = manifest.product(product_of(config, manifest))
    except (Fault, KeyError):
        return _Told(products, {})
    ranges = {p.name: (p.calibrated_min, p.calibrated_max) for p in product.properties}
    return _Told(products, ranges)


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
