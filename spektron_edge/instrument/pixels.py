"""What of a detector reaches the spectra: which pixels, at which wavelengths, corrected how."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.instrument import Identity
from spektron_edge.config.instrument import Acquisition
from spektron_edge.detector.axis import from_coefficients, from_table
from spektron_edge.detector.bad_pixels import BadPixels, Mask, configured, hot
from spektron_edge.detector.dark_level import masked
from spektron_edge.detector.detector import Detector, Seen, found
from spektron_edge.detector.linearity import Linearity
from spektron_edge.inbox import Told
from spektron_edge.spectra.acquisition import References

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pixels:
    """masked: of the detector's pixels, those behind a mask; the others are channels. axis_nm: (P,)
    of the channels; configured: (P,) which of them the configuration calls bad; said: what differs
    from the instrument's own account of itself."""

    masked: Mask
    axis_nm: Array
    configured: Mask
    full_scale: int
    linearity: Linearity
    find: bool
    said: tuple[Told, ...]

    @classmethod
    def of(cls, info: Identity, settings: Acquisition) -> Pixels:
        """Raises Fault(AXIS_INVALID, BAD_PIXELS, NONLINEARITY_UNUSABLE)."""
        said = []
        axis, mask = info.axis_nm, masked(info.pixels, info.dark_pixels)
        if settings.axis_file is not None:
            axis, source = from_table(settings.axis_file, info.pixels), str(settings.axis_file)
        elif settings.wavelength_nm is not None:
            axis = from_coefficients(settings.wavelength_nm, info.pixels)
            source = "`acquisition.wavelength_nm`"
        if axis is not info.axis_nm:
            told = f"{axis[0]:.2f} to {axis[-1]:.2f} nm by {source}; by the instrument "
            told += f"{info.axis_nm[0]:.2f} to {info.axis_nm[-1]:.2f} nm"
            said.append(Told("axis_replaced", told))
        chosen = settings.nonlinearity
        coefficients = info.nonlinearity if chosen == "instrument" else chosen
        linearity = Linearity()
        if coefficients != "none" and coefficients:
            linearity = Linearity.checked([float(c) for c in coefficients], info.full_scale)
            told = ", ".join(f"{c:g}" for c in linearity.coefficients)
            said.append(Told("nonlinearity_corrected", f"by the polynomial {told}"))
        bad = configured(settings.bad_pixels, settings.bad_ranges_nm, axis)[~mask]
        return cls(
            mask,
            axis[~mask],
            bad,
            info.full_scale,
            linearity,
            settings.find_bad_pixels,
            tuple(said),
        )

    def hot(self, dark: Array) -> Mask:
        """(P,) pixels that a dark shows to be bad, or that the configuration calls so."""
        if not self.find:
            return self.configured
        return self.configured | hot(dark, self.configured, self.full_scale)

    def judged(self, references: References) -> References:
        """With what is known of the detector now. Raises Fault(BAD_PIXELS)."""
        reasons = {"configured": self.configured}
        if self.find:
            seen = Seen(
                references.dark,
                references.white,
                references.dark_variance,
                references.white_variance,
                references.exposures,
            )
            reasons = found(seen, self.configured, self.full_scale)
        bad = BadPixels.of(self.axis_nm, reasons)
        return replace(references, detector=Detector(self.linearity, bad if bad.any else None))
