"""What a bundle must show on this machine before it may become active."""

from __future__ import annotations

import numpy as np

from spektron_edge.inference import BackendError, Model, load_model

from .archive import Bundle
from .errors import BundleError
from .manifest import Precision

# The limits let 99 % of calibration spectra pass; noise and few spectra move that a little.
_MIN_INSIDE = 0.9


def self_test(bundle: Bundle, product: str | None, precision: Precision | None) -> tuple[str, ...]:
    """Load and run what the daemon would use; what was tried, in words for the operator.

    Raises BundleError when the golden vectors differ, or the calibration spectra give no numbers
    or lie outside their own domain.
    """
    model = load_model(bundle, product, precision)
    return (
        f"golden vectors of {model.product.name} hold ({model.graph.precision})",
        _calibration_spectra(bundle, model),
        "spectra measured here are not kept, so none were tried",
    )


def _calibration_spectra(bundle: Bundle, model: Model) -> str:
    arrays = bundle.arrays(model.product.source)
    if "x" not in arrays:
        return "calibration spectra are not in the bundle, so none were tried"
    x = arrays["x"]
    if x.ndim != 2 or x.shape[1] != model.product.grid.points or x.dtype.kind != "f" or not len(x):
        raise BundleError(f"{model.product.source}: calibration spectra are not on the grid")
    try:
        y = model.infer(x).y
    except BackendError as error:
        raise BundleError(f"{model.graph.file}: {error}") from None
    if not np.all(np.isfinite(y)):
        raise BundleError(f"{model.graph.file}: no number for some calibration spectrum")
    inside = sum(not model.applicability.assess(spectrum).reasons for spectrum in x)
    if inside < _MIN_INSIDE * len(x):
        raise BundleError(
            f"only {inside} of {len(x)} calibration spectra lie inside the bundle's own domain"
        )
    return f"{len(x)} calibration spectra give numbers, {inside} inside the domain"
