"""A calibration of two bands, transferred: what tests of a device's transfers start from."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np

from spektron_edge.transfer_state import About, state_of

MADE = datetime(2026, 11, 22, tzinfo=timezone.utc)


def spectra(axis, concentrations):
    """Two bands and a sloping baseline: (k, L)."""
    bands = np.exp(-0.5 * ((axis - np.array([[1500.0], [1900.0]])) / 60) ** 2)
    return 0.3 + 1e-4 * (axis - 1200) + concentrations @ bands


def state_for(transfer, model, serial="VIRT-0001", **changes):
    known = {
        "bundle": model.bundle_id,
        "product": model.product.name,
        "properties": tuple((p.name, p.unit) for p in model.product.properties),
        **changes,
    }
    about = About(serial=serial, by="anna", created=MADE, samples=tuple("12345678"), **known)
    return state_of(transfer, about)
