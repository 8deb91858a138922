"""Recordings: written, cut off, played back to a link that sees what the first one saw."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import serial

from firmware_bridge import link as link_module
from firmware_bridge.errors import PortLost, PortMissing
from firmware_bridge.framing import encode_frame
from firmware_bridge.link import Link
from firmware_bridge.protocol import Configure, Event, EventCode, Position, Scan
from firmware_bridge.recording.file import (
    FORMAT,
    Chunk,
    Note,
    RecordingError,
    Writer,
    read,
)
from firmware_bridge.recording.player import Player
from firmware_bridge.recording.recorder import record
from firmware_bridge.recording.script import speaks_spektron
from firmware_bridge.terminal import Terminal
from firmware_bridge.virtual import PtyPort
from tests.clocked import SAMPLE

MUCH = 1 << 24
LONG_S = 60.0


@contextmanager
def recorded(url, path, tmp_path, *, baud=921600, link=True, **caps):
    """A recorder between `url` and the link that is given; ends with the block."""
    terminal = Terminal(tmp_path / "between", baud) if link else None
    writer = Writer(path, url, baud, caps.pop("most_bytes", MUCH))
    stop, result = threading.Event(), []
    caps = {"longest_s": LONG_S} | caps
    thread = threading.Thread(
        target=lambda: result.append(record(url, baud, writer, terminal, stop, **caps))
    )
    thread.start()
    try:
        yield result, thread
    finally:
        stop.set()
        thread.join()
        writer.close()
        if terminal is not None:
            terminal.unplug()


@contextmanager
def played(path, tmp_path, **options):
    terminal = Terminal(tmp_path / "again", read(path).baud)
    player = Player(read(path), terminal, **options)
    stop = threading.Event()
    thread = threading.Thread(target=lambda: (player.play(stop), player.linger(stop)))
    thread.start()
    try:
        yield terminal.url, player
    finally:
        stop.set()
        thread.join()
        terminal.unplug()


def session(url, between=lambda: None):
    """What a host asks, and what it gets: scans, events, counters."""
    scans, events = [], []
    with Link(url, reply_timeout_s=10.0) as link:
        link.open()
        link.ping()
        link.configure(SAMPLE)
        link.start(5)
        while len(scans) < 4:
            received = link.read(LONG_S)
            assert received is not None
            if isinstance(received.message, Scan):
                scans.append(received.message)
        between()
        while not any(e.code == EventCode.RESTARTED for e in events):
            received = link.read(LONG_S)
            assert received is not None
            if isinstance(received.message, Event):
                events.append(received.message)
        link.configure(Configure(2000, 2, 1, Position.DARK))
        link.start(2)
        while len(scans) < 6:
            received = link.read(LONG_S)
            assert received is not None
            if isinstance(received.message, Scan):
                scans.append(received.message)
        link.stop()
        return scans, link.counters


def same(first, then):
    assert [s.number for s in first] == [s.number for s in then]
    for a, b in zip(first, then, strict=True):
        np.testing.assert_array_equal(a.counts, b.counts)


@pytest.mark.parametrize("speed", [1.0, 1000.0])
def test_a_session_with_faults_played_back_gives_the_same_scans_and_counters(
    make_device, tmp_path, speed
):
    """One frame is corrupt, and the instrument restarts in the middle."""
    path = tmp_path / "fault.jsonl"
    with (
        PtyPort(make_device(faults={"flip_bits_at": frozenset({2})})) as port,
        recorded(port.url, path, tmp_path),
    ):
        scans, counters = session(str(tmp_path / "between"), port.power_cycle)
    assert counters.crc_errors + counters.cobs_errors == 1
    with played(path, tmp_path, speed=speed) as (url, player):
        again, then = session(url)
    assert player.played.differing_count == 0
    same(scans, again)
    assert then == counters


def test_a_host_that_asks_for_something_else_is_told(make_device, tmp_path):
    path = tmp_path / "plain.jsonl"
    told = []

    def ask(url, settings, ping=False):
        with Link(url, reply_timeout_s=10.0) as link:
            link.open()
            if ping:
                link.ping()
            link.configure(settings)
            link.start(1)
            received = link.read(LONG_S)
            while not isinstance(received.message, Scan):
                received = link.read(LONG_S)
            return received.message

    with PtyPort(make_device()) as port, recorded(port.url, path, tmp_path):
        scan = ask(str(tmp_path / "between"), SAMPLE)
    with played(path, tmp_path, tell=told.append) as (url, player):
        again = ask(url, Configure(1000, 7, 1, Position.SAMPLE), ping=True)
    same([scan], [again])
    assert player.played.extra == 1
    assert player.played.differing_count == 1
    assert "averages=1" in told[0]
    assert "averages=7" in told[0]


def test_an_instrument_that_is_unplugged_and_plugged_in_again(make_device, tmp_path):
    path = tmp_path / "unplugged.jsonl"
    with (
        PtyPort(make_device(), link=tmp_path / "tty") as port,
        recorded(port.url, path, tmp_path),
    ):
        between = tmp_path / "between"
        with Link(str(between)) as link:
            link.open()
        port.unplug()
        while between.exists():
            threading.Event().wait(0.02)
        port.plug()
        while not between.exists():
            threading.Event().wait(0.02)
        with Link(str(between)) as link:
            link.open()
    notes = [line.text for line in read(path).lines if isinstance(line, Note)]
    assert notes == ["port lost", "port open again", "end: stopped"]
    with played(path, tmp_path) as (url, player):
        with Link(url) as link:
            link.open()
            with pytest.raises(PortLost):
                link.read(LONG_S)
        while not os.path.lexists(url):
            threading.Event().wait(0.02)
        with Link(url) as link:
            link.open()
    assert player.played.differing_count == 0


def test_an_additional_ping_does_not_hurry_a_stream(make_device, tmp_path):
    path = tmp_path / "stream.jsonl"
    scans = []

    def ask(url, *, ping):
        with Link(url, reply_timeout_s=10.0) as link:
            link.open()
            link.configure(SAMPLE)
            link.start(3)
            if ping:
                link.ping()
            stamps = []
            while len(stamps) < 3:
                received = link.read(LONG_S)
                if isinstance(received.message, Scan):
                    stamps.append(received.last_byte_at)
                    scans.append(received.message)
            link.configure(SAMPLE)
            return stamps[-1] - stamps[0]

    with (
        PtyPort(make_device(interval_s=0.2)) as port,
        recorded(port.url, path, tmp_path),
    ):
        ask(str(tmp_path / "between"), ping=False)
    with played(path, tmp_path) as (url, player):
        # As slow as it was then, or slower: 0.4 s.
        assert ask(url, ping=True) > 0.3
    assert player.played.extra == 1
    same(scans[:3], scans[3:])


def test_another_dialect_is_played_by_its_bytes(tmp_path):
    path = tmp_path / "ascii.jsonl"
    writer = Writer(path, "/dev/ttyUSB0", 9600, MUCH)
    for t, side, data in (
        (0.0, "host", b"h"),
        (0.1, "host", b"2\r"),
        (0.2, "instrument", b"SN"),
        (0.3, "instrument", b"42\r\n"),
        (0.4, "host", b"St\r"),
        (0.5, "instrument", b"25.5\r\n"),
    ):
        writer.chunk(t, side, data)
    writer.close()
    assert not speaks_spektron(read(path))
    told = []
    with (
        played(path, tmp_path, speed=10.0, tell=told.append) as (url, player),
        serial.Serial(url, 9600, timeout=LONG_S) as host,
    ):
        host.write(b"h2\r")
        assert host.read(6) == b"SN42\r\n"
        host.write(b"Sx\r")
        assert host.read(6) == b"25.5\r\n"
    assert told == ["at 0.400 s the recording has 53 74 0d, this host sent 53 78 0d"]
    assert player.played.differing_count == 1


def test_by_time_asks_for_nothing(tmp_path):
    path = tmp_path / "talks.jsonl"
    writer = Writer(path, "/dev/ttyUSB0", 9600, MUCH)
    writer.chunk(0.1, "instrument", b"1,2,3,\r\n")
    writer.chunk(0.2, "host", b"?")
    writer.chunk(0.3, "instrument", b"4,5,6,\r\n")
    writer.close()
    with (
        played(path, tmp_path, by_time=True) as (url, _),
        serial.Serial(url, 9600, timeout=LONG_S) as host,
    ):
        host.write(b"anything")
        assert host.read(8) == b"4,5,6,\r\n"


def test_listening_alone(tmp_path):
    path = tmp_path / "heard.jsonl"
    terminal = Terminal(None, 921600)
    with recorded(terminal.url, path, tmp_path, link=False) as (result, _):
        while b'"instrument"' not in path.read_bytes():
            # What comes before the port is open is nobody's.
            terminal.write(b"1,2,3\r\n", 1.0)
            threading.Event().wait(0.02)
    terminal.unplug()
    assert result[0].from_host == 0
    heard = b"".join(line.data for line in read(path).lines if isinstance(line, Chunk))
    assert heard.startswith(b"1,2,3\r\n")


def test_the_host_sets_the_speed_of_the_port(make_device, tmp_path):
    path = tmp_path / "baud.jsonl"
    with (
        PtyPort(make_device(baud=115200)) as port,
        recorded(port.url, path, tmp_path),
        Link(str(tmp_path / "between"), 115200) as link,
    ):
        assert link.open().pixels == 120
    assert Note in {type(line) for line in read(path).lines}
    assert "baud 115200" in path.read_text()


@pytest.mark.parametrize(
    ("caps", "why"), [({"longest_s": 0.05}, "are over"), ({"most_bytes": 10}, "reached its cap")]
)
def test_caps_end_it(make_device, tmp_path, caps, why):
    path = tmp_path / "capped.jsonl"
    with PtyPort(make_device()) as port, recorded(port.url, path, tmp_path, **caps) as (result, t):
        t.join()
    assert why in result[0].ended
    assert why in read(path).lines[-1].text


# ---- the file


def test_the_header_says_what_is_in_it(tmp_path):
    path = tmp_path / "x.jsonl"
    Writer(path, "/dev/ttyUSB0", 9600, MUCH).close()
    head = json.loads(path.read_text())
    assert set(head) == {"format", "url", "baud", "begun", "contains"}
    assert head["format"] == FORMAT
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_not_touched(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        Writer(path, "u", 9600, MUCH)
    assert path.read_text() == "mine"


def test_a_recording_is_readable_to_wherever_it_was_cut(tmp_path):
    path = tmp_path / "x.jsonl"
    writer = Writer(path, "u", 9600, MUCH)
    for n in range(3):
        writer.chunk(n, "host", bytes([n]))
    writer.close()
    whole = path.read_bytes()
    head = whole.index(b"\n") + 1
    for size in range(head, len(whole) + 1):
        path.write_bytes(whole[:size])
        recording = read(path)
        assert len(recording.lines) == whole[head:size].count(b"\n")
        assert recording.torn == (not path.read_bytes().endswith(b"\n"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage\n",
        "[]\n",
        '{"format": "spektron-recording/9"}\n',
        '{"format": "spektron-recording/1"}\n',
        '{"format": "spektron-recording/1", "url": "u", "baud": "x", "begun": "b"}\n',
        '{"format": "spektron-recording/1", "url": "u", "baud": 1, "begun": "b"}\n{}\n',
        '{"format": "spektron-recording/1", "url": "u", "baud": 1, "begun": "b"}\n[]\n',
        '{"format": "spektron-recording/1", "url": "u", "baud": 1, "begun": "b"}\n'
        '{"t": 1, "from": "nobody", "hex": "00"}\n',
        '{"format": "spektron-recording/1", "url": "u", "baud": 1, "begun": "b"}\n'
        '{"t": 1, "from": "host", "hex": "0"}\n',
    ],
)
def test_what_is_no_recording_is_told(tmp_path, text):
    refused(tmp_path, text)


def refused(tmp_path, text) -> str:
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(RecordingError, match=r"x\.jsonl") as caught:
        read(path)
    assert str(caught.value).isprintable()
    return str(caught.value)


HEAD = '{"format": "spektron-recording/1", "url": "u", "baud": %s, "begun": "b"}\n'
CHUNK = '{"t": %s, "from": "host", "hex": "00"}\n'
DEEP = "[" * 100_000


@pytest.mark.parametrize("baud", ["-5", "0", "1" + "0" * 30, '"9600"', "9600.5", "true", "null"])
def test_a_speed_that_no_line_has(tmp_path, baud):
    assert "expected in its header a `baud`" in refused(tmp_path, HEAD % baud)


@pytest.mark.parametrize(
    "t", ["NaN", "Infinity", "-Infinity", "1e300", "-1", '"1"', "true", "null"]
)
def test_a_time_that_is_none(tmp_path, t):
    assert "line 2: expected " in (told := refused(tmp_path, HEAD % 9600 + CHUNK % t))
    assert '"t"' in told


def test_times_that_run_backwards(tmp_path):
    text = HEAD % 9600 + CHUNK % 2.5 + CHUNK % 2.5 + CHUNK % 2.4
    assert 'line 4: expected "t" from 2.5' in refused(tmp_path, text)


@pytest.mark.parametrize("text", [DEEP + "\n", HEAD % 9600 + DEEP + "\n"], ids=["header", "line"])
def test_json_nested_without_end(tmp_path, text):
    refused(tmp_path, text)


@pytest.mark.parametrize(
    "line", ['"hex": 5', '"hex": "0"', '"hex": "\\ud800"', '"hex": null', '"note": 3'], ids=str
)
def test_a_line_without_bytes(tmp_path, line):
    text = HEAD % 9600 + '{"t": 1, "from": "host", ' + line + "}\n"
    assert 'expected "from"' in refused(tmp_path, text)


def test_no_port_to_begin_with(tmp_path):
    writer = Writer(tmp_path / "x", "/dev/absent", 9600, MUCH)
    with pytest.raises(PortMissing):
        record("/dev/absent", 9600, writer, None, threading.Event(), longest_s=1.0)
    writer.close()


def test_a_frame_that_nobody_could_read_is_played_as_it_was(tmp_path):
    path = tmp_path / "x.jsonl"
    writer = Writer(path, "u", 9600, MUCH)
    writer.chunk(0.0, "host", encode_frame(b"\x01" * 20)[:-1] + b"\0")
    writer.chunk(0.1, "instrument", b"\xff\xff\0\0tail")
    writer.close()
    with (
        played(path, tmp_path, by_time=True) as (url, _),
        serial.Serial(url, 9600, timeout=LONG_S) as host,
    ):
        host.write(b"x")
        assert host.read(8) == b"\xff\xff\0\0tail"


@pytest.mark.parametrize("speed", [1.0, 20.0])
def test_who_it_is_may_be_asked_at_other_times_than_then(make_device, tmp_path, monkeypatch, speed):
    monkeypatch.setattr(link_module, "SURE_FOR_S", 0.1)

    def streamed(url):
        with Link(url, reply_timeout_s=10.0) as link:
            link.open()
            link.configure(SAMPLE)
            link.start()
            found = []
            while len(found) < 40:
                if isinstance((received := link.read(LONG_S)).message, Scan):
                    found.append(received.message)
            link.stop()
            return found

    path = tmp_path / "asked.jsonl"
    with PtyPort(make_device(interval_s=0.02)) as port, recorded(port.url, path, tmp_path):
        scans = streamed(str(tmp_path / "between"))
    monkeypatch.setattr(link_module, "SURE_FOR_S", 0.03)
    with played(path, tmp_path, speed=speed) as (url, player):
        same(scans, streamed(url))
    assert player.played.differing_count == 0
    assert player.played.extra > 0
