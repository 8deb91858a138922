"""The straight path of one scan: counts, absorbance, grid, inference, applicability."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spektron_edge.adaptation.candidate import Adapted
from spektron_edge.adaptation.seen import Seen
from spektron_edge.bundle import BundleError
from spektron_edge.bundle.rules import check_serial
from spektron_edge.clock import Stamp
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import BackendError, Model
from spektron_edge.spectra.acquisition import (
    Ages,
    References,
    absorbance,
    check_references,
    check_scan,
)
from spektron_edge.spectra.resampling import Resampler
from spektron_edge.spectra.scan import Scan
from spektron_edge.transfer import TransferError
from spektron_edge.transfer_state import TransferState

from .diagnostics import Applicability


@dataclass(frozen=True)
class Shadow:
    """What an adaptation would have come to: values (n_properties,), None where there is no number
    for each; reasons: why the result would be invalid."""

    values: NDArray[np.float64] | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What a scan came to.

    values: (n_properties,) in the order of the product's properties, NaN for one that a transfer
    does not hold for, or None when the scan could not be evaluated; reasons: why the result is
    invalid; fault: what prevented the evaluation; half_width: (n_properties,) of the values' 90 %
    intervals, where a transfer knows them; absorbance, variance: (P,) on the instrument's own
    axis, as far as it got and is known; shadow: of an adaptation that is only looked at; seen: what
    the model was given, unless a transfer takes its place.
    """

    values: NDArray[np.float64] | None
    applicability: Applicability | None
    reasons: tuple[str, ...]
    fault: Fault | None
    half_width: NDArray[np.float64] | None = None
    absorbance: NDArray[np.float64] | None = None
    shadow: Shadow | None = None
    seen: Seen | None = None
    variance: NDArray[np.float64] | None = None

    @property
    def valid(self) -> bool:
        """Whether the result may be used."""
        return not self.reasons


def evaluate(
    scan: Scan,
    references: References | None,
    resampler: Resampler | Fault,
    model: Model,
    ages: Ages,
    now: Stamp,
    transfer: TransferState | Fault | None = None,
    adapted: Adapted | Fault | None = None,
    refused: Fault | None = None,
) -> Outcome:
    """Evaluate one scan. Never raises for a bad scan: the outcome says what was wrong with it.

    resampler: for the scan's axis and the model's grid, or the fault that there is none; transfer:
    what takes the model's place on this instrument, or the fault that it cannot; adapted: what
    the instrument's spectra are corrected with, and the model's theta, or the fault that it cannot
    be had. A transfer leaves no place for it. refused: why neither model nor transfer may be used.
    """
    absorbed = variance = None
    try:
        check_serial(model.devices, scan.serial)
        check_scan(scan)
        usable = check_references(references, ages, now, scan.temperature_c)
        spectrum = absorbance(scan, usable)
        absorbed, variance = spectrum.absorbance, spectrum.variance
        if refused is not None:
            raise refused
        if transfer is not None:
            return replace(_transferred(absorbed, transfer), variance=variance)
        if isinstance(adapted, Fault):
            raise adapted
        if isinstance(resampler, Fault):
            raise resampler
        values, applicability, seen = _predicted(resampler.apply(absorbed), model, adapted)
    except Fault as fault:
        return failed(fault, absorbed, variance)
    except BundleError as error:
        return failed(error.fault, absorbed, variance)
    except BackendError as error:
        return failed(Fault(Faults.BUNDLE_INVALID, str(error)), absorbed, variance)
    if not np.all(np.isfinite(values)):
        told = f"no number for scan {scan.number} from the model"
        return failed(Fault(Faults.NOT_FINITE, told), absorbed, variance)
    reasons = applicability.reasons
    return Outcome(
        values, applicability, reasons, None, absorbance=absorbed, seen=seen, variance=variance
    )


def in_shadow(
    absorbance: NDArray[np.float64], resampler: Resampler, model: Model, adapted: Adapted
) -> Shadow:
    """What an adaptation would make of a spectrum, (P,) on the instrument's axis.

    Raises BackendError, and what numpy raises for an adaptation of another form.
    """
    values, applicability, _ = _predicted(resampler.apply(absorbance), model, adapted)
    if not np.all(np.isfinite(values)):
        return Shadow(None, (Faults.NOT_FINITE.value.code,))
    return Shadow(values, applicability.reasons)


def _predicted(
    on_grid: NDArray[np.float64], model: Model, adapted: Adapted | None
) -> tuple[NDArray[np.float64], Applicability, Seen]:
    """Values (n_properties,), and applicability of what the model saw. Raises BackendError."""
    corrected, theta = on_grid, None
    if adapted is not None:
        corrected, theta = adapted.correction.apply(on_grid[None])[0], adapted.theta
    output = model.infer(corrected, theta)
    values = np.array([output.y[0, p.column] for p in model.product.properties], np.float64)
    seen = Seen(on_grid, corrected, output.z_chem[0], output.z_inst[0])
    return values, model.applicability.assess(corrected), seen


def _transferred(absorbed: NDArray[np.float64], transfer: TransferState | Fault) -> Outcome:
    if isinstance(transfer, Fault):
        raise transfer
    try:
        found = transfer.predict(absorbed)
    except TransferError as error:
        raise Fault(Faults.NOT_FINITE, str(error)) from None
    reasons = found.applicability.reasons
    return Outcome(found.values, found.applicability, reasons, None, found.half_width, absorbed)


def failed(
    fault: Fault,
    absorbed: NDArray[np.float64] | None = None,
    variance: NDArray[np.float64] | None = None,
) -> Outcome:
    """What comes of a scan that cannot be evaluated; absorbed: (P,) absorbance, if known."""
    return Outcome(None, None, (fault.code,), fault, absorbance=absorbed, variance=variance)
