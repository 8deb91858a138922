"""Log lines in the journal's own protocol, as a socket receives them."""

from __future__ import annotations

import logging
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge import log
from spektron_edge.faults import Fault, Faults
from spektron_edge.service.journal import Journal, field_name, is_journal


class JournalEnd:
    """Where the journal would read."""

    def __init__(self, path):
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(10.0)

    def entry(self):
        """The fields of the next one, as the protocol's description reads them."""
        data, fields = self._socket.recv(2**20), {}
        while data:
            head, _, rest = data.partition(b"\n")
            name, assigned, value = head.partition(b"=")
            if assigned:
                data = rest
            else:
                size = int.from_bytes(rest[:8], "little")
                value, data = rest[8 : 8 + size], rest[8 + size :]
                assert data[:1] == b"\n"
                data = data[1:]
            fields[name.decode()] = value.decode()
        return fields

    def close(self):
        self._socket.close()


@pytest.fixture(scope="module")
def end(tmp_path_factory):
    end = JournalEnd(tmp_path_factory.mktemp("journal") / "socket")
    yield end
    end.close()


@pytest.fixture
def stderr(tmp_path, monkeypatch, end):
    """A stream that the journal is behind; what is written to it itself."""
    logger = logging.getLogger("spektron_edge")
    before = logger.handlers[:], logger.level, logger.propagate
    path = tmp_path / "stderr"
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        monkeypatch.setattr("spektron_edge.log.SOCKET", end.path)
        yield stream
    log.set_up("text", "info")
    logger.handlers[:], logger.level, logger.propagate = before


def test_an_event_arrives_with_its_fields(end, stderr):
    log.set_up("json", "info", stderr, instrument="m5")
    log.info("connected", url="mqtt://h", n=3)
    assert end.entry() == {
        "MESSAGE": "connected url=mqtt://h n=3",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "spektron-edge",
        "SPEKTRON_INSTRUMENT": "m5",
        "SPEKTRON_EVENT": "connected",
        "SPEKTRON_URL": "mqtt://h",
        "SPEKTRON_N": "3",
    }
    stderr.flush()
    assert os.fstat(stderr.fileno()).st_size == 0


def test_a_fault_is_an_error_with_detail_and_next_step(end, stderr):
    log.set_up("text", "info", stderr)
    log.fault(Fault(Faults.PORT_BUSY, "somebody has it"))
    entry = end.entry()
    assert entry["PRIORITY"] == "3"
    assert entry["SPEKTRON_EVENT"] == "port_busy"
    assert entry["SPEKTRON_DETAIL"] == "somebody has it"
    assert entry["SPEKTRON_NEXT"] == Faults.PORT_BUSY.value.next_step


def test_several_lines_stay_one_field(end, stderr):
    log.set_up("text", "debug", stderr)
    log.warn("unexpected", trace="line 1\nPRIORITY=0\n\nline 4\n")
    entry = end.entry()
    assert entry["PRIORITY"] == "4"
    assert entry["SPEKTRON_TRACE"] == "line 1\nPRIORITY=0\n\nline 4\n"
    assert "\n" not in entry["MESSAGE"]


@given(value=st.text(max_size=200))
def test_whatever_a_value_holds_it_is_that_value(end, value):
    journal = Journal(end.path)
    journal.send({"SPEKTRON_A": value, "SPEKTRON_B": 1})
    journal.close()
    sent = value.encode(errors="backslashreplace").decode()
    assert end.entry() == {"SPEKTRON_A": sent, "SPEKTRON_B": "1"}


def test_a_field_of_any_size_arrives_cut(end, stderr):
    log.set_up("text", "info", stderr)
    log.info("large", what="x" * 10**6)
    assert end.entry()["SPEKTRON_WHAT"].endswith("x [cut]")


def test_a_level_that_is_not_asked_for_does_not_arrive(end, stderr):
    log.set_up("text", "warning", stderr)
    log.info("quiet")
    log.warn("loud")
    assert end.entry()["SPEKTRON_EVENT"] == "loud"


@pytest.mark.parametrize("fails", ["from the start", "later"])
def test_without_the_journal_lines_go_to_the_stream(tmp_path, stderr, monkeypatch, fails):
    path = tmp_path / "absent"
    if fails == "later":
        gone = JournalEnd(path)
    monkeypatch.setattr("spektron_edge.log.SOCKET", str(path))
    log.set_up("text", "info", stderr)
    if fails == "later":
        gone.close()
    log.info("event", a=1)
    stderr.flush()
    assert (tmp_path / "stderr").read_text().endswith("info    event a=1\n")


def test_another_stream_than_the_journal_s_is_no_journal(tmp_path, stderr, capsys):
    inherited = os.environ["JOURNAL_STREAM"]
    with (tmp_path / "redirected").open("w") as other:
        assert not is_journal(other, inherited)
    assert is_journal(stderr, inherited)
    assert not is_journal(stderr, None)
    assert not is_journal(stderr, "rubbish")


@pytest.mark.parametrize(
    ("name", "field"), [("url", "SPEKTRON_URL"), ("p99-ms", "SPEKTRON_P99_MS"), ("ü", "SPEKTRON__")]
)
def test_names_are_such_as_the_journal_takes(name, field):
    assert field_name(name) == field
