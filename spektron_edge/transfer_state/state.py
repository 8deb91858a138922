"""A transfer in use: the half before the prediction, the half after it, and where it holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from spektron_edge import __version__
from spektron_edge.bundle.manifest import Product
from spektron_edge.prediction.diagnostics import Applicability, ApplicabilityModel
from spektron_edge.spectra.resampling import same_axis
from spektron_edge.transfer import Transfer, TransferError
from spektron_edge.transfer.compact import Compact
from spektron_edge.transfer.quantity import convert

from .header import Expectation, Header

Array = NDArray[np.float64]


@dataclass(frozen=True)
class About:
    """What a fitted transfer does not know of itself. properties: name and unit of each."""

    bundle: str
    product: str
    serial: str
    by: str
    created: datetime
    samples: tuple[str, ...]
    properties: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Transferred:
    """Of one spectrum: values (m,), and half_width (m,) of their 90 % intervals."""

    values: Array
    half_width: Array
    applicability: Applicability


@dataclass(frozen=True, eq=False)
class TransferState:
    """Predicts from spectra as the target instrument measures them.

    Before: axis_nm (P,) and matrix (P, L) bring a spectrum, after its quantity was converted, to
    the channels that source and target share. After: `predictor` reads the properties there, and
    `domain` says whether the spectrum belongs to the calibration.
    """

    header: Header
    axis_nm: Array
    matrix: Array
    predictor: Compact
    domain: ApplicabilityModel

    def misfit(self, bundle: str, product: Product, axis_nm: Array) -> str:
        """What it was made for and is not in use now, axis_nm (P,) included; empty if it fits."""
        header = self.header
        if why := header.made_for_another(bundle, product.name):
            return str(why)
        if [p.name for p in header.properties] != [p.name for p in product.properties]:
            return "it predicts other properties than the product"
        if not same_axis(axis_nm, self.axis_nm):
            return "the instrument's wavelength axis is not the one that it was made on"
        return ""

    def assess(self, absorbance: Array) -> Transferred:
        """(P,) on the instrument's axis -> what every property reads, validated or not.

        Raises TransferError where the spectrum cannot be converted or gives no number.
        """
        spectrum = convert(absorbance[None], self.header.quantity) @ self.matrix
        values = self.predictor.predict(spectrum)[0]
        if not np.all(np.isfinite(values)):
            raise TransferError("the transfer gave no number for this spectrum; measure again")
        half_width = np.array([p.half_width for p in self.header.properties])
        return Transferred(values, half_width, self.domain.assess(spectrum[0]))

    def predict(self, absorbance: Array) -> Transferred:
        """The same with NaN for properties that did not validate. Raises TransferError."""
        found = self.assess(absorbance)
        valid = np.array([p.valid for p in self.header.properties])
        return replace(found, values=np.where(valid, found.values, np.nan))


def state_of(transfer: Transfer, about: About) -> TransferState:
    """What a device keeps of a fitted transfer. Raises ValueError for other properties than its."""
    expected = transfer.expected
    if len(about.properties) != len(transfer.method):
        raise ValueError(f"{len(transfer.method)} properties were fitted, not those of the product")
    properties = tuple(
        Expectation(
            name=name,
            unit=unit,
            valid=bool(transfer.valid_properties[j]),
            method=transfer.method[j],
            rmsep=float(expected.rmsep[j]),
            rmsep_low=float(expected.low[j]),
            rmsep_high=float(expected.high[j]),
            half_width=float(expected.half_width[j]),
        )
        for j, (name, unit) in enumerate(about.properties)
    )
    header = Header(
        bundle=about.bundle,
        product=about.product,
        serial=about.serial,
        by=about.by,
        created=about.created,
        software=__version__,
        samples=about.samples,
        pairs=transfer.report["pairs"],
        labelled=transfer.report["labelled"],
        unpaired=transfer.report["unpaired"],
        quantity=transfer.conversion,
        interval_basis=expected.basis,
        properties=properties,
    )
    predictor = Compact.of(transfer.predictor, transfer.overlap.channels.size)
    return TransferState(
        header, transfer.target_axis, transfer.overlap.matrix, predictor, transfer.domain
    )
