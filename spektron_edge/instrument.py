"""The acquisition thread: one instrument, from an unplugged cable to a stream of sample scans."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_bridge import errors
from firmware_bridge.link import Link, Received
from firmware_bridge.protocol import (
    Capability,
    Configure,
    Event,
    EventCode,
    Info,
    LampState,
    Position,
    capability_names,
    wavelengths,
)
from firmware_bridge.protocol import Scan as WireScan

from . import log
from .acquisition import Ages, References, check_references
from .clock import Clock
from .config import Acquisition, Serial
from .faults import Fault, Faults
from .inbox import Consumed, FaultRaised, InstrumentReady, Item, Measured, Streaming
from .reference_store import load_references, save_references
from .scan import Scan

_LINE_FAULTS: dict[type[errors.LinkError], Faults] = {
    errors.PortMissing: Faults.PORT_MISSING,
    errors.PortBusy: Faults.PORT_BUSY,
    errors.PortDenied: Faults.PORT_DENIED,
    errors.PortLost: Faults.PORT_LOST,
    errors.LineGarbage: Faults.LINE_GARBAGE,
    errors.DeviceSilent: Faults.DEVICE_SILENT,
    errors.VersionMismatch: Faults.VERSION_MISMATCH,
    errors.DeviceRefused: Faults.DEVICE_REFUSED,
}
_PAUSE_S = 1.0
_REPLY_MARGIN_S = 2.0
_BITS_PER_PIXEL = 40  # 32 bits, with start and stop bits


def as_fault(error: errors.LinkError) -> Fault:
    """The catalogue's fault for an error of the link."""
    for kind in type(error).__mro__:
        if kind in _LINE_FAULTS:
            return Fault(_LINE_FAULTS[kind], str(error))
    return Fault(Faults.PORT_LOST, str(error))


@dataclass(frozen=True)
class Settings:
    """What the thread needs of the configuration."""

    serial: Serial
    acquisition: Acquisition
    state_dir: Path

    @property
    def ages(self) -> Ages:
        """Largest ages of the references."""
        return Ages(self.acquisition.dark_max_age_s, self.acquisition.white_max_age_s)


class InstrumentThread(threading.Thread):
    """Keeps one instrument streaming. Never ends by itself: whatever fails is tried again."""

    def __init__(self, settings: Settings, clock: Clock, post: Callable[[Item], None]) -> None:
        super().__init__(name="instrument", daemon=True)
        self._settings = settings
        self._clock = clock
        self._post = post
        self._halt = threading.Event()
        self.link = Link(settings.serial.url, settings.serial.baud)

    def halt(self) -> None:
        """Ask the thread to stop the stream, close the port and end."""
        self._halt.set()

    def run(self) -> None:
        """Connect, stream, and after any fault begin again."""
        while not self._halt.is_set():
            info = self.link.reconnect(self._halt, lambda e: self._post(FaultRaised(as_fault(e))))
            if info is None:
                break
            try:
                self._serve(info)
            except errors.LinkError as error:
                self._post(FaultRaised(as_fault(error)))
            except Fault as fault:
                self._post(FaultRaised(fault))
            except Exception as error:  # noqa: BLE001  a thread that dies silently is worse
                detail = f"{type(error).__name__}: {error}"
                log.warn(
                    "unexpected", where="instrument", trace=traceback.format_exc(), next="report it"
                )
                self._post(FaultRaised(Fault(Faults.INTERNAL, detail)))
            self._halt.wait(_PAUSE_S)
        self.link.close()

    def _serve(self, info: Info) -> None:
        session = _Session(info, self._settings, self._clock, self._post, self.link, self._halt)
        self._post(
            InstrumentReady(
                serial=info.serial,
                firmware=info.firmware,
                boot_id=info.boot_id,
                axis_nm=session.axis_nm,
                capabilities=capability_names(info.capabilities),
                protocol=info.version,
            )
        )
        session.wait_for_lamp()
        references, measured = session.obtain_references()
        while not self._halt.is_set():
            self._post(Streaming(references, measured))
            session.stream(references)
            if not self._halt.is_set():
                references, measured = session.measure_references(), True


class _Session:
    """One negotiated connection, until something fails."""

    def __init__(
        self,
        info: Info,
        settings: Settings,
        clock: Clock,
        post: Callable[[Item], None],
        link: Link,
        halt: threading.Event,
    ) -> None:
        self._info = info
        self._settings = settings
        self._acquisition = settings.acquisition
        self._clock = clock
        self._post = post
        self._link = link
        self._halt = halt
        self.axis_nm = wavelengths(info)

    @property
    def _can_reference(self) -> bool:
        needed = Capability.SHUTTER | Capability.REFERENCE
        able = Capability(self._info.capabilities) & needed == needed
        return self._acquisition.automatic_references and able

    def wait_for_lamp(self) -> None:
        """Look at the lamp once a second until it is stable."""
        while not self._halt.is_set():
            # Behind a shutter, so that no sample is used up, where there is one.
            shutter = Capability.SHUTTER in Capability(self._info.capabilities)
            scan = self._single(Position.DARK if shutter else Position.SAMPLE, averages=1)
            if scan.lamp is LampState.STABLE:
                return
            state = scan.lamp.name.lower()
            self._post(FaultRaised(Fault(Faults.LAMP_NOT_WARM, f"the lamp is {state}")))
            self._halt.wait(_PAUSE_S)

    def obtain_references(self) -> tuple[References | None, bool]:
        """Stored references if they still count, else new ones; and whether they are new.

        Where the instrument may not or cannot take them itself, a fault is raised and scans go on:
        their records then say why they are invalid.
        """
        stored = load_references(self._settings.state_dir)
        if stored is not None and (stored.serial, stored.boot_id, stored.integration_us) != (
            self._info.serial,
            self._info.boot_id,
            self._acquisition.integration_us,
        ):
            stored = None
        try:
            return check_references(stored, self._settings.ages, self._clock.now()), False
        except Fault as fault:
            if self._can_reference:
                return self.measure_references(), True
            self._post(FaultRaised(fault))
            return stored, False

    def measure_references(self) -> References:
        """Dark, then white reference. Only a complete pair is ever kept.

        Raises Fault(REFERENCE_INTERRUPTED, SATURATED, LAMP_NOT_WARM).
        """
        averages = min(self._acquisition.reference_averages, self._info.max_averages)
        try:
            dark, dark_taken = self._single(Position.DARK, averages), self._clock.now()
            white, white_taken = self._single(Position.REFERENCE, averages), self._clock.now()
        except errors.DeviceRefused:
            raise
        except errors.LinkError as error:
            raise Fault(Faults.REFERENCE_INTERRUPTED, f"during a reference: {error}") from error
        if white.saturated or dark.saturated:
            raise Fault(Faults.SATURATED, f"{white.saturated} channels of the reference saturated")
        if white.lamp is not LampState.STABLE:
            raise Fault(Faults.LAMP_NOT_WARM, "the lamp changed state during the white reference")
        references = References(
            dark=dark.counts,
            white=white.counts,
            dark_taken=dark_taken,
            white_taken=white_taken,
            serial=self._info.serial,
            boot_id=self._info.boot_id,
            integration_us=self._acquisition.integration_us,
        )
        try:
            save_references(self._settings.state_dir, references)
        except OSError as error:
            # They serve this session all the same; only a restart has to measure again.
            log.warn("references_not_saved", detail=error, next="make room in `state_dir`")
        return references

    def _single(self, position: Position, averages: int) -> Scan:
        self._configure(position, averages)
        self._link.start(1)
        deadline = time.monotonic() + self._scan_s(averages) + _REPLY_MARGIN_S
        while (left := deadline - time.monotonic()) > 0:
            received = self._link.read(left)
            if received is None:
                break
            message = received.message
            if isinstance(message, Event) and message.code == EventCode.RESTARTED:
                raise Fault(Faults.REFERENCE_INTERRUPTED, "the instrument restarted meanwhile")
            if isinstance(message, WireScan):
                scan = self._scan(message, received.header.device_us, received.last_byte_at)
                self._post(Consumed(scan.serial, scan.boot_id, scan.number))
                if scan.position is position:
                    return scan
        name = position.name.lower()
        raise Fault(Faults.REFERENCE_INTERRUPTED, f"the instrument gave no {name} scan")

    def _scan_s(self, averages: int) -> float:
        """How long one scan takes at most: its exposures, and its way over the line."""
        exposure_s = averages * self._acquisition.integration_us * 1e-6
        return exposure_s + self._info.pixels * _BITS_PER_PIXEL / self._settings.serial.baud

    def _configure(self, position: Position, averages: int) -> None:
        settings = Configure(self._acquisition.integration_us, averages, 1, position)
        self._link.configure(settings)

    def stream(self, references: References | None) -> None:
        """Pass sample scans on until a halt, or until references must be measured again.

        Raises Fault(DEVICE_SILENT, VERSION_MISMATCH) and errors.LinkError.
        """
        self._configure(Position.SAMPLE, self._acquisition.averages)
        self._link.start()
        silence_s = self._settings.serial.silence_s + self._scan_s(self._acquisition.averages)
        heard, ended = time.monotonic(), False
        while not self._halt.is_set() and (ended or not self._references_due(references)):
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
            scan = self._scan(message, received.header.device_us, received.last_byte_at)
            if scan.position is Position.SAMPLE:
                self._post(Measured(scan, references))
            else:
                self._post(Consumed(scan.serial, scan.boot_id, scan.number))
        elif isinstance(message, Event) and message.code == EventCode.RESTARTED:
            raise Fault(Faults.DEVICE_SILENT, "the instrument restarted")
        return isinstance(message, Event) and message.code == EventCode.STREAM_ENDED

    def _references_due(self, references: References | None) -> bool:
        if not self._can_reference:
            return False
        try:
            check_references(references, self._settings.ages, self._clock.now())
        except Fault:
            return True
        return False

    def _scan(self, message: WireScan, device_us: int, last_byte_at: float) -> Scan:
        return Scan(
            counts=np.asarray(message.counts, np.float64),
            axis_nm=self.axis_nm,
            number=message.number,
            boot_id=self._info.boot_id,
            serial=self._info.serial,
            integration_us=message.integration_us,
            averages=message.averages,
            lamp=_lamp(message.lamp),
            position=_position(message),
            temperature_c=message.temperature_c,
            # The instrument also counts pixels that were full in one of several exposures.
            saturated=max(
                message.saturated, int(np.count_nonzero(message.counts >= self._info.full_scale))
            ),
            device_us=device_us,
            last_byte_at=last_byte_at,
        )


def _position(message: WireScan) -> Position:
    try:
        return Position(message.position)
    except ValueError:
        raise Fault(
            Faults.VERSION_MISMATCH,
            f"scan {message.number} was taken in position {message.position}, which is unknown",
        ) from None


def _lamp(state: int) -> LampState:
    # A state this version does not know is no reason to trust the lamp.
    return LampState(state) if state in LampState._value2member_map_ else LampState.OFF
