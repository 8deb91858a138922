"""What settings do to counts: the shutter, and averages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.conformance.requirement import Requirement, requires
from firmware_bridge.conformance.subject import Broken, Subject, Undecided
from firmware_bridge.protocol import Capability, Position, Scan

LIGHT: list[Requirement] = []
_LONGEST_S = 1.0
# Of full scale: less light than this tells nothing of a shutter.
_LIT = 0.25
_DARKER = 0.8
_AVERAGES = 16
_SCANS = 8
# So many differences tell a variance from one that is half of it.
_LEAST_DIFFERENCES = 400


@requires(
    LIGHT, "scan.dark-counts", "what the detector looked at (Position)", needs=Capability.SHUTTER
)
def _dark_counts(subject: Subject) -> None:
    info = subject.info
    able = Capability(info.capabilities)
    lamp = int(Capability.LAMP in able)
    lit = Position.REFERENCE if Capability.REFERENCE in able else Position.SAMPLE
    integration_us = max(info.min_integration_us, 1000)
    while True:
        light = _one(subject, integration_us, lamp, lit)
        pixels = light.counts >= _LIT * info.full_scale
        if pixels.any():
            break
        integration_us *= 4
        if integration_us > min(info.max_integration_us, _LONGEST_S * 1e6):
            raise Undecided("too little light to tell a shutter by")
    dark = _one(subject, integration_us, lamp, Position.DARK)
    if dark.counts[pixels].mean() > _DARKER * light.counts[pixels].mean():
        raise Broken(
            f"less than {_DARKER:.0%} of the light behind the shutter, {integration_us} us",
            f"{dark.counts[pixels].mean():.0f} of {light.counts[pixels].mean():.0f} counts",
        )


@requires(LIGHT, "scan.averages", "exposures averaged into one scan, 1 or more")
def _averages(subject: Subject) -> None:
    info = subject.info
    able = Capability(info.capabilities)
    averages = min(_AVERAGES, info.max_averages)
    if averages < _AVERAGES:
        raise Undecided(f"it averages {info.max_averages} exposures at most")
    if info.pixels * (_SCANS - 1) < _LEAST_DIFFERENCES:
        raise Undecided("too few pixels to tell noise by")
    # Samples may pass by, and differ.
    if Capability.SHUTTER in able:
        position = Position.DARK
    elif Capability.REFERENCE in able:
        position = Position.REFERENCE
    else:
        raise Undecided("no shutter and no white reference: samples may differ by themselves")
    single = _noise(subject, position, 1)
    if single < 1.0:
        raise Undecided("no noise above the step of its counts")
    averaged = _noise(subject, position, averages)
    if averaged > single / 2:
        raise Broken(
            f"less than half of the variance {single:.3g} in scans of {averages} averages",
            f"{averaged:.3g} counts squared",
        )


def _noise(subject: Subject, position: Position, averages: int) -> float:
    """Variance of a pixel's counts from scan to scan: the median pixel's, so no odd one counts."""
    settings = subject.settings(averages=averages, position=position)
    scans = [m for _, m in subject.stream(settings, _SCANS) if isinstance(m, Scan)]
    counts = np.array([scan.counts for scan in scans], np.float64)
    steps: NDArray[np.float64] = np.diff(counts, axis=0)
    return float(np.median((steps**2).mean(axis=0) / 2))


def _one(subject: Subject, integration_us: int, lamp: int, position: Position) -> Scan:
    wish = subject.settings(integration_us, lamp=lamp, position=position)
    (scan,) = (m for _, m in subject.stream(wish, 1) if isinstance(m, Scan))
    return scan
