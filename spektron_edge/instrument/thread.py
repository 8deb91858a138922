"""The acquisition thread: one instrument, from an unplugged cable to a stream of sample scans."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from firmware_bridge import errors
from firmware_bridge.instrument import Identity, reconnect
from firmware_bridge.protocol import capability_names
from spektron_edge import log
from spektron_edge.clock import Clock
from spektron_edge.config.instrument import instrument_of
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import FaultRaised, InstrumentReady, Item, Told
from spektron_edge.service.beats import Beat

from .half_pair import HalfPair
from .line_faults import as_fault
from .orders import Orders
from .session import Session
from .settings import Settings
from .watched import Watched

_PAUSE_S = 1.0


class InstrumentThread(threading.Thread):
    """Keeps one instrument streaming. Never ends by itself: whatever fails is tried again."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        post: Callable[[Item], None],
        orders: Orders | None = None,
        beat: Beat | None = None,
    ) -> None:
        """orders: what operators ask for; each is answered by `OrderDone` or a `Measured`. beat:
        tells that the thread gets on."""
        super().__init__(name="instrument", daemon=True)
        self._settings = settings
        self._clock = clock
        self._post = post
        self._orders = orders or Orders()
        self._halt = threading.Event()
        self._halves = HalfPair()
        self._told = {"bad_pixels_bridged": "none"}
        self._beat = beat or Beat("instrument")
        self.link = instrument_of(settings.serial)
        self._watched = Watched(self.link, self._beat)

    def halt(self) -> None:
        """Ask the thread to stop the stream, close the port and end."""
        self._halt.set()

    def run(self) -> None:
        """Connect, stream, and after any fault begin again."""
        while not self._halt.is_set():
            info = reconnect(
                self._watched, self._halt, lambda e: self._post(FaultRaised(as_fault(e)))
            )
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
        self._watched.close()
        self._beat.rest()

    def _say(self, item: Item) -> None:
        """Hand on what a session says; what was told before and is as it was, is not told again."""
        if isinstance(item, Told):
            if self._told.get(item.code) == item.message:
                return
            self._told[item.code] = item.message
        self._post(item)

    def _serve(self, info: Identity) -> None:
        session = Session(
            info,
            self._settings,
            self._halves,
            self._clock,
            self._say,
            self._watched,
            self._halt,
        )
        self._post(
            InstrumentReady(
                serial=info.serial,
                firmware=info.firmware,
                boot_id=info.boot_id,
                axis_nm=session.axis_nm,
                capabilities=capability_names(info.capabilities),
                protocol=info.protocol,
                untold=bool(info.untold_power_on),
            )
        )
        session.tell()
        session.wait_for_lamp()
        references, measured = session.references.stored(), False
        # Before the references: a wrong integration may be why there are none.
        while (order := self._orders.take(("set-integration", "auto-range"))) is not None:
            references, measured = session.carry_out(order, references)
        if not measured:
            references, measured = session.references.obtain(references)
        while not self._halt.is_set():
            self._post(session.streaming(references, measured=measured))
            session.stream(references, self._orders)
            if self._halt.is_set():
                return
            order = self._orders.take()
            if order is None:
                references, measured = session.references.measure(), True
            else:
                references, measured = session.carry_out(order, references)
