"""One negotiated connection to an instrument: lamp, references, stream, and operators' orders."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from firmware_bridge import errors
from firmware_bridge.instrument import Identity, Instrument
from firmware_bridge.intake import Received
from firmware_bridge.protocol import Capability, Event, EventCode, LampState, Position
from firmware_bridge.protocol import Scan as WireScan
from spektron_edge import log
from spektron_edge.clock import Clock
from spektron_edge.config.instrument import Acquisition, Serial
from spektron_edge.detector.bad_pixels import in_words
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import FaultRaised, Item, Measured, OrderDone, Streaming, Told
from spektron_edge.spectra.acquisition import Ages, References, check_references
from spektron_edge.spectra.scan import Scan

from .coadds import Coadds
from .exposures import Exposures
from .half_pair import Conditions, Half, HalfPair, check_brighter, paired
from .line_faults import as_fault
from .orders import Order, Orders
from .pixels import Pixels
from .reference_store import load_references, save_references
from .white_range import range_white

_PAUSE_S = 1.0
_UNSEEN = "its scan was not evaluated: the daemon is behind, or the number came twice"


def ages_of(acquisition: Acquisition) -> Ages:
    """What the configuration says of how long references last."""
    return Ages(
        acquisition.dark_max_age_s,
        acquisition.white_max_age_s,
        acquisition.white_max_temperature_change_k or math.inf,
    )


@dataclass(frozen=True)
class Settings:
    """What the thread needs of the configuration.

    integration_us: serial number -> integration that an operator set, in place of `acquisition`'s;
    `set-integration` changes it. met_s: (serial number, power-on) -> time.monotonic() when it was
    first met; of the latest only.
    """

    serial: Serial
    acquisition: Acquisition
    state_dir: Path
    integration_us: MutableMapping[str, int] = field(default_factory=dict)
    met_s: MutableMapping[tuple[str, int], float] = field(default_factory=dict)

    @property
    def ages(self) -> Ages:
        """Largest ages of the references."""
        return ages_of(self.acquisition)


class Session:
    """One negotiated connection, until something fails."""

    def __init__(
        self,
        info: Identity,
        settings: Settings,
        halves: HalfPair,
        clock: Clock,
        post: Callable[[Item], None],
        link: Instrument,
        halt: threading.Event,
    ) -> None:
        self._info = info
        self._settings = settings
        self._acquisition = settings.acquisition
        self._halves = halves
        self._clock = clock
        self._post = post
        self._link = link
        self._halt = halt
        integration_us = settings.integration_us.get(
            info.serial, settings.acquisition.integration_us
        )
        self._pixels = Pixels.of(info, settings.acquisition)
        met = (info.serial, info.boot_id)
        if met not in settings.met_s:
            settings.met_s.clear()
            settings.met_s[met] = time.monotonic()
        self._exposures = Exposures(
            info,
            self._pixels,
            settings.serial,
            integration_us,
            link,
            post,
            settings.met_s[met] + settings.acquisition.lamp_warmup_s,
        )
        self._temperature_c = math.nan
        self._together = Coadds(1)
        self.axis_nm = self._exposures.axis_nm

    def _has(self, capability: Capability) -> bool:
        return capability in Capability(self._info.capabilities)

    @property
    def _can_reference(self) -> bool:
        able = self._has(Capability.SHUTTER | Capability.REFERENCE)
        return self._acquisition.automatic_references and able

    @property
    def _conditions(self) -> Conditions:
        return self._info.serial, self._info.boot_id, self._exposures.integration_us

    def streaming(self, references: References | None, *, measured: bool) -> Streaming:
        """What is said when sample scans follow."""
        by_hand = not self._can_reference
        return Streaming(
            references,
            measured,
            integration_us=self._exposures.integration_us,
            by_hand=by_hand,
            lacking=self._halves.lacking if by_hand and references is None else (),
        )

    def tell(self) -> None:
        """What is taken for granted in place of what the instrument says."""
        for told in self._pixels.said:
            self._post(told)

    def wait_for_lamp(self) -> None:
        """Look at the lamp once a second until it is stable."""
        while not self._halt.is_set():
            # Behind a shutter, so that no sample is used up, where there is one.
            shutter = self._has(Capability.SHUTTER)
            scan = self._used_up(Position.DARK if shutter else Position.SAMPLE, averages=1)
            if scan.lamp is LampState.STABLE:
                return
            state = scan.lamp.name.lower()
            self._post(FaultRaised(Fault(Faults.LAMP_NOT_WARM, f"the lamp is {state}")))
            self._halt.wait(_PAUSE_S)

    # ---- references

    def stored_references(self) -> References | None:
        """What was kept for this instrument, power-on and integration, of whatever age."""
        stored = load_references(self._settings.state_dir)
        if stored is not None and self._conditions != (
            stored.serial,
            stored.boot_id,
            stored.integration_us,
        ):
            stored = None
        if stored is not None and stored.dark.shape == stored.white.shape == self.axis_nm.shape:
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
        told = "none" if bad is None else in_words(bad.reasons, self.axis_nm)
        self._exposures.bad = self._pixels.configured if bad is None else bad.bad
        self._post(Told("bad_pixels_bridged", told))
        return references

    def obtain_references(self, stored: References | None) -> tuple[References | None, bool]:
        """Stored references if they still count, else new ones; and whether they are new.

        Where the instrument may not or cannot take them itself, a fault is raised and scans go on:
        their records then say why they are invalid.
        """
        try:
            now = self._clock.now()
            ages = self._settings.ages
            return check_references(stored, ages, now, self._temperature_c), False
        except Fault as fault:
            if self._can_reference:
                return self.measure_references(), True
            self._post(FaultRaised(fault))
            return stored, False

    def measure_references(self) -> References:
        """Dark, then white reference. Only a complete pair is ever kept.

        Raises Fault(REFERENCE_INTERRUPTED, SATURATED, LAMP_NOT_WARM, BAD_PIXELS).
        """
        try:
            dark = self._half(Position.DARK)
            white = self._half(Position.REFERENCE)
        except errors.DeviceRefused:
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
        scan = self._used_up(wanted if able else Position.SAMPLE, averages, scans)
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
        return references

    def _used_up(self, position: Position, averages: int, scans: int = 1) -> Scan:
        scan = self._single(position, averages, scans)
        self._exposures.consumed(scan)
        return scan

    def _single(self, position: Position, averages: int, scans: int) -> Scan:
        """The mean of so many scans; it is for the caller to tell of the last of them."""
        together = Coadds(scans)
        while True:
            scan = self._exposures.single(position, averages)
            self._temperature_c = scan.temperature_c
            if (whole := together.add(scan)) is not None:
                return whole
            self._exposures.consumed(scan)

    # ---- orders

    def carry_out(
        self, order: Order, references: References | None
    ) -> tuple[References | None, bool]:
        """Do what an operator asks; the references from now on, and whether they are new.

        Whatever happens, the order is answered. Raises what ends the connection.
        """
        try:
            if order.what == "scan-now":
                self._scan_now(order, references)
                # The answer, should its scan not get through to where it is evaluated.
                self._post(OrderDone(order.ticket, Fault(Faults.COMMAND_NOT_DONE, _UNSEEN)))
                return references, False
            now, told = self._change(order, references)
            by_itself = order.what not in ("set-integration", "auto-range")
            measured = by_itself or self._can_reference
        except errors.LinkError as error:
            self._post(OrderDone(order.ticket, as_fault(error)))
            if not isinstance(error, errors.DeviceRefused):
                raise
            return references, False
        except Fault as fault:
            self._post(OrderDone(order.ticket, fault))
            if fault.kind is Faults.REFERENCE_INTERRUPTED:
                raise
            return references, False
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            self._post(OrderDone(order.ticket, Fault(Faults.INTERNAL, told)))
            raise
        self._post(OrderDone(order.ticket, None, told, self._exposures.integration_us))
        return now, measured and now is not references

    def _scan_now(self, order: Order, references: References | None) -> None:
        settings = self._acquisition
        scan = self._single(Position.SAMPLE, settings.averages, settings.coadds)
        self._post(Measured(scan, references, order.ticket))

    def _change(self, order: Order, references: References | None) -> tuple[References | None, str]:
        if order.what == "set-integration":
            return self._set_integration(order.integration_us)
        if order.what == "auto-range":
            return self._auto_range()
        dark = order.what == "take-dark"
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

    def _set_integration(self, wished_us: int | None) -> tuple[References | None, str]:
        exposures, before_us = self._exposures, self._exposures.integration_us
        least, most = self._info.min_integration_us, self._info.max_integration_us
        new_us = self._acquisition.integration_us if wished_us is None else wished_us
        if not least <= new_us <= most:
            detail = f"the instrument takes {least} to {most} us, not {new_us}"
            raise Fault(Faults.COMMAND_INPUT, detail)
        exposures.integration_us = new_us
        try:
            if self._can_reference:
                # A reference that saturates is why one goes back at once.
                now: References | None = self.measure_references()
            else:
                exposures.configure(Position.SAMPLE, self._acquisition.averages)
                now = self.stored_references()
        except BaseException:
            exposures.integration_us = before_us
            raise
        if wished_us is None:
            self._settings.integration_us.pop(self._info.serial, None)
        else:
            self._settings.integration_us[self._info.serial] = new_us
        told = f"integration {before_us} -> {new_us} us"
        if now is None:
            told += f"; send {' and '.join(self._halves.lacking)} next"
        return now, told

    def _auto_range(self) -> tuple[References | None, str]:
        """Find the integration for the white standard, then go on as with one that was given."""
        share = self._acquisition.auto_range_share
        found = range_white(self._exposures, self._used_up, share)
        references, told = self._set_integration(found.integration_us)
        reached = f"the white reaches {found.share:.0%} of full scale ({found.exposures} exposures)"
        return references, f"{reached}; {told}"

    # ---- stream

    def stream(self, references: References | None, orders: Orders) -> None:
        """Pass sample scans on until a halt, an order, or references that must be measured again.

        Raises Fault(DEVICE_SILENT, VERSION_MISMATCH) and errors.LinkError.
        """
        self._exposures.configure(Position.SAMPLE, self._acquisition.averages)
        self._link.start()
        longest_s = self._exposures.longest_s(self._acquisition.averages)
        silence_s = self._settings.serial.silence_s + longest_s
        self._together = Coadds(self._acquisition.coadds)
        heard, ended = time.monotonic(), False
        while not self._halt.is_set() and not orders.any:
            if not ended and self._references_due(references):
                break
            received = self._link.read(min(0.25, silence_s))
            if received is not None:
                heard = received.last_byte_at
                ended = self._pass_on(received, references) or ended
            elif time.monotonic() - heard > silence_s:
                if not ended:
                    raise Fault(Faults.DEVICE_SILENT, f"no scan for {silence_s:g} s")
                self._link.ping()
                heard = time.monotonic()
        self._link.stop()
        # What was sent before the stop is in the link's hands by now.
        while (received := self._link.read(0.0)) is not None:
            self._pass_on(received, references)

    def _pass_on(self, received: Received, references: References | None) -> bool:
        """Hand a scan or event on; true when the instrument says that its stream has ended."""
        message = received.message
        if isinstance(message, WireScan):
            if not self._exposures.fits(message):
                return False
            scan = self._exposures.read(message, received)
            self._temperature_c = scan.temperature_c
            whole = self._together.add(scan) if scan.position is Position.SAMPLE else None
            if whole is not None:
                self._post(Measured(whole, references))
            else:
                self._exposures.consumed(scan)
        elif isinstance(message, Event) and message.code == EventCode.RESTARTED:
            raise Fault(Faults.DEVICE_SILENT, "the instrument restarted")
        return isinstance(message, Event) and message.code == EventCode.STREAM_ENDED

    def _references_due(self, references: References | None) -> bool:
        if not self._can_reference:
            return False
        try:
            now = self._clock.now()
            check_references(references, self._settings.ages, now, self._temperature_c)
        except Fault:
            return True
        return False
