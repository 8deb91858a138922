"""The NIRONE: its lines, and the byte by which its floats may be shifted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.drivers import nirone
from firmware_bridge.drivers.driver import Place
from firmware_bridge.drivers.talk import Nonsense, Refused
from firmware_bridge.errors import InstrumentExchanged, LineGarbage
from firmware_bridge.protocol import Capability, Configure, Position
from tests.drivers.cases import CASES
from tests.drivers.lines import MadeLine
from tests.drivers.talks import over_a_pty, played

CASE = CASES["nirone"]
LIGHT = Configure(20_000, 1, 1, Position.SAMPLE)
DARK = Configure(20_000, 1, 1, Position.DARK)
# Shape of the replies: what the two public programs take apart (see the module's sources).
RANGE = (b"Serial number: S2-00417\r\n", b"Min: 1550.0\r\n", b"Max: 1950.0\r\n")


def asked(place=None):
    dialect = nirone.Nirone(place or Place("made", 115200, None, (1550.0, 200.0)))
    return dialect, played(dialect.identify(), *RANGE, b"ok\r\n", b"ok\r\n", b"ok\r\n")


def test_lines_byte_for_byte():
    dialect, (sent, identity) = asked()
    # finix-nirone, nir_driver.py: "h2\r", "W{0},{1:.1f}\r".
    assert sent == [b"h2\r", b"h3\r", b"h4\r", b"W0,1550.0\r", b"W1,1750.0\r", b"W2,1950.0\r"]
    assert identity.serial == "S2-00417"
    assert identity.axis_nm.tolist() == [1550.0, 1750.0, 1950.0]
    assert identity.capabilities == Capability.SHUTTER | Capability.LAMP
    lines = (b"ok\r\n", b"Light: 100\r\n", b"Measurement time: 1234\r\n")
    assert played(dialect.set_up(LIGHT), *lines)[0] == [b"V100,1\r", b"LI100\r", b"E0\r"]
    # Little-endian floats, as both programs found them: 256.0, 128.5, 384.0.
    floats = bytes.fromhex("00008043 00800043 0000c043")
    sent, found = played(dialect.expose(LIGHT), b"Measurement ready\r\n", floats, b"T: 31.25\r\n")
    assert sent == [b"XM\r", b"Xm0,3\r", b"St\r"]
    assert found.counts.tolist() == [256.0, 128.5, 384.0]
    assert found.temperature_c == 31.25
    assert not found.full.any()


def test_a_dark_is_taken_with_the_lamp_off():
    dialect, _ = asked()
    sent, _ = played(dialect.set_up(DARK), b"ok\r\n", b"ok\r\n", b"Time: 10\r\n")
    assert b"LI0\r" in sent
    # It stays as it is where it need not change.
    assert b"LI0\r" not in played(dialect.set_up(DARK), b"ok\r\n", b"Time: 10\r\n")[0]


@given(
    signal=st.lists(st.floats(128.0, 511.5, width=32), min_size=4, max_size=40),
    cut=st.booleans(),
)
def test_a_line_end_before_the_floats_is_noticed(signal, cut):
    """Whether the byte it pushed out comes in the same read or in one of its own."""
    dialect = nirone.Nirone(Place("made", 115200))
    shifted = b"\n" + np.array(signal, "<f4").tobytes()
    whole = nirone.floats(len(signal))
    if not cut:
        with pytest.raises(Nonsense, match="too many"):
            whole(shifted)
        return
    talk = dialect._spectrum(len(signal))
    next(talk)
    silence = talk.send(shifted[:-1])
    assert silence.send == b""
    again = talk.send(shifted[-1:])
    assert again.send == b"Xm0,%d\r" % len(signal)
    talk.send(shifted[1:])
    with pytest.raises(StopIteration) as stop:
        talk.send(b"")
    assert nirone.signals(stop.value.value).tolist() == signal


class Unread:
    """Its spectra begin with a line end that nobody asked for, some of the time."""

    def __init__(self, device, times):
        self.device, self.times = device, times
        self._act = device._act

    def __call__(self, command):
        reply = self._act(command)
        if command.startswith("Xm0") and self.times:
            self.times -= 1
            return b"\n" + reply
        return reply


@pytest.mark.parametrize("kind", ["clean", "one byte at a time"])
def test_shifted_spectra_are_read_again(kind):
    line = MadeLine(CASE.device(), kind)
    line.device._act = Unread(line.device, 2)
    instrument = CASE.instrument(line)
    instrument.open()
    instrument.configure(LIGHT)
    instrument.start(1)
    scan = instrument.read(60.0).message
    assert np.array_equal(scan.counts, line.device.made[0])
    line.device._act = Unread(line.device, 10**6)
    instrument.start(1)
    with pytest.raises(LineGarbage):
        instrument.read(600.0)


@given(signal=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=64))
def test_floats_come_back(signal):
    signal = [v if abs(v) > 1e-6 else 0.0 for v in signal]
    block = np.array(signal, "<f4").tobytes()
    assert nirone.floats(len(signal))(block[:-1]) is None
    assert nirone.floats(len(signal))(block) == len(block)
    assert nirone.signals(block).tolist() == signal


@pytest.mark.parametrize("bad", ["0000c07f", "0000807f", "00000001", "00000060"])
def test_bytes_that_are_no_signal_are_refused(bad):
    with pytest.raises(Nonsense, match="no 2 floats"):
        nirone.floats(2)(bytes.fromhex("00008043" + bad))


def test_a_plateau_of_four_is_full():
    signal = np.array([1.0, 5.0, 5.0, 5.0, 5.0, 2.0, 5.0, 5.0, 5.0])
    assert np.flatnonzero(nirone.plateau(signal)).tolist() == [1, 2, 3, 4]
    assert not nirone.plateau(signal[5:]).any()


def test_set_points():
    assert nirone.set_points(1550.0, 1950.0, None).size == 201
    wide = nirone.set_points(1000.0, 3000.0, None)
    assert wide.size == 512
    assert (wide[0], wide[-1]) == (1000.0, 3000.0)
    assert nirone.set_points(1550.0, 1950.0, (1600.0, 5.0))[[0, -1]].tolist() == [1600.0, 1950.0]
    for wanted in ((1500.0, 5.0), (1600.0, -5.0), (1600.0,), (1600.0, 0.01)):
        with pytest.raises(Refused, match="`wavelength_nm`"):
            nirone.set_points(1550.0, 1950.0, wanted)


@pytest.mark.parametrize("reply", [b"Error: 3\r\n", b"\r\n", b"\xff\xfe\r\n"])
def test_lines_that_are_no_reply(reply):
    with pytest.raises(Nonsense):
        nirone.line(reply)


@pytest.mark.parametrize("reply", [b"Max: nan\r\n", b"Max: inf\r\n", b"Max\r\n", b"Max: 12\r\n"])
def test_numbers_that_are_none(reply):
    with pytest.raises(Nonsense):
        nirone.number(300.0, 20_000.0)(reply)


def test_the_silence_behind_a_spectrum_is_no_lost_reply():
    line = MadeLine(CASE.device())
    instrument = CASE.instrument(line)
    instrument.open()
    instrument.configure(LIGHT)
    instrument.start(2)
    assert instrument.read(60.0) is not None
    assert instrument.counters.stale == 0


def test_another_sensor_is_noticed():
    line = MadeLine(CASE.device())
    instrument = CASE.instrument(line)
    instrument.open()
    line.device.serial = "S2-00418"
    with pytest.raises(InstrumentExchanged, match=r"S2-00417.*S2-00418"):
        instrument.ping()


def test_the_virtual_sensor_is_dark_without_its_lamp():
    line = MadeLine(CASE.device())
    instrument = CASE.instrument(line)
    instrument.open()
    levels = []
    for settings in (LIGHT, DARK, LIGHT):
        instrument.configure(settings)
        instrument.start(1)
        levels.append(instrument.read(60.0).message.counts.mean())
    assert levels[1] < 1000.0 < levels[0]
    assert levels[2] > 1000.0


def test_over_a_pty(monkeypatch):
    monkeypatch.setattr(nirone, "LAMP_SETTLES_S", 0.01)
    device = CASE.device()
    first, second = over_a_pty(nirone.DRIVER, device, 20_000)
    made = list(device.made.values())
    assert np.array_equal(first.message.counts, made[0])
    assert np.array_equal(second.message.counts, made[1])
