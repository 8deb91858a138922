from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from spektron_edge.cli.main import main
from spektron_edge.clock import Stamp
from spektron_edge.faults import Faults
from spektron_edge.files.audit import GENESIS, Audit, AuditError, verify

FIXTURES = [HealthCheck.function_scoped_fixture]
AT = Stamp(1_800_000_000.0, 12.3456, "boot-a")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.jsonl"


@pytest.fixture
def open_audit(path):
    opened = []

    def make():
        opened.append(Audit(path))
        return opened[-1]

    yield make
    for audit in opened:
        audit.close()


def filled(open_audit, lines=6):
    audit = open_audit()
    for n in range(lines):
        audit.append(AT, "anna", "reload", {"n": n, "ok": True, "none": None, "x": 0.5})
    return audit


def test_an_empty_log_holds(open_audit, path):
    audit = open_audit()
    assert (audit.lines, audit.head) == (0, GENESIS)
    assert verify(path).head == GENESIS


def test_a_line_says_who_did_what_when_and_follows_the_line_before(open_audit, path):
    audit = filled(open_audit, 2)
    first, second = path.read_bytes().splitlines(keepends=True)
    assert json.loads(first) == {
        "number": 1,
        "previous": GENESIS,
        "utc": "2027-01-15T08:00:00.000Z",
        "running_s": 12.346,
        "boot": "boot-a",
        "who": "anna",
        "what": "reload",
        "details": {"n": 0, "ok": True, "none": None, "x": 0.5},
    }
    assert json.loads(second)["previous"] == hashlib.sha256(first).hexdigest()
    assert audit.head == hashlib.sha256(second).hexdigest()


def test_a_line_is_on_disk_when_append_returns(open_audit, path):
    audit = open_audit()
    head = audit.append(AT, "daemon", "started", {})
    assert verify(path).head == head


def test_the_chain_goes_on_after_it_was_opened_again(open_audit, path):
    before = filled(open_audit).head
    audit = open_audit()
    assert (audit.head, audit.lines) == (before, 6)
    audit.append(AT, "daemon", "started", {"text": "größe\n\u2028"})
    assert verify(path).lines == 7


@settings(suppress_health_check=FIXTURES, deadline=None)
@given(data=st.data())
def test_no_edit_above_the_last_line_goes_unnoticed(open_audit, path, data):
    path.unlink(missing_ok=True)
    head = filled(open_audit).head
    raw = bytearray(path.read_bytes())
    last = raw.rfind(b"\n", 0, -1)
    at, value = data.draw(st.tuples(st.integers(0, last), st.integers(0, 255)))
    assume(raw[at] != value)
    raw[at] = value
    path.write_bytes(raw)
    with pytest.raises(AuditError, match="line"):
        verify(path)
    assert head != GENESIS


@settings(suppress_health_check=FIXTURES, deadline=None)
@given(data=st.data())
def test_any_change_at_all_shows_in_the_chain_or_in_its_head(open_audit, path, data):
    path.unlink(missing_ok=True)
    head = filled(open_audit).head
    lines = path.read_bytes().splitlines(keepends=True)
    whole = list(lines)
    number = st.integers(0, len(lines) - 1)
    match data.draw(st.sampled_from(["edit", "delete", "insert", "swap", "cut"])):
        case "edit":
            line = lines[data.draw(number)]
            lines[lines.index(line)] = line.replace(b"anna", b"bert")
        case "delete":
            del lines[data.draw(number)]
        case "insert":
            lines.insert(data.draw(number), lines[data.draw(number)])
        case "swap":
            i, j = data.draw(number), data.draw(number)
            lines[i], lines[j] = lines[j], lines[i]
        case "cut":
            lines = lines[: data.draw(number)]
    assume(lines != whole)
    path.write_bytes(b"".join(lines))
    with contextlib.suppress(AuditError):
        assert verify(path).head != head


@pytest.mark.parametrize(
    "line", [b"{}", b"[]", b"null", b'"text"', b"\xff", b"no json", b"[" * 100_000, b""]
)
def test_a_line_that_is_no_audit_line_is_named(path, line):
    path.write_bytes(line + b"\n")
    with pytest.raises(AuditError, match="line 1"):
        verify(path)


@settings(suppress_health_check=FIXTURES, deadline=None)
@given(cut=st.integers(1, 150))
def test_a_torn_last_line_is_kept_and_the_log_goes_on(open_audit, tmp_path, cut):
    path = tmp_path / "audit.jsonl"
    for old in tmp_path.iterdir():
        old.unlink()
    filled(open_audit, 3)
    raw = path.read_bytes()
    path.write_bytes(raw[:-cut])
    half = raw[:-cut].rpartition(b"\n")[2]
    assert verify(path).torn == half
    audit = open_audit()
    assert audit.lines == 2
    assert audit.torn.read_bytes() == half
    audit.append(AT, "daemon", "started", {})
    chain = verify(path)
    assert (chain.lines, chain.torn) == (3, b"")


def test_torn_twice_at_the_same_line_both_halves_are_kept(open_audit, path):
    filled(open_audit, 1)
    for half in (b'{"one', b'{"two'):
        with path.open("ab") as stream:
            stream.write(half)
        torn = open_audit().torn
    assert torn.read_bytes() == b'{"one{"two'


def test_zeros_at_the_end_as_some_file_systems_leave_them_are_a_torn_line(open_audit, path):
    filled(open_audit, 2)
    with path.open("ab") as stream:
        stream.write(bytes(500))
    assert open_audit().torn.read_bytes() == bytes(500)
    assert verify(path).lines == 2


def failing(code):
    def fsync(_fd):
        raise OSError(code, os.strerror(code))

    return fsync


def test_a_failed_write_leaves_the_chain_whole(open_audit, path, monkeypatch):
    audit = filled(open_audit, 2)
    head = audit.head
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(errno.ENOSPC))
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                audit.append(AT, "anna", "lost", {})
    assert audit.head == head == verify(path).head
    audit.append(AT, "anna", "kept", {})
    assert verify(path).lines == 3
    assert b"lost" not in path.read_bytes()


def test_a_full_device_is_an_error_of_the_system_and_the_chain_goes_on_elsewhere(open_audit, path):
    audit = filled(open_audit, 2)
    whole = path.read_bytes()
    audit._stream.close()
    audit._stream = open("/dev/full", "r+b")  # noqa: PTH123, SIM115  what a full disk does, for real
    with pytest.raises(OSError, match="No space"):
        audit.append(AT, "anna", "lost", {})
    assert path.read_bytes() == whole
    audit.append(AT, "anna", "kept", {})
    assert verify(path).lines == 3


def test_a_disk_that_goes_away_altogether_and_returns_costs_only_the_lines_between(
    open_audit, path, monkeypatch
):
    audit = filled(open_audit, 2)
    away = path.with_name("away")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(errno.EIO))
        path.rename(away)
        for _ in range(3):
            with pytest.raises(OSError):  # noqa: PT011  EIO first, then ENOENT
                audit.append(AT, "anna", "lost", {})
    away.rename(path)
    audit.append(AT, "anna", "kept", {})
    assert verify(path).lines == 3
    assert b"lost" not in path.read_bytes()


def test_a_broken_chain_is_not_opened(open_audit, path):
    filled(open_audit)
    path.write_bytes(path.read_bytes().replace(b"anna", b"bert", 1))
    with pytest.raises(AuditError, match="line 2"):
        open_audit()


# ---- `spektron-edge audit verify`


@pytest.fixture
def verified(tmp_path, capsys):
    """verified(*options) -> exit status and report, of the log in a device's state folder."""
    config = tmp_path / "edge.toml"
    config.write_text(
        'site = "s"\ninstrument = "i"\nstate_dir = "."\n'
        '[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
    )

    def make(*options):
        status = main(["audit", "verify", "--config", str(config), "--json", *options])
        return status, json.loads(capsys.readouterr().out)

    return make


BROKEN = Faults.AUDIT_BROKEN.value.exit_status


def heads(path):
    return [hashlib.sha256(raw).hexdigest() for raw in path.read_bytes().splitlines(keepends=True)]


def test_a_chain_that_holds_is_told_with_its_head(open_audit, path, verified):
    head = filled(open_audit).head
    status, said = verified()
    assert (status, said["chain"], said["lines"], said["head"]) == (0, "holds", 6, head)
    status, said = verified("--head", heads(path)[3].upper(), "--lines", "6")
    assert (status, said["published head"]) == (0, "found at line 4, 2 lines before the end")
    assert verified("--head", head)[0] == 0
    assert verified("--head", GENESIS)[0] == 0


def test_lines_that_were_cut_off_show_by_the_published_head(open_audit, path, verified):
    head = filled(open_audit).head
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]))
    # The rest holds by itself.
    assert verified()[0] == 0
    status, said = verified("--head", head)
    assert status == BROKEN
    assert said["error"]["code"] == "audit_broken"
    assert f"head {head[:12]} not found in 4 lines: lines were cut off" in said["error"]["detail"]
    status, said = verified("--lines", "6")
    assert status == BROKEN
    assert "4 lines instead of 6" in said["error"]["detail"]


def test_the_line_that_breaks_the_chain_is_named(open_audit, path, verified):
    filled(open_audit)
    raw = path.read_bytes().splitlines(keepends=True)
    raw[2] = raw[2].replace(b"anna", b"bert")
    path.write_bytes(b"".join(raw))
    status, said = verified("--head", heads(path)[-1])
    assert status == BROKEN
    assert "line 4 does not follow" in said["error"]["detail"]


def test_an_unfinished_line_is_told_and_does_not_break_the_chain(open_audit, path, verified):
    head = filled(open_audit, 2).head
    with path.open("ab") as stream:
        stream.write(b'{"half')
    status, said = verified("--head", head)
    assert (status, said["chain"]) == (0, "holds; the last line is unfinished")


def test_what_was_set_aside_is_named(open_audit, path, verified):
    old = filled(open_audit, 3).head
    path.rename(path.with_name("audit.jsonl.damaged-1"))
    filled(open_audit, 2)
    assert verified()[1]["set aside"] == ["audit.jsonl.damaged-1"]
    assert verified("--head", old)[0] == BROKEN


def test_without_a_log_there_is_nothing_that_holds(verified):
    status, said = verified()
    assert status == BROKEN
    assert "there is no log" in said["error"]["detail"]


@pytest.mark.parametrize("options", [("--head", "abc"), ("--head", "g" * 64), ("--lines", "-1")])
def test_what_is_no_head_is_a_mistake_in_the_command(verified, options, capsys):
    with pytest.raises(SystemExit) as caught:
        verified(*options)
    assert caught.value.code == 2
