"""Dark and white references of one negotiated connection: measured, kept, and told when due."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firmware_bridge import errors
from firmware_bridge.instrument import Identity
from firmware_bridge.protocol import Capability, LampState, Position
from spektron_edge import log
from spektron_edge.clock import Clock
from spektron_edge.detector.bad_pixels import in_words
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import FaultRaised, Item, Told
from spektron_edge.spectra.acquisition import References, check_references

from .exposures import Exposures
from .half_pair import Conditions, Half, HalfPair, check_brighter, paired
from .pixels import Pixels
from .reference_store import discard_references, load_references, save_references
from .settings import Settings
from .single_scans import SingleScans
from .white_range import range_white


class ReferenceTaking:
    """By the instrument itself where it may and can, else half by half as people ask for them."""

    def __init__(
        self,
        info: Identity,
        settings: Settings,
        halves: HalfPair,
        clock: Clock,
        post: Callable[[Item], None],
        pixels: Pixels,
        exposures: Exposures,
        singles: SingleScans,
    ) -> None:
        """halves: what was taken one at a time, and outlives a connection."""
        self._info, self._settings = info, settings
        self._acquisition = settings.acquisition
        self._halves, self._clock, self._post = halves, clock, post
        self._pixels, self._exposures, self._singles = pixels, exposures, singles

    def _has(self, capability: Capability) -> bool:
        return capability in Capability(self._info.capabilities)

    @property
    def by_itself(self) -> bool:
        """Whether the instrument takes them without a person's help."""
        able = self._has(Capability.SHUTTER | Capability.REFERENCE)
        return self._acquisition.automatic_references and able

    @property
    def lacking(self) -> tuple[str, ...]:
        """The commands that would complete a pair."""
        return self._halves.lacking

    @property
    def _conditions(self) -> Conditions:
        return self._info.serial, self._info.boot_id, self._exposures.integration_us

    def stored(self) -> References | None:
        """What was kept for this instrument, power-on and integration, of whatever age."""
        if self._info.untold_power_on:
            # Who meets it after a restart of the daemon would take these for this power-on's.
            discard_references(self._settings.state_dir)
        stored = load_references(self._settings.state_dir)
        if stored is not None and self._conditions != (
            stored.serial,
            stored.boot_id,
            stored.integration_us,
        ):
            stored = None
        shape = self._exposures.axis_nm.shape
        if stored is not None and stored.dark.shape == stored.white.shape == shape:
            try:
                stored = self._judged(stored)
            except Fault:
                # Others may show fewer bad pixels; if not, measuring them says so.
                stored = None
        self._halves.begin(self._conditions, stored)
        return stored

    def _judged(self, references: References) -> References:
        """With the detector's bad pixels, which are told. Raises Fault(BAD_PIXELS)."""
        references = self._pixels.judged(references)
        bad = references.detector.bad
        told = "none" if bad is None else in_words(bad.reasons, self._exposures.axis_nm)
        self._exposures.bad = self._pixels.configured if bad is None else bad.bad
        self._post(Told("bad_pixels_bridged", told))
        return references

    def obtain(self, stored: References | None) -> tuple[References | None, bool]:
        """Stored references if they still count, else new ones; and whether they are new.

        Where the instrument may not or cannot take them itself, a fault is raised and scans go on:
        their records then say why they are invalid.
        """
        try:
            now = self._clock.now()
            ages = self._settings.ages
            return check_references(stored, ages, now, self._singles.temperature_c), False
        except Fault as fault:
            if self.by_itself:
                return self.measure(), True
            self._post(FaultRaised(fault))
            return stored, False

    def measure(self) -> References:
        """Dark, then white reference. Only a complete pair is ever kept.

        Raises Fault(REFERENCE_INTERRUPTED, SATURATED, LAMP_NOT_WARM, BAD_PIXELS).
        """
        try:
            dark = self._half(Position.DARK)
            white = self._half(Position.REFERENCE)
        except (errors.DeviceRefused, errors.InstrumentExchanged):
            raise
        except errors.LinkError as error:
            raise Fault(Faults.REFERENCE_INTERRUPTED, f"during a reference: {error}") from error
        return self._kept(self._judged(paired(self._conditions, dark, white)))

    def _half(self, wanted: Position) -> Half:
        """Raises Fault(REFERENCE_INTERRUPTED, SATURATED, LAMP_NOT_WARM) and errors.LinkError."""
        dark = wanted is Position.DARK
        # Without shutter or white tile, a person has covered the beam or shows the standard.
        able = self._has(Capability.SHUTTER if dark else Capability.REFERENCE)
        scans = self._acquisition.coadds
        averages = min(-(-self._acquisition.reference_averages // scans), self._info.max_averages)
        scan = self._singles.used_up(wanted if able else Position.SAMPLE, averages, scans)
        saturated = scan.saturated
        if dark:
            # What is full without light is hot: not believed from now on, and no reason to refuse.
            bad = self._pixels.hot(scan.counts)
            full = scan.counts >= self._info.full_scale
            saturated -= int(np.count_nonzero(full & bad & ~self._exposures.bad))
            self._exposures.bad = bad
        if saturated > 0:
            raise Fault(Faults.SATURATED, f"{saturated} channels of the reference saturated")
        if not dark and scan.lamp is not LampState.STABLE:
            raise Fault(Faults.LAMP_NOT_WARM, "the lamp changed state during the white reference")
        return Half(
            scan.counts,
            self._clock.now(),
            scan.temperature_c,
            scan.variance,
            scan.dark_level,
            scan.averages if scans == 1 else scans,
        )

    def _kept(self, references: References) -> References:
        self._halves.begin(self._conditions, references)
        try:
            save_references(self._settings.state_dir, references)
        except OSError as error:
            # They serve this session all the same; only a restart has to measure again.
            log.warn("references_not_saved", detail=error, next="make room in `state_dir`")
        watched = self._settings.ages.white_k < math.inf
        if watched and not math.isfinite(references.white_temperature_c):
            told = "the instrument has no thermometer: only the white reference's age is watched"
            self._post(Told("white_temperature_unwatched", told))
        return references

    def take(self, references: References | None, *, dark: bool) -> tuple[References | None, str]:
        """Measure one half, as a person asks for; references from now on, and what is told.

        Raises Fault(SATURATED, LAMP_NOT_WARM, BAD_PIXELS, NOT_FINITE, DEVICE_SILENT,
        REFERENCE_INTERRUPTED) and errors.LinkError.
        """
        half = self._half(Position.DARK if dark else Position.REFERENCE)
        halves = self._halves
        wished = replace(halves, dark=half) if dark else replace(halves, white=half)
        pair = wished.pair()
        if pair is not None:
            pair = self._judged(pair)
            check_brighter(pair)
        halves.dark, halves.white = wished.dark, wished.white
        done = "dark measured" if dark else "white reference measured"
        if pair is None:
            return references, f"{done}; send {' and '.join(halves.lacking)} next"
        return self._kept(pair), done

    def set_integration(self, wished_us: int | None) -> tuple[References | None, str]:
        """Go on with another one, None: the configuration's; references for it, and what is told.

        Raises Fault(COMMAND_INPUT) and what `measure` raises; it is as before then.
        """
        exposures, before_us = self._exposures, self._exposures.integration_us
        least, most = self._info.min_integration_us, self._info.max_integration_us
        new_us = self._acquisition.integration_us if wished_us is None else wished_us
        if not least <= new_us <= most:
            detail = f"the instrument takes {least} to {most} us, not {new_us}"
            raise Fault(Faults.COMMAND_INPUT, detail)
        exposures.integration_us = new_us
        try:
            if self.by_itself:
                # A reference that saturates is why one goes back at once.
                now: References | None = self.measure()
            else:
                exposures.configure(Position.SAMPLE, self._acquisition.averages)
                now = self.stored()
        except BaseException:
            exposures.integration_us = before_us
            raise
        if wished_us is None:
            self._settings.integration_us.pop(self._info.serial, None)
        else:
            self._settings.integration_us[self._info.serial] = new_us
        told = f"integration {before_us} -> {new_us} us"
        if now is None:
            told += f"; send {' and '.join(self.lacking)} next"
        return now, told

    def auto_range(self) -> tuple[References | None, str]:
        """Find the integration for the white standard, then go on as with one that was given."""
        share = self._acquisition.auto_range_share
        found = range_white(self._exposures, self._singles.used_up, share)
        references, told = self.set_integration(found.integration_us)
        reached = f"the white reaches {found.share:.0%} of full scale ({found.exposures} exposures)"
        return references, f"{reached}; {told}"

    def due(self, references: References | None) -> bool:
        """Whether the instrument has to measure them again."""
        if not self.by_itself:
            return False
        try:
            now = self._clock.now()
            check_references(references, self._settings.ages, now, self._singles.temperature_c)
        except Fault:
            return True
        return False
