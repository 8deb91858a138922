"""A real socket, and programs of all kinds at its other end."""

from __future__ import annotations

import base64
import json
import os
import socket
import stat

import numpy as np
import pytest

from spektron_edge.commands.asked import CommandOutcome
from spektron_edge.door import listener as module
from spektron_edge.door.asking import Command, Note
from spektron_edge.door.client import DoorAway, DoorStream
from spektron_edge.door.connection import MOST_OPEN
from spektron_edge.door.lines import MOST_READ, MOST_SENT
from spektron_edge.door.telling import SpectrumTold
from spektron_edge.faults import Fault, Faults
from spektron_edge.outbox import Outgoing
from tests.integration.rig import until

from ..conftest import AXIS, NOW

HEALTH = Command(id="1", name="health", by="anna", role="viewer")


def record(number, kind="event", size=0):
    return Outgoing(f"{number}", kind, json.dumps({"n": number, "x": "x" * size}).encode())


def spectrum(scan, references, number=3, variance=None):
    absorbance = np.linspace(0.1, 1.0, AXIS.size)
    return SpectrumTold(f"R{number}", NOW.iso, scan, references, absorbance, variance)


def test_only_the_daemons_user_can_connect(door):
    assert stat.S_IMODE(door.path.stat().st_mode) == 0o600


def test_who_comes_in_is_told_the_last_of_everything_and_then_news(door, make_scan, references):
    door.tell(record(1, "event"), record(2, "prediction"))
    door.door.axis("VIRT-0001", AXIS)
    door.door.spectrum(spectrum(make_scan(), references))
    door.door.faults(((Fault(Faults.SATURATED, "much light"), NOW.iso),))
    with door.enter() as stream:
        told = [stream.receive() for _ in range(5)]
        assert [t["type"] for t in told] == ["hello", "axis", "prediction", "spectrum", "faults"]
        assert told[0]["door"] == 1
        assert told[2]["record"]["n"] == 2
        (fault,) = told[4]["faults"]
        assert (fault["code"], fault["message"]) == ("saturated", "much light")
        assert fault["next_step"] == Faults.SATURATED.value.next_step
        door.tell(*(record(n) for n in range(3, 60)))
        numbers = [stream.receive()["record"]["n"] for _ in range(57)]
    assert numbers == list(range(3, 60))


def test_a_spectrum_holds_the_numbers_of_the_scan(door, make_scan, references):
    full = np.zeros(AXIS.size, np.bool_)
    full[[4, 7]] = True
    scan = make_scan(full=full)
    variance = np.full(AXIS.size, 4e-6)
    door.door.spectrum(spectrum(scan, references, variance=variance))
    with door.enter() as stream:
        told = stream.until("spectrum")

    def values(name, dtype="<f4"):
        return np.frombuffer(base64.b64decode(told[name]), dtype)

    np.testing.assert_array_equal(values("counts"), scan.counts.astype(np.float32))
    np.testing.assert_array_equal(values("dark"), references.dark.astype(np.float32))
    np.testing.assert_array_equal(values("white"), references.white.astype(np.float32))
    np.testing.assert_allclose(values("sigma"), 2e-3, rtol=1e-6)
    assert values("absorbance").size == AXIS.size
    assert (told["saturated"], told["bad_pixels"]) == ([4, 7], [])
    assert (told["record"], told["scan"], told["utc"]) == ("R3", scan.number, NOW.iso)


def test_of_spectra_the_newest_wins_and_the_others_are_counted(door, make_scan, references):
    with door.enter() as stream:
        stream.until("faults")
        for number in range(50):
            door.door.spectrum(spectrum(make_scan(), references, number))
        door.door.wake()
        seen = [stream.until("spectrum")["record"]]
        while seen[-1] != "R49":
            seen.append(stream.until("spectrum")["record"])
    assert len(seen) + door.door.counters["door_dropped_spectra"] == 50


def test_an_answer_goes_to_who_asked(door):
    with door.enter() as one, door.enter() as other:
        one.send(HEALTH)
        until(lambda: door.asked, "the command")
        (asked,) = door.asked
        assert asked.line == HEALTH
        outcome = CommandOutcome(True, "fine", {"p99_ms": float("nan"), "names": ("a", "b")})
        door.door.answer(asked.connection, "1", outcome, "finished")
        door.tell(record(1))
        assert one.until("answer") == {
            "type": "answer",
            "id": "1",
            "stage": "finished",
            "ok": True,
            "message": "fine",
            "result": {"p99_ms": None, "names": ["a", "b"]},
        }
        while (told := other.receive())["type"] != "event":
            assert told["type"] != "answer"


def test_an_answer_to_who_has_left_is_nobodys(door):
    with door.enter() as stream:
        stream.send(HEALTH)
        until(lambda: door.asked, "the command")
    until(lambda: not door.door.somebody, "the end")
    with door.enter() as stream:
        door.door.answer(door.asked[0].connection, "1", CommandOutcome(True, "fine"), "finished")
        door.tell(record(1))
        while (told := stream.receive())["type"] != "event":
            assert told["type"] != "answer"


def test_an_answer_is_never_longer_than_a_line(door):
    with door.enter() as stream:
        stream.send(HEALTH)
        until(lambda: door.asked, "the command")
        much = CommandOutcome(True, "fine", {"list": ("x" * 1000,) * 2000})
        door.door.answer(door.asked[0].connection, "1", much, "finished")
        door.door.wake()
        answer = stream.until("answer")
    assert answer["ok"] is True
    assert "longer" in answer["result"]["left_out"]
    assert len(json.dumps(answer)) < MOST_SENT


@pytest.mark.parametrize(
    ("data", "id_", "why"),
    [
        (b"\n", None, "not a command"),
        (b"GET / HTTP/1.1\r\n", None, "not a command"),
        (b"\xff\xfe\n", None, "not a command"),
        (b'{"type":"command","id":"7"}\n', "7", "name"),
        (b'{"type":"note","id":"8","what":"x","who":"a"}\n', "8", "what"),
        (b"[" * 60_000 + b"\n", None, "not a command"),
        (b"x" * (MOST_READ + 1) + b"\n", None, "longer than"),
        (b"x" * 3_000_000 + b"\n", None, "longer than"),
    ],
    ids=["empty", "http", "no-utf8", "half", "note", "deep", "long", "very-long"],
)
def test_what_is_no_line_is_refused_and_the_next_is_read(door, data, id_, why):
    with door.enter() as stream:
        stream.send_bytes(data)
        answer = stream.until("answer")
        assert (answer["id"], answer["ok"], answer["stage"]) == (id_, False, "finished")
        assert why in answer["message"]
        stream.send(HEALTH)
        until(lambda: door.asked, "the command after it")
    assert door.door.counters["door_refused"] == 1


def test_a_line_may_come_in_pieces(door):
    data = HEALTH.model_dump_json().encode() + b"\n"
    with door.enter() as stream:
        for at in range(len(data)):
            stream.send_bytes(data[at : at + 1])
        until(lambda: door.asked, "the command")
    assert [a.line for a in door.asked] == [HEALTH]


def test_half_a_line_at_the_end_is_nothing(door):
    with door.enter() as stream:
        stream.send_bytes(HEALTH.model_dump_json().encode())
    until(lambda: not door.door.somebody, "the end")
    assert door.asked == []


def test_a_flood_is_refused_beyond_a_queue_and_nobody_else_notices(door):
    many = 4 * MOST_OPEN
    with door.enter() as flood, door.enter() as other:
        for number in range(many):
            flood.send(HEALTH.model_copy(update={"id": str(number)}))
        refused = [flood.until("answer") for _ in range(many - MOST_OPEN)]
        assert [r["id"] for r in refused] == [str(n) for n in range(MOST_OPEN, many)]
        assert not any(r["ok"] for r in refused)
        other.send(HEALTH)
        until(lambda: len(door.asked) == MOST_OPEN + 1, "the other's command")
        # What is answered makes room; what was only accepted does not.
        for asked in door.asked[:2]:
            stage = "finished" if asked is door.asked[0] else "accepted"
            door.door.answer(asked.connection, asked.line.id, CommandOutcome(True, "x"), stage)
        door.door.wake()
        flood.until("answer", id="1")
        flood.send(HEALTH.model_copy(update={"id": "one more"}))
        flood.send(HEALTH.model_copy(update={"id": "and another"}))
        assert flood.until("answer", ok=False)["id"] == "and another"


def test_who_does_not_read_is_cut_off_and_the_others_get_everything(open_door):
    door = open_door(silent_s=0.2)
    with door.enter() as deaf, door.enter() as other:
        number = 0
        while not door.door.counters["door_cut_off"]:
            door.tell(record(number, size=10_000))
            number += 1
            while other.until("event")["record"]["n"] != number - 1:
                pass
        assert door.door.counters["door_cut_off"] == 1
        door.tell(record("the last"))
        assert other.until("event")["record"]["n"] == "the last"
        with pytest.raises(DoorAway):
            deaf.until("what never comes")


def test_without_anybody_nothing_is_kept_but_the_last(door, make_scan, references):
    door.tell(*(record(n, "prediction") for n in range(5000)))
    assert not door.door._listener._handed
    with door.enter() as stream:
        assert stream.until("prediction")["record"]["n"] == 4999


def test_a_fifth_program_is_told_why_not(door):
    streams = [door.enter() for _ in range(module.MOST_CONNECTIONS)]
    with DoorStream(door.path) as fifth:
        answer = fifth.receive()
        assert (answer["type"], answer["ok"]) == ("answer", False)
        assert "connected already" in answer["message"]
        with pytest.raises(DoorAway):
            fifth.receive()
    for stream in streams:
        stream.__exit__()
    until(lambda: not door.door.somebody, "the end")
    door.enter().__exit__()


def test_another_user_is_shown_out(door, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    if os.getuid() == 0:
        monkeypatch.setattr(module, "_PEER", _Peer(4711))
    with DoorStream(door.path) as stream:
        assert "may not come in" in stream.receive()["message"]
    assert door.door.counters["door_refused"] == 1
    assert not door.door.somebody


class _Peer:
    """What the kernel says of a program of another user."""

    size = module._PEER.size

    def __init__(self, uid):
        self._uid = uid

    def unpack(self, data):
        pid, _, gid = module.struct.unpack("3i", data)
        return pid, self._uid, gid


def test_the_socket_of_a_killed_daemon_is_replaced(tmp_path, open_door):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "door.sock"))
    left.close()
    door = open_door()
    with door.enter() as stream:
        assert stream.receive()["type"] == "hello"
    door.door.close()
    assert not door.path.exists()


def test_a_file_of_that_name_stays(tmp_path, open_door):
    (tmp_path / "door.sock").write_text("mine")
    with pytest.raises(Fault, match="no socket") as caught:
        open_door()
    assert caught.value.kind is Faults.DOOR_SHUT
    assert (tmp_path / "door.sock").read_text() == "mine"


def test_a_path_that_is_too_long_is_told(tmp_path):
    from .conftest import Opened

    folder = tmp_path / ("n" * 110)
    folder.mkdir()
    with pytest.raises(Fault, match="too long") as caught:
        Opened(folder)
    assert caught.value.kind is Faults.DOOR_SHUT


def test_what_waits_at_the_end_is_sent(door):
    with door.enter() as stream:
        stream.send(HEALTH)
        until(lambda: door.asked, "the command")
        note = CommandOutcome(False, "the daemon was stopped")
        door.door.answer(door.asked[0].connection, "1", note, "finished")
        door.door.close()
        assert stream.until("answer")["message"] == "the daemon was stopped"
        with pytest.raises(DoorAway):
            stream.receive()


def test_a_mistake_of_its_own_is_told(open_door, monkeypatch):
    door = open_door()
    monkeypatch.setattr(door.door._listener, "_let_in", lambda _door: 1 / 0)
    with DoorStream(door.path) as stream, pytest.raises((DoorAway, OSError)):
        stream.receive()
    until(lambda: door.failed, "the fault")
    assert door.failed.pop().kind is Faults.DOOR_SHUT


def test_notes_are_read_as_they_are_sent(door):
    note = Note(id="9", what="page_signed_in", who="anna", details={"address": "127.0.0.1"})
    with door.enter() as stream:
        stream.send(note)
        until(lambda: door.asked, "the note")
    assert door.asked[0].line == note
