"""The model in use, and the instrument that it serves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .acquisition import Ages
from .bundle import BundleError
from .bundle.rules import check_serial
from .bundle.slot_store import SlotStore
from .clock import Stamp
from .faults import Fault, Faults
from .inbox import Measured
from .pipeline import Outcome, evaluate
from .product import Loaded
from .resampling import Resampler
from .trial import Trial


class Serving:
    """One loaded product, its resampler for the instrument's axis, and its trial."""

    def __init__(self, store: SlotStore, loaded: Loaded, now_s: float) -> None:
        self._store = store
        self.serial: str | None = None
        self._axis_nm: NDArray[np.float64] | None = None
        self._fit: Resampler | Fault = Fault(Faults.AXIS_INVALID, "no axis is known yet")
        self.take(loaded, now_s)

    def take(self, loaded: Loaded, now_s: float) -> Fault | None:
        """Predict with another model from now on; why it does not fit the instrument, if so."""
        self.model = loaded.model
        self.trial = Trial(self._store, loaded, now_s)
        return self._refit()

    def instrument(self, serial: str, axis_nm: NDArray[np.float64]) -> Fault | None:
        """Who measures, axis_nm: (P,) in nm; why the model does not fit it, if so."""
        self.serial, self._axis_nm = serial, axis_nm
        return self._refit()

    def evaluate(self, measured: Measured, ages: Ages, now: Stamp) -> Outcome:
        """Evaluate one scan; see `pipeline.evaluate`."""
        outcome = evaluate(measured.scan, measured.references, self._fit, self.model, ages, now)
        if outcome.values is not None:
            self.trial.predicted()
        return outcome

    def _refit(self) -> Fault | None:
        if self._axis_nm is None or self.serial is None:
            return None
        try:
            check_serial(self.model.devices, self.serial)
            self._fit = Resampler.between(self._axis_nm, self.model.product.grid.axis())
        except BundleError as error:
            self._fit = error.fault
        except Fault as fault:
            self._fit = fault
        return self._fit if isinstance(self._fit, Fault) else None
