"""A small virtual instrument behind a pty."""

import numpy as np
import pytest

from firmware_bridge.link import Link
from firmware_bridge.virtual import InjectedFaults, Optics, PtyPort, VirtualSpectrometer

AXIS = np.arange(1100.0, 2499.0, 2.0)
# Four samples, flat, easy to tell apart by their counts.
SPECTRA = np.outer([0.1, 0.3, 0.5, 0.7], np.ones(AXIS.size))
FAST_BAUD = 4_000_000


@pytest.fixture
def make_device():
    def make(**options):
        faults = InjectedFaults(**options.pop("faults", {}))
        optics = options.pop("optics", Optics(pixels=120))
        return VirtualSpectrometer(SPECTRA, AXIS, optics, faults=faults, **options)

    return make


@pytest.fixture
def plugged_in(make_device, tmp_path):
    """Return a function that makes (port, link); everything is closed afterwards."""
    opened = []

    def make(reply_timeout_s=5.0, **options):
        port = PtyPort(make_device(**options), link=tmp_path / f"tty{len(opened)}")
        link = Link(port.url, port.device.baud, reply_timeout_s=reply_timeout_s)
        opened.append((port, link))
        return port, link

    yield make
    for port, link in opened:
        link.close()
        port.close()
