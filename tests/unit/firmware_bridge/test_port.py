"""The pty port: plug, link, line speed, backpressure, threads."""

import os
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from firmware_bridge.errors import PortLost
from firmware_bridge.framing import Framer, encode_frame
from firmware_bridge.link import Link
from firmware_bridge.protocol import Configure, Ping, Position, Start, Stop, decode, encode
from firmware_bridge.virtual import PtyPort
from firmware_bridge.virtual import port as port_module

FD = Path("/proc/self/fd")


def eventually(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_link_follows_the_plug(make_device, tmp_path):
    path = tmp_path / "tty"
    with PtyPort(make_device(), link=path) as port:
        assert port.url == str(path)
        assert path.resolve().exists()
        port.unplug()
        port.unplug()
        assert not port.plugged
        assert not path.is_symlink()
        port.plug()
        port.plug()
        assert path.resolve().exists()
    assert not path.is_symlink()


def test_a_file_in_the_place_of_the_link_stays_as_it_is(make_device, tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(FileExistsError):
        PtyPort(make_device(), link=path)
    assert path.read_text() == "data"


def test_a_link_that_another_instrument_took_over_stays(make_device, tmp_path):
    path = tmp_path / "tty"
    with PtyPort(make_device(), link=path) as first:
        with PtyPort(make_device(), link=path):
            first.unplug()
            assert path.resolve().exists()
        assert not path.is_symlink()


def test_without_a_link_the_url_is_the_pty(make_device):
    with PtyPort(make_device()) as port:
        assert port.url.startswith("/dev/")


def test_close_ends_the_thread_and_calls_say_so(make_device):
    before = threading.active_count()
    descriptors = len(list(FD.iterdir()))
    port = PtyPort(make_device())
    port.close()
    port.close()
    assert threading.active_count() == before
    assert len(list(FD.iterdir())) <= descriptors
    with pytest.raises(RuntimeError, match="closed"):
        port.plug()


def test_a_call_returns_and_raises_in_the_callers_thread(make_device):
    with PtyPort(make_device()) as port:
        assert port.call(lambda: port.call(threading.get_ident)) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            port.call(lambda: 1 / 0)
        assert port.call(lambda: 1) == 1


def test_both_directions_are_garbled_at_the_wrong_speed(make_device):
    with PtyPort(make_device()) as port:
        frame = encode_frame(encode(Ping(7)))
        assert port._through_wire(frame) == frame
        fd = os.open(port.url, os.O_RDWR | os.O_NOCTTY)
        try:
            attributes = termios.tcgetattr(fd)
            attributes[4] = attributes[5] = termios.B9600
            termios.tcsetattr(fd, termios.TCSANOW, attributes)
            garbled = port._through_wire(frame)
        finally:
            os.close(fd)
        assert garbled == port._through_wire(frame)
        assert Framer().feed(garbled) == []
        assert len(garbled) == len(frame)


def test_a_host_that_does_not_read_blocks_nothing_and_costs_whole_frames(make_device, monkeypatch):
    monkeypatch.setattr(port_module, "OUT_BYTES", 2000)
    device = make_device(baud=4_000_000)
    with PtyPort(device) as port:
        fd = os.open(port.url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            configure = Configure(10, 1, 1, Position.SAMPLE)
            os.write(fd, encode_frame(encode(configure)) + encode_frame(encode(Start())))
            eventually(lambda: port.overflows > 20)
            os.write(fd, encode_frame(encode(Stop(), 77)))
            framer = Framer()
            bodies = []

            def stopped():
                with suppress(BlockingIOError):
                    bodies.extend(framer.feed(os.read(fd, 65536)))
                return any(decode(b).header.sequence == 77 for b in bodies)

            eventually(stopped)
        finally:
            os.close(fd)
        assert framer.counters.bad_frames == 0
        assert port.call(lambda: port._out_bytes) == 0


def test_the_instrument_goes_on_while_unplugged(make_device):
    with PtyPort(make_device()) as port, Link(port.url, reply_timeout_s=5.0) as link:
        link.open()
        link.configure(Configure(1000, 1, 1, Position.SAMPLE))
        link.start()
        port.unplug()
        made = port.call(lambda: port.device.scans_made)
        eventually(lambda: port.call(lambda: port.device.scans_made) > made + 2)


def test_unplugged_for_good(make_device):
    device = make_device(faults={"unplug_at_scan": 0})
    with PtyPort(device) as port, Link(port.url, reply_timeout_s=5.0) as link:
        link.open()
        with suppress(PortLost):
            link.start(1)
        eventually(lambda: not port.plugged)


def test_power_cycle_from_outside(make_device):
    with PtyPort(make_device()) as port, Link(port.url, reply_timeout_s=5.0) as link:
        first = link.open().boot_id
        port.power_cycle()
        assert link.open().boot_id != first


def test_an_odd_line_speed_is_refused(make_device):
    with pytest.raises(ValueError, match="12345 is no standard"):
        PtyPort(make_device(baud=12345))
