"""The maker's own library and python-seabreeze against what our driver speaks with."""

from __future__ import annotations

import json
import struct
import subprocess
import sys

import numpy as np
import pytest

from firmware_bridge.drivers.obp import Ask, Flag, Message, encode
from firmware_bridge.virtual.ocean_obp import NONLINEARITY, VirtualOceanObp
from firmware_bridge.virtual.port import PtyPort
from tests.drivers.cases import AXIS, SPECTRA
from tests.requirements import need


@pytest.fixture(autouse=True)
def _here():
    need("seabreeze")


def protocol_of(device):
    """Their protocol on a transport straight into a virtual instrument, and what it wrote."""
    from seabreeze.pyseabreeze.protocol import OBPProtocol
    from seabreeze.pyseabreeze.types import PySeaBreezeTransport

    class Straight(PySeaBreezeTransport):
        def __init__(self):
            self.written, self.coming, self.now = [], b"", 0.0

        def write(self, data, timeout_ms=None, **kwargs):
            self.written.append(bytes(data))
            self.coming += device.feed(bytes(data), self.now)
            return len(data)

        def read(self, size=None, timeout_ms=None, mode=None, **kwargs):
            while device.next_due is not None:
                self.now = max(self.now, device.next_due)
                self.coming += device.poll(self.now)
            size = 64 if size is None else size
            data, self.coming = self.coming[:size], self.coming[size:]
            return data

    # The rest of a transport is about USB.
    Straight.__abstractmethods__ = frozenset()
    transport = Straight()
    return OBPProtocol(transport), transport


ASKED = (
    (Ask.SERIAL, (), b"", "query"),
    (Ask.WAVELENGTH_COUNT, (), b"", "query"),
    (Ask.WAVELENGTH, (1,), b"\x01", "query"),
    (Ask.NONLINEARITY, (2,), b"\x02", "query"),
    (Ask.RAW_SPECTRUM, (), b"", "query"),
    (Ask.SET_INTEGRATION_US, (123_456,), struct.pack("<I", 123_456), "send"),
    (Ask.SET_TRIGGER, (0,), b"\x00", "send"),
)


@pytest.mark.parametrize(("kind", "values", "payload", "how"), ASKED)
def test_python_seabreeze_sends_the_same_bytes(kind, values, payload, how):
    protocol, transport = protocol_of(VirtualOceanObp(SPECTRA, AXIS))
    getattr(protocol, how)(int(kind), values)
    flags = Flag.ASK_ACK if how == "send" else Flag.NONE
    assert transport.written == [encode(Message(kind, payload, flags))]


@pytest.mark.parametrize(
    ("model", "kind"), [("STS", Ask.RAW_SPECTRUM), ("QE Pro", Ask.BUFFERED_SPECTRUM)]
)
def test_python_seabreeze_reads_the_same_from_the_virtual_instrument(model, kind):
    # It warns where a checksum is wrong, and a warning here is an error.
    device = VirtualOceanObp(SPECTRA, AXIS, model=model, md5=True)
    protocol, transport = protocol_of(device)
    assert protocol.query(int(Ask.SERIAL)) == device.serial.encode()
    count = protocol.query(int(Ask.WAVELENGTH_COUNT))[0]
    each = [protocol.query(int(Ask.WAVELENGTH), index) for index in range(count)]
    assert tuple(struct.unpack("<f", c)[0] for c in each) == device.wavelength_nm
    data = protocol.query(int(kind))
    counts = np.frombuffer(data, device.model.word, offset=device.model.metadata)
    assert np.array_equal(counts, device.made[0])
    assert transport.coming == b""


# The library waits for a serial port without letting other threads run: it gets its own process.
# python-seabreeze 2.11 takes these names as bytes only.
READER = """
import json, sys
from seabreeze.cseabreeze import SeaBreezeAPI, SeaBreezeDevice
api = SeaBreezeAPI()
api.add_rs232_device_location(sys.argv[1].encode(), sys.argv[2].encode(), int(sys.argv[3]))
(handle,) = api._list_device_ids()
device = SeaBreezeDevice(handle)
device.open()
spectrometer = device.f.spectrometer
spectrometer.set_trigger_mode(0)
spectrometer.set_integration_time_micros(20000)
print(json.dumps({
    "serial": device.serial_number,
    "limits_us": spectrometer.get_integration_time_micros_limits(),
    "full": spectrometer.get_maximum_intensity(),
    "nm": list(spectrometer.get_wavelengths()),
    "counts": list(spectrometer.get_intensities()),
    "nonlinearity": list(device.f.nonlinearity_coefficients.get_nonlinearity_coefficients()),
}))
"""


@pytest.mark.parametrize(("model", "name"), [("STS", "STS"), ("QE Pro", "QE-PRO")])
def test_the_makers_library_reads_the_virtual_instrument_on_a_pty(model, name):
    device = VirtualOceanObp(SPECTRA, AXIS, model=model, baud=115200)
    with PtyPort(device) as port:
        command = [sys.executable, "-c", READER, name, port.url, str(device.baud)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        made = port.call(lambda: dict(device.made))
    assert ended.returncode == 0, ended.stderr
    read = json.loads(ended.stdout)
    assert read["serial"] == device.serial
    assert read["limits_us"] == [device.model.least_us, device.model.most_us]
    assert read["full"] == device.model.full_scale
    assert np.allclose(read["nm"], device.optics.wavelengths, atol=1e-3)
    assert np.array_equal(read["counts"], made[0])
    assert read["nonlinearity"] == pytest.approx(NONLINEARITY)
