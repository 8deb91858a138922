"""The straight path of one scan: counts, absorbance, grid, inference, applicability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .acquisition import Ages, References, absorbance, check_references, check_scan
from .bundle import BundleError
from .bundle.rules import check_serial
from .clock import Stamp
from .diagnostics import Applicability
from .faults import Fault, Faults
from .inference import BackendError, Model
from .resampling import Resampler
from .scan import Scan


@dataclass(frozen=True)
class Outcome:
    """What a scan came to.

    values: (n_properties,) in the order of the product's properties, or None when the scan could
    not be evaluated; reasons: why the result is invalid; fault: what prevented the evaluation.
    """

    values: NDArray[np.float64] | None
    applicability: Applicability | None
    reasons: tuple[str, ...]
    fault: Fault | None

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
) -> Outcome:
    """Evaluate one scan. Never raises for a bad scan: the outcome says what was wrong with it.

    resampler: for the scan's axis and the model's grid, or the fault that there is none.
    """
    try:
        check_serial(model.devices, scan.serial)
        check_scan(scan)
        usable = check_references(references, ages, now)
        if isinstance(resampler, Fault):
            raise resampler
        spectrum = absorbance(scan, usable)
        on_grid = resampler.apply(spectrum.absorbance)
        output = model.infer(on_grid).y[0]
    except Fault as fault:
        return _failed(fault)
    except BundleError as error:
        return _failed(error.fault)
    except BackendError as error:
        return _failed(Fault(Faults.BUNDLE_INVALID, str(error)))
    values = np.array([output[p.column] for p in model.product.properties], np.float64)
    if not np.all(np.isfinite(values)):
        return _failed(Fault(Faults.NOT_FINITE, f"no number for scan {scan.number} from the model"))
    applicability = model.applicability.assess(on_grid)
    return Outcome(values, applicability, applicability.reasons, None)


def _failed(fault: Fault) -> Outcome:
    return Outcome(None, None, (fault.code,), fault)
