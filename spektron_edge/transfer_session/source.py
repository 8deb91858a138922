"""The source of a transfer: a bundle's calibration spectra, their sample ids and references."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle import Bundle, BundleError, read_bundle
from spektron_edge.bundle.device_key import load_device_key
from spektron_edge.bundle.manifest import Product
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.spectra import open_spectra
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.prediction.product import current_slot, product_of, terms_of

from .distances import nearest

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Source:
    """Calibration spectra x (N, S) absorbance on axis (S,) nm, references y (N, m).

    samples: (N,) ids; properties: m pairs of name and unit, in the order of y's columns.
    """

    bundle: str
    product: str
    properties: tuple[tuple[str, str], ...]
    samples: tuple[str, ...]
    x: Array
    axis: Array
    y: Array

    @cached_property
    def spacing(self) -> float:
        """Median root mean square distance, in absorbance, of a spectrum to the nearest other."""
        return float(np.sqrt(np.median(nearest(self.x)) / self.x.shape[1]))

    def row(self, sample: str) -> int:
        """Row of a sample, the first where it was measured several times.

        Raises Fault(TRANSFER_INPUT) for one that the source does not know.
        """
        try:
            return self.samples.index(sample)
        except ValueError:
            known = ", ".join(self.samples[:8]) + (", ..." if len(self.samples) > 8 else "")
            raise Fault(
                Faults.TRANSFER_INPUT,
                f"sample {sample!r} is not among the {len(self.samples)} of {self.bundle} "
                f"({known}); one that the source does not know is added as new (`--new`)",
            ) from None


def open_source(config: Config, serial: str | None = None) -> Source:
    """The source set of the configured bundle and product; `serial` of the instrument, if known.

    Raises Fault(TRANSFER_IMPOSSIBLE), saying what cannot be done, where the spectra are left out
    or for another device, and a bundle's own faults.
    """
    bundle = configured_bundle(config)
    try:
        terms_of(config, serial).admit(bundle)
        product = bundle.manifest.product(product_of(config, bundle.manifest))
    except BundleError as error:
        raise error.fault from None
    except KeyError as error:
        raise Fault(Faults.BUNDLE_INVALID, str(error.args[0])) from None
    return source_of(bundle, product, config.state_dir)


def configured_bundle(config: Config) -> Bundle:
    """The file, or the active slot's bundle. Raises Fault(BUNDLE_INVALID)."""
    path = config.bundle_path
    if config.uses_slots:
        store = SlotStore(config.state_dir)
        path = store.path(current_slot(store.read(), store.folder))
    try:
        return read_bundle(path)
    except BundleError as error:
        raise error.fault from None


def source_of(bundle: Bundle, product: Product, state_dir: Path) -> Source:
    """The product's source set; state_dir: where this device's key is.

    Raises Fault(TRANSFER_IMPOSSIBLE, KEY_UNUSABLE).
    """
    key = load_device_key(state_dir) if product.source_spectra == "encrypted" else None
    try:
        arrays = open_spectra(bundle, product, key)
        x, y = (np.asarray(arrays[name], np.float64) for name in ("x", "y"))
        samples = tuple(str(sample) for sample in arrays["samples"].tolist())
    except BundleError as error:
        raise Fault(Faults.TRANSFER_IMPOSSIBLE, str(error)) from None
    except (KeyError, TypeError, ValueError) as error:
        detail = f"the calibration spectra of {bundle.id} are damaged: {error}"
        raise Fault(Faults.TRANSFER_IMPOSSIBLE, detail) from None
    axis = product.grid.axis()
    properties = tuple((p.name, p.unit) for p in product.properties)
    if x.shape != (len(samples), axis.size) or y.shape != (len(samples), len(properties)):
        detail = f"the calibration spectra of {bundle.id} do not fit grid, samples and properties"
        raise Fault(Faults.TRANSFER_IMPOSSIBLE, detail)
    return Source(bundle.id, product.name, properties, samples, x, axis, y)
