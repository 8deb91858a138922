"""From counts to absorbance: dark, white reference, and the checks a scan must pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol import LampState
from spektron_edge.clock import Stamp, age_s
from spektron_edge.detector.dark_level import drift
from spektron_edge.detector.detector import PLAIN, Detector
from spektron_edge.detector.noise import ReferenceNoise, absorbance_variance
from spektron_edge.faults import Fault, Faults

from .scan import Scan
from .spectrum import Spectrum


@dataclass(frozen=True)
class References:
    """Dark and white reference of one instrument at one integration time.

    dark, white: (P,) counts; integration_us: of one exposure, us; white_temperature_c: of the
    detector during the white reference, deg C, NaN where nobody noted it. Taken since the same
    power-on (`boot_id`): a lamp that was off in between is another lamp. dark_variance,
    white_variance: (P,) counts squared, None where nobody knows them, of the means of at least
    `exposures`; dark_level, white_level: as a scan's, during each; detector: what is corrected.
    """

    dark: NDArray[np.float64]
    white: NDArray[np.float64]
    dark_taken: Stamp
    white_taken: Stamp
    serial: str
    boot_id: int
    integration_us: int
    white_temperature_c: float = math.nan
    dark_variance: NDArray[np.float64] | None = None
    white_variance: NDArray[np.float64] | None = None
    dark_level: float = math.nan
    white_level: float = math.nan
    exposures: int = 1
    detector: Detector = PLAIN

    @cached_property
    def full(self) -> NDArray[np.float64]:
        """(P,) counts of the white above dark, as they were measured."""
        full: NDArray[np.float64] = (
            self.white - self.dark - drift(self.white_level, self.dark_level)
        )
        return full

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """(P,) where there is light above dark, or where nobody looks."""
        usable: NDArray[np.bool_] = (self.full > 0) & np.isfinite(self.full)
        return usable if self.detector.bad is None else usable | self.detector.bad.bad

    @cached_property
    def linear(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(P,) counts of the white above dark as a proportional detector would have given them,
        and what becomes of small relative errors; of bad pixels, nothing of meaning."""
        bad = self.detector.bad
        full = self.full if bad is None else np.where(bad.bad, 1.0, self.full)
        return self.detector.linearity.apply(full)

    @cached_property
    def noise(self) -> ReferenceNoise | None:
        """What the references add to the noise of a spectrum, where that is known."""
        if self.dark_variance is None or self.white_variance is None:
            return None
        return ReferenceNoise.of(self.linear[1], self.white_variance, self.dark_variance)


@dataclass(frozen=True)
class Ages:
    """Largest ages in seconds at which dark and white reference still count, and how far in K the
    detector may be from where it was during the white."""

    dark_s: float
    white_s: float
    white_k: float = math.inf


# Noise moves some of hundreds of counts from one scan to the next, even where it is far below one
# count: those that lie between two. A readout that stands still moves none.
_REPEATS = 10


class Repetition:
    """Follows one instrument's counts: a detector that stands still repeats its last spectrum."""

    def __init__(self) -> None:
        self._last: NDArray[np.float64] | None = None
        self._repeats = 0

    def check(self, scan: Scan) -> None:
        """Raise Fault(COUNTS_REPEATED) when no count changed in this scan and the ten before."""
        same = self._last is not None and np.array_equal(self._last, scan.counts)
        self._last, self._repeats = scan.counts, self._repeats + 1 if same else 0
        if self._repeats >= _REPEATS:
            detail = (
                f"all {scan.counts.size} counts of scan {scan.number} are those of the "
                f"{self._repeats} scans before: noise must move some"
            )
            raise Fault(Faults.COUNTS_REPEATED, detail)


def check_references(
    references: References | None, ages: Ages, now: Stamp, temperature_c: float = math.nan
) -> References:
    """The references, if they may be used now, at that temperature of the detector.

    Raises Fault(NO_DARK) where there are none, and Fault(REFERENCE_EXPIRED) for too old ones, ones
    from before a reboot, whose age nobody knows, and ones from another temperature.
    """
    if references is None:
        raise Fault(Faults.NO_DARK, "no dark and white reference have been measured")
    for name, taken, limit in (
        ("dark", references.dark_taken, ages.dark_s),
        ("white reference", references.white_taken, ages.white_s),
    ):
        age = age_s(taken, now)
        if age is None:
            raise Fault(Faults.REFERENCE_EXPIRED, f"the {name} is from before a restart")
        if age > limit:
            raise Fault(Faults.REFERENCE_EXPIRED, f"the {name} is {age:.0f} s old, limit {limit:g}")
    if (apart_k := temperature_change_k(references, temperature_c)) > ages.white_k:
        told = f"the detector is {apart_k:.1f} K from where it was during the white reference"
        raise Fault(Faults.REFERENCE_EXPIRED, f"{told}, limit {ages.white_k:g}")
    return references


def temperature_change_k(references: References, temperature_c: float) -> float:
    """Since the white reference, K; 0 where either temperature is not known."""
    apart = abs(temperature_c - references.white_temperature_c)
    return apart if math.isfinite(apart) else 0.0


def check_scan(scan: Scan) -> None:
    """Raise Fault(SATURATED) or Fault(LAMP_NOT_WARM) for a scan that cannot be evaluated."""
    if scan.saturated:
        raise Fault(Faults.SATURATED, f"{scan.saturated} channels of scan {scan.number} saturated")
    if scan.lamp is not LampState.STABLE:
        state = scan.lamp.name.lower()
        raise Fault(Faults.LAMP_NOT_WARM, f"the lamp was {state} during scan {scan.number}")


def absorbance(scan: Scan, references: References) -> Spectrum:
    """A = -log10(lin(S - D) / lin(W - D)) on the instrument's own axis, with its variance where
    those of the counts are known.

    The dark is moved to the level of the masked pixels, lin is the detector's linearity, and its
    bad pixels are bridged in absorbance, where neither lamp nor throughput bends the line.

    Raises Fault(NOT_FINITE) when a channel of sample or reference has no light above dark, and
    Fault(NO_REFERENCE) when the references belong to another instrument, integration time,
    power-on or number of channels; Fault(AXIS_INVALID) when the axis has another number.
    """
    mine = (scan.serial, scan.boot_id, scan.integration_us, scan.counts.size, scan.counts.size)
    theirs = (
        references.serial,
        references.boot_id,
        references.integration_us,
        references.dark.size,
        references.white.size,
    )
    if mine != theirs:
        raise Fault(
            Faults.NO_REFERENCE,
            f"scan {scan.number} and the references differ in instrument, power-on, integration "
            f"time or channels: {mine} against {theirs}",
        )
    if scan.axis_nm.size != scan.counts.size:
        raise Fault(
            Faults.AXIS_INVALID,
            f"scan {scan.number} has {scan.counts.size} channels, the axis {scan.axis_nm.size}",
        )
    bad, linearity = references.detector.bad, references.detector.linearity
    light = scan.counts - references.dark - drift(scan.dark_level, references.dark_level)
    usable = (light > 0) & (light < np.inf)
    if bad is not None:
        usable |= bad.bad
        # Nothing is made of what a bad pixel says: a line takes its place.
        light[bad.bad] = 1.0
    usable &= references.usable
    if not np.all(usable):
        where = scan.axis_nm[int(np.argmin(usable))]
        count = int(np.count_nonzero(~usable))
        raise Fault(
            Faults.NOT_FINITE,
            f"{count} channels of scan {scan.number} have no light above dark, "
            f"first at {where:.1f} nm",
        )
    linear, slope = linearity.apply(light)
    absorbed: NDArray[np.float64] = -np.log10(linear / references.linear[0])
    variance = None
    if scan.variance is not None and references.noise is not None:
        variance = absorbance_variance(slope, scan.variance, references.noise)
    if bad is None:
        return Spectrum(absorbed, scan.axis_nm, variance)
    bad.bridge(absorbed)
    if variance is not None:
        bad.bridge_variance(variance)
    return Spectrum(absorbed, scan.axis_nm, variance)
