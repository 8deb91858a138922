"""A small virtual instrument behind a pty; packages that bring a driver."""

import sys

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


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that puts a package with one driver on the path, as if installed."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(name, source, points):
        (tmp_path / f"{name}.py").write_text(source)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[spektron.instruments]\n{points}\n")

    yield put
    for module in tmp_path.glob("*.py"):
        sys.modules.pop(module.stem, None)
