"""The link against the virtual instrument on a pty, and against everything that goes wrong."""

import errno
import os
import select
import socket
import threading
import time
import tty
from dataclasses import replace

import numpy as np
import pytest
import serial

from firmware_bridge import codec
from firmware_bridge import link as link_module
from firmware_bridge.errors import (
    DeviceRefused,
    DeviceSilent,
    InfoInvalid,
    LineGarbage,
    LinkError,
    NoReply,
    PortBusy,
    PortDenied,
    PortLost,
    PortMissing,
    VersionMismatch,
)
from firmware_bridge.framing import Framer, encode_frame
from firmware_bridge.instrument import reconnect
from firmware_bridge.intake import GARBAGE_BYTES, Intake
from firmware_bridge.link import Link
from firmware_bridge.protocol import (
    Ack,
    Configure,
    ErrorCode,
    ErrorReply,
    Event,
    EventCode,
    Flags,
    Hello,
    Info,
    MessageType,
    Ping,
    Position,
    Scan,
    Start,
    Stop,
    decode,
    encode,
)
from tests.clocked import REFERENCE, SAMPLE

LONG_S = 20.0


def scans(link, count):
    found = []
    while len(found) < count:
        received = link.read(LONG_S)
        assert received is not None
        if isinstance(received.message, Scan):
            found.append(received)
    return found


def test_handshake_configure_start_read(plugged_in):
    port, link = plugged_in()
    info = link.open()
    assert link.info == port.device.info()
    assert (info.serial, info.boot_id) == (link.info.serial, link.info.boot_id)
    link.configure(SAMPLE)
    link.start(3)
    before = time.monotonic()
    got = scans(link, 3)
    assert [r.message.number for r in got] == [0, 1, 2]
    assert all(before - 1 < r.last_byte_at <= time.monotonic() for r in got)
    stamps = [r.header.device_us for r in got]
    assert stamps == sorted(stamps)
    assert link.read(0.0) is None
    counters = link.counters
    assert counters.crc_errors == counters.malformed == counters.unknown == counters.dropped == 0


def test_an_event_comes_out_of_read(plugged_in):
    _, link = plugged_in()
    link.open()
    link.configure(SAMPLE)
    received = link.read(LONG_S)
    assert received.message == Event(EventCode.LAMP_STABLE, "lamp is stable")


def test_scans_that_arrive_while_waiting_for_a_reply_are_kept(plugged_in):
    port, link = plugged_in()
    link.open()
    link.configure(SAMPLE)
    link.start()
    scans(link, 2)
    while port.call(lambda: port.device.scans_made) < 6:
        time.sleep(0.001)
    assert 0 < link.ping() < LONG_S
    link.stop()
    numbers = []
    while (received := link.read(0.2)) is not None:
        numbers.append(received.message.number)
    assert numbers == list(range(2, 2 + len(numbers)))
    assert numbers


def test_open_throws_away_a_stream_left_running(plugged_in):
    _, link = plugged_in()
    link.open()
    link.configure(SAMPLE)
    link.start()
    scans(link, 1)
    with Link(link.url, link.baud, reply_timeout_s=5.0) as second:
        link.close()
        second.open()
        assert second.read(0.1) is None


def test_close_is_idempotent_and_a_closed_link_says_so(plugged_in):
    _, link = plugged_in()
    link.open()
    assert link.is_open
    link.close()
    link.close()
    assert not link.is_open
    with pytest.raises(PortLost, match="not open"):
        link.read(0.0)


def test_wrong_baud_is_garbage(plugged_in):
    port, _ = plugged_in()
    with (
        Link(port.url, 115200, reply_timeout_s=0.5) as link,
        pytest.raises(LineGarbage, match=r"115200 baud.*received \d+ bytes.*cobs_errors"),
    ):
        link.open()
    with Link(port.url, reply_timeout_s=5.0) as link:
        link.open()


def test_garbage_in_the_middle_of_a_session(plugged_in):
    port, link = plugged_in()
    link.open()
    noise = b"\xff\xfe\xfd\x00" * 512

    def shout():
        port._out.append(noise)
        port._out_bytes += len(noise)

    with pytest.raises(LineGarbage, match="expected Spektron frames"):  # noqa: PT012
        while True:
            port.call(shout)
            link.read(0.05)
    assert link.counters.bytes > GARBAGE_BYTES


def test_silence(plugged_in):
    _, link = plugged_in(reply_timeout_s=0.1, faults={"silent": True})
    with pytest.raises(DeviceSilent, match="received no byte, tried HELLO 3 times") as caught:
        link.open()
    assert not isinstance(caught.value, NoReply)
    assert not link.is_open


def test_version_mismatch(plugged_in):
    _, link = plugged_in(faults={"refuse_version": True})
    with pytest.raises(VersionMismatch, match="speaks 200 to 201"):
        link.open()


def test_refused(plugged_in):
    _, link = plugged_in(faults={"error_on_configure": True})
    link.open()
    with pytest.raises(DeviceRefused, match="shutter does not move") as caught:
        link.configure(SAMPLE)
    assert caught.value.code == ErrorCode.HARDWARE
    assert caught.value.text == "shutter does not move"
    assert link.ping() > 0


def test_out_of_range_is_refused_with_the_range(plugged_in):
    _, link = plugged_in()
    link.open()
    with pytest.raises(DeviceRefused, match="averages 1 to"):
        link.configure(Configure(1000, 0, 1, Position.SAMPLE))


def test_no_such_port(tmp_path):
    with pytest.raises(PortMissing, match="by-id"):
        Link(str(tmp_path / "ttyNONE")).open()


def test_a_file_is_no_port(tmp_path):
    (tmp_path / "file").write_text("no port")
    with pytest.raises(PortMissing, match="Expected a serial port"):
        Link(str(tmp_path / "file")).open()


def test_an_unknown_url_scheme_is_no_port():
    with pytest.raises(PortMissing):
        Link("nonsense://x").open()


def test_busy_port(plugged_in):
    _, link = plugged_in()
    link.open()
    with pytest.raises(PortBusy, match="fuser"):
        Link(link.url, link.baud).open()
    assert link.ping() > 0


def test_denied_port(monkeypatch):
    def refuse(*_args, **_options):
        raise serial.SerialException(errno.EACCES, "permission denied")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(PortDenied, match="dialout"):
        Link("/dev/ttyX").open()


def test_unplugged_while_reading_writing_and_opening(plugged_in):
    port, link = plugged_in()
    link.open()
    port.unplug()
    with pytest.raises(PortLost, match="lost while reading"):
        link.read(LONG_S)
    with pytest.raises(PortLost):
        link.ping()
    with pytest.raises(PortMissing):
        link.open()


def test_unplug_wakes_a_waiting_read(plugged_in):
    port, link = plugged_in()
    link.open()
    timer = threading.Timer(0.05, port.unplug)
    timer.start()
    with pytest.raises(PortLost):
        link.read(LONG_S)
    timer.join()


def test_reconnect_when_the_plug_is_back(plugged_in):
    port, link = plugged_in()
    link.open()
    faults = []

    def on_fault(error):
        faults.append(error)
        port.plug()

    port.unplug()
    info = reconnect(link, threading.Event(), on_fault)
    assert info.boot_id == port.device.info().boot_id
    assert [type(f) for f in faults] == [PortMissing]
    assert link.ping() > 0


def test_reconnect_gives_up_when_told_to(tmp_path):
    stop = threading.Event()
    faults = []

    def on_fault(error: LinkError):
        faults.append(error)
        if len(faults) == 2:
            stop.set()

    assert reconnect(Link(str(tmp_path / "none")), stop, on_fault) is None
    assert len(faults) == 2


def test_gaps_show_after_a_replug(plugged_in):
    port, link = plugged_in(faults={"unplug_at_scan": 2, "replug_after_s": 0.2}, interval_s=0.05)
    link.open()
    link.configure(SAMPLE)
    link.start()
    seen = []
    with pytest.raises(PortLost):  # noqa: PT012
        while True:
            received = link.read(LONG_S)
            if isinstance(received.message, Scan):
                seen.append(received.message.number)
    boot_id = link.info.boot_id
    assert reconnect(link, threading.Event(), lambda _error: None).boot_id == boot_id
    link.start()
    (after,) = scans(link, 1)
    assert set(seen) <= {0, 1, 2}
    assert after.message.number > 3
    assert port.call(lambda: after.message.number in port.device.presented)


def test_power_loss_shows_as_event_and_new_boot_id(plugged_in):
    _, link = plugged_in(faults={"power_loss_in_reference": True})
    first = link.open().boot_id
    link.configure(REFERENCE)
    link.start(5)
    events = [link.read(LONG_S).message.code for _ in range(2)]
    assert events == [EventCode.LAMP_STABLE, EventCode.RESTARTED]
    assert link.open().boot_id != first
    link.configure(REFERENCE)
    link.start(5)
    assert [r.message.number for r in scans(link, 5)] == [0, 1, 2, 3, 4]


def test_dropped_and_broken_frames_leave_gaps(plugged_in):
    _, link = plugged_in(faults={"drop_numbers": {1}, "flip_bits_at": {3}})
    link.open()
    link.configure(SAMPLE)
    link.start(6)
    assert [r.message.number for r in scans(link, 4)] == [0, 2, 4, 5]
    assert link.counters.crc_errors + link.counters.cobs_errors == 1


# ---- a hand-made peer


class Peer:
    """A raw pty whose other end answers every request by a function."""

    def __init__(self, answer):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.url = os.ttyname(self.slave)
        self._answer = answer
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        framer = Framer()
        while data := os.read(self.master, 4096):
            if b"\0bye" in data:
                return
            for body in framer.feed(data):
                header, message = decode(body)
                os.write(self.master, self._answer(header, message))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.write(self.slave, b"\0bye")
        self._thread.join()
        os.close(self.master)
        os.close(self.slave)


def respond(message, header, **options):
    return encode_frame(encode(message, header.sequence, 1, Flags.RESPONSE, **options))


INFO = Info(1, "S", "F", 1, 2, 65535, 0, (1.0, 1.0, 0.0, 0.0, 0.0, 0.0), 1, 2, 3)


def test_info_of_a_version_never_offered():
    def answer(header, message):
        if isinstance(message, Hello):
            return respond(Info(9, *list(vars(INFO).values())[1:]), header, version=9)
        return b""

    with (
        Peer(answer) as peer,
        Link(peer.url, reply_timeout_s=5.0) as link,
        pytest.raises(VersionMismatch, match="it chose version 9"),
    ):
        link.open()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"serial": ""}, "1 to 32 printable characters, received ''"),
        ({"serial": "   "}, "printable characters"),
        ({"serial": "\x1b]0;S\x07"}, r"printable characters, received '\\x1b"),
        ({"serial": "S\n\u202e"}, "printable characters"),
        ({"pixels": 0}, "1 to 4000 pixels, received 0"),
        ({"pixels": 4001}, "1 to 4000 pixels, received 4001"),
        ({"pixels": 65535}, "1 to 4000 pixels, received 65535"),
        ({"full_scale": 0}, "full scale above 0"),
        ({"min_integration_us": 3}, "received 3 and 2 us"),
        ({"min_integration_us": 0, "max_integration_us": 0}, "received 0 and 0 us"),
        ({"max_averages": 0}, "at least 1 exposure"),
    ],
)
def test_info_that_cannot_be_is_refused(wrong, words):
    info = replace(INFO, **wrong)
    with (
        Peer(lambda header, message: respond(info, header)) as peer,
        Link(peer.url, reply_timeout_s=5.0) as link,
        pytest.raises(InfoInvalid, match=words) as caught,
    ):
        link.open()
    assert str(caught.value).isprintable()
    assert not link.is_open


def test_a_firmware_version_is_escaped():
    info = replace(INFO, firmware="1\x1b[2J")
    with (
        Peer(lambda header, message: respond(info, header)) as peer,
        Link(peer.url, reply_timeout_s=5.0) as link,
    ):
        assert link.open().firmware == "1\\x1b[2J"


def test_scans_of_another_size_than_info_says_are_counted():
    intake = Intake()
    intake.pixels = 3
    for number, size in enumerate((3, 2, 0, 3)):
        scan = Scan(number, 1, 1, 2, 1, 20.0, 0, np.zeros(size, np.uint16))
        intake.take(encode_frame(encode(scan)), 0.0)
    assert intake.counters.malformed == 2
    assert [received.message.number for received in intake.inbox] == [0, 1, 2, 3]


def test_frames_bear_the_version_agreed_on_and_the_lowest_before(monkeypatch):
    for module in (link_module, codec):
        monkeypatch.setattr(module, "MAX_VERSION", 3)
    seen = []

    def answer(header, message):
        seen.append((type(message), header.version))
        info = Info(2, *list(vars(INFO).values())[1:])
        reply = info if isinstance(message, Hello) else Ack(message.TYPE)
        return respond(reply, header, version=header.version)

    with Peer(answer) as peer, Link(peer.url, reply_timeout_s=5.0) as link:
        link.open()
        link.start()
        link.open()
    assert seen == [(Stop, 1), (Hello, 1), (Start, 2), (Stop, 1), (Hello, 1)]


def test_frames_but_no_answer():
    def answer(header, message):
        return encode_frame(encode(ErrorReply(ErrorCode.MALFORMED, "what?"), 0))

    with Peer(answer) as peer, Link(peer.url, reply_timeout_s=0.5) as link:
        with pytest.raises(NoReply, match=r"does not answer.*It says 'what\?'"):
            link.open()
        assert link.counters.device_errors > 0


@pytest.mark.parametrize(
    ("wrong", "action", "words"),
    [
        (Ping(0), lambda link: link.ping(), "expected Ping"),
        (Ack(MessageType.STOP), lambda link: link.start(), "expected ACK of START"),
        (Ping(0), lambda link: link.configure(SAMPLE), "expected ACK of CONFIGURE"),
    ],
)
def test_the_wrong_answer_is_named(wrong, action, words):
    def answer(header, message):
        return respond(INFO if isinstance(message, Hello) else wrong, header)

    with Peer(answer) as peer, Link(peer.url, reply_timeout_s=5.0) as link:
        link.open()
        with pytest.raises(NoReply, match=words):
            action(link)


def test_hello_answered_by_something_else():
    with (
        Peer(lambda header, message: respond(Ack(1), header)) as peer,
        Link(peer.url, reply_timeout_s=5.0) as link,
        pytest.raises(NoReply, match="expected INFO"),
    ):
        link.open()


def test_hello_refused_for_another_reason():
    def answer(header, message):
        return respond(ErrorReply(77, "no lamp"), header)

    with (
        Peer(answer) as peer,
        Link(peer.url, reply_timeout_s=5.0) as link,
        pytest.raises(DeviceRefused, match=r"error 77 \(unknown code\), it says 'no lamp'"),
    ):
        link.open()


def test_a_lost_answer_is_asked_for_again():
    asked = []

    def answer(header, message):
        if isinstance(message, Hello | Stop):
            return respond(INFO, header)
        asked.append(header.sequence)
        return respond(Ack(message.TYPE), header) if len(asked) == 2 else b""

    with Peer(answer) as peer, Link(peer.url, reply_timeout_s=0.3) as link:
        link.open()
        link.configure(SAMPLE)
    assert len(asked) >= 2
    assert len(set(asked)) == 1


# ---- other transports


def test_over_a_tcp_socket(make_device):
    """pyserial's socket:// reports at most one byte waiting; scans must still come at once."""
    device = make_device()
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve():
        peer, _ = server.accept()
        with peer:
            while not stop.is_set():
                data = b""
                if select.select([peer], [], [], 0.005)[0] and not (data := peer.recv(4096)):
                    return
                peer.sendall(device.feed(data, time.monotonic()))

    thread = threading.Thread(target=serve)
    thread.start()
    with server, Link(f"socket://127.0.0.1:{server.getsockname()[1]}", reply_timeout_s=5.0) as link:
        link.open()
        link.configure(SAMPLE)
        link.start(20)
        assert [r.message.number for r in scans(link, 20)] == list(range(20))
        stop.set()
        thread.join()
        with pytest.raises(PortLost):
            link.read(LONG_S)


def test_nobody_listens_at_the_socket():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(PortMissing):
        Link(f"socket://127.0.0.1:{port}").open()


def test_over_a_port_without_a_descriptor():
    """loop:// returns what the host says: requests come back, and no reply to them."""
    with Link("loop://", reply_timeout_s=0.1) as link:
        with pytest.raises(NoReply):
            link.open()
        assert link.counters.stale > 0


@pytest.mark.parametrize(
    "url", ["socket://127.0.0.1", "rfc2217://h", "socket://h:", "socket://h:99999", "socket://h:x"]
)
def test_a_url_that_needs_a_port_number(url):
    with pytest.raises(PortMissing, match=r"socket://host:4001, received no port number"):
        Link(url).open()
