"""The integration that suits the white standard, found with the instrument."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from firmware_bridge.protocol import Capability, LampState, Position
from spektron_edge.detector.auto_range import Found, Range, Seen, check_light, find_integration
from spektron_edge.faults import Fault, Faults
from spektron_edge.spectra.scan import Scan

from .exposures import Exposures


def range_white(
    exposures: Exposures, single: Callable[[Position, int], Scan], share: float
) -> Found:
    """The integration that brings the white to that share of full scale; that of `exposures` stays.

    single: takes a scan of so many averages, and tells that it was used up. Without a white of the
    instrument's own, a person shows one. Raises Fault(AUTO_RANGE_FAILED, LAMP_NOT_WARM), and what
    `single` raises.
    """
    info, before_us = exposures.info, exposures.integration_us
    able = Capability(info.capabilities)

    def peak(position: Position, integration_us: int) -> Seen:
        exposures.integration_us = integration_us
        scan = single(position, 1)
        if scan.lamp is not LampState.STABLE:
            raise Fault(Faults.LAMP_NOT_WARM, f"the lamp is {scan.lamp.name.lower()}")
        return Seen(float(np.max(scan.counts[~exposures.bad])), full=scan.saturated > 0)

    limits = Range(
        info.min_integration_us,
        info.max_integration_us,
        info.full_scale,
        info.integration_step_us,
    )
    white = Position.REFERENCE if Capability.REFERENCE in able else Position.SAMPLE
    try:
        found = find_integration(partial(peak, white), limits, share)
        if Capability.SHUTTER in able:
            check_light(found, peak(Position.DARK, found.integration_us), limits)
    finally:
        exposures.integration_us = before_us
    return found
