"""One negotiated connection to an instrument: lamp, references, stream, and operators' orders."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from firmware_bridge import errors
from firmware_bridge.instrument import Identity, Instrument
from firmware_bridge.intake import Received
from firmware_bridge.protocol import Capability, Event, EventCode, LampState, Position
from firmware_bridge.protocol import Scan as WireScan
from spektron_edge.clock import Clock
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import FaultRaised, Item, Measured, OrderDone, Streaming, Told
from spektron_edge.spectra.acquisition import References

from .coadds import Coadds
from .exposures import Exposures
from .half_pair import HalfPair
from .line_faults import as_fault
from .orders import Order, Orders
from .pixels import Pixels
from .reference_taking import ReferenceTaking
from .settings import Settings
from .single_scans import SingleScans

_PAUSE_S = 1.0
_UNSEEN = "its scan was not evaluated: the daemon is behind, or the number came twice"


class Session:
    """One negotiated connection, until something fails.

    axis_nm: (P,) of the channels, in nm.
    """

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
        self._post = post
        self._link = link
        self._halt = halt
        integration_us = settings.integration_us.get(
            info.serial, settings.acquisition.integration_us
        )
        pixels = Pixels.of(info, settings.acquisition)
        self._said = pixels.said
        met = (info.serial, info.boot_id)
        if met not in settings.met_s:
            settings.met_s.clear()
            settings.met_s[met] = time.monotonic()
        self._exposures = Exposures(
            info,
            pixels,
            settings.serial,
            integration_us,
            link,
            post,
            settings.met_s[met] + settings.acquisition.lamp_warmup_s,
        )
        self._singles = SingleScans(self._exposures)
        self.references = ReferenceTaking(
            info, settings, halves, clock, post, pixels, self._exposures, self._singles
        )
        self._together = Coadds(1)
        self.axis_nm = self._exposures.axis_nm

    def streaming(self, references: References | None, *, measured: bool) -> Streaming:
        """What is said when sample scans follow."""
        by_hand = not self.references.by_itself
        return Streaming(
            references,
            measured,
            integration_us=self._exposures.integration_us,
            by_hand=by_hand,
            lacking=self.references.lacking if by_hand and references is None else (),
        )

    def tell(self) -> None:
        """What is taken for granted in place of what the instrument says, and what it left out."""
        if self._info.untold_power_on:
            untold = (
                f"{self._info.serial} was switched off and on, and its firmware does not tell: "
                f"{self._info.untold_power_on}. Correct the firmware (docs/protocol.md)"
            )
            self._post(Told("power_on_untold", untold))
        for told in self._said:
            self._post(told)

    def wait_for_lamp(self) -> None:
        """Look at the lamp once a second until it is stable."""
        while not self._halt.is_set():
            # Behind a shutter, so that no sample is used up, where there is one.
            shutter = Capability.SHUTTER in Capability(self._info.capabilities)
            scan = self._singles.used_up(Position.DARK if shutter else Position.SAMPLE, averages=1)
            if scan.lamp is LampState.STABLE:
                return
            state = scan.lamp.name.lower()
            self._post(FaultRaised(Fault(Faults.LAMP_NOT_WARM, f"the lamp is {state}")))
            self._halt.wait(_PAUSE_S)

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
            measured = by_itself or self.references.by_itself
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
        scan = self._singles.take(Position.SAMPLE, settings.averages, settings.coadds)
        self._post(Measured(scan, references, order.ticket))

    def _change(self, order: Order, references: References | None) -> tuple[References | None, str]:
        if order.what == "set-integration":
            return self.references.set_integration(order.integration_us)
        if order.what == "auto-range":
            return self.references.auto_range()
        return self.references.take(references, dark=order.what == "take-dark")

    # ---- stream

    def stream(self, references: References | None, orders: Orders) -> None:
        """Pass sample scans on until a halt, an order, or references that must be measured again.

        Raises Fault(DEVICE_SILENT, VERSION_MISMATCH) and errors.LinkError, of which
        InstrumentExchanged says that scans come from elsewhere now.
        """
        self._exposures.configure(Position.SAMPLE, self._acquisition.averages)
        self._link.start()
        longest_s = self._exposures.longest_s(self._acquisition.averages)
        silence_s = self._settings.serial.silence_s + longest_s
        self._together = Coadds(self._acquisition.coadds)
        heard, ended = time.monotonic(), False
        while not self._halt.is_set() and not orders.any:
            if not ended and self.references.due(references):
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
            self._singles.temperature_c = scan.temperature_c
            whole = self._together.add(scan) if scan.position is Position.SAMPLE else None
            if whole is not None:
                self._post(Measured(whole, references))
            else:
                self._exposures.consumed(scan)
        elif isinstance(message, Event) and message.code == EventCode.RESTARTED:
            raise Fault(Faults.DEVICE_SILENT, "the instrument restarted")
        return isinstance(message, Event) and message.code == EventCode.STREAM_ENDED
