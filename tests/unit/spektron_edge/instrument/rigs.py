"""A virtual spectrometer behind a real pty, and the thread that reads it."""

from __future__ import annotations

import queue

import numpy as np

from firmware_bridge.virtual import InjectedFaults, Optics, PtyPort, VirtualSpectrometer
from spektron_edge.clock import Clock
from spektron_edge.config.instrument import Acquisition, Serial
from spektron_edge.inbox import FaultRaised, Measured, OrderDone
from spektron_edge.instrument.orders import Order, Orders
from spektron_edge.instrument.settings import Settings
from spektron_edge.instrument.thread import InstrumentThread

AXIS = np.arange(1100.0, 2499.0, 2.0)
SPECTRA = np.outer([0.2, 0.6], np.ones(AXIS.size))
PATIENCE_S = 60.0


class Rig:
    """A virtual instrument, the thread that reads it, and what it says."""

    def __init__(self, folder, faults, optics, acquisition, serial, **device):
        self.folder = folder
        self.device = VirtualSpectrometer(
            SPECTRA,
            AXIS,
            Optics(pixels=120, **optics),
            faults=InjectedFaults(**faults),
            baud=4_000_000,
            interval_s=0.02,
            **device,
        )
        self.port = PtyPort(self.device, link=folder / "tty")
        self.said: queue.Queue = queue.Queue()
        self.history = []
        self._options = (acquisition, serial)
        self.thread = None

    def start(self):
        acquisition, serial = self._options
        settings = Settings(
            Serial(url=self.port.url, baud=4_000_000, **serial),
            Acquisition(**{"reference_averages": 4, **acquisition}),
            self.folder,
        )
        self.orders = Orders()
        self.thread = InstrumentThread(settings, Clock(), self.said.put, self.orders)
        self.thread.link.reply_timeout_s = 5.0
        self.thread.start()
        return self

    def until(self, kind, when=lambda item: True):
        """The next item of that kind for which `when` holds."""
        while True:
            item = self.said.get(timeout=PATIENCE_S)
            self.history.append(item)
            if isinstance(item, kind) and when(item):
                return item

    def trouble(self, kind):
        return self.until(FaultRaised, lambda t: t.fault.kind is kind).fault

    def order(self, ticket, what, integration_us=None):
        """Ask for something; what came of it."""
        self.orders.put(Order(ticket, what, integration_us))
        return self.until(OrderDone, lambda done: done.ticket == ticket)

    def measured(self, count):
        return [self.until(Measured) for _ in range(count)]

    def stop(self):
        if self.thread is not None:
            self.thread.halt()
            self.thread.join(PATIENCE_S)
            assert not self.thread.is_alive()
        self.port.close()
