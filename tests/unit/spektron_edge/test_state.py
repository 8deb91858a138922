from __future__ import annotations

import errno
import os

import pytest

from spektron_edge.clock import Stamp
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE, open_state, storage_fault
from spektron_edge.outbox import Limits

LIMITS = Limits(10**9, 10**9)
AT = Stamp(1_800_000_000.0, 12.0, "boot-a")


@pytest.fixture
def open_it(tmp_path):
    opened = []

    def make(folder=tmp_path / "deep" / "state"):
        opened.append(open_state(folder, LIMITS))
        return opened[-1]

    yield make
    for state in opened:
        state.close()


def fault_of(action, *arguments) -> Fault:
    with pytest.raises(Fault) as caught:
        action(*arguments)
    return caught.value


def test_the_folder_is_made_and_sound(open_it):
    state = open_it()
    assert state.folder.is_dir()
    assert state.damage == []


def test_a_folder_belongs_to_one_daemon_at_a_time(open_it):
    state = open_it()
    fault = fault_of(open_it)
    assert fault.kind is Faults.STATE_IN_USE
    assert str(os.getpid()) in fault.detail
    state.close()
    open_it()


def test_a_damaged_outbox_is_set_aside_and_said(open_it):
    state = open_it()
    state.close()
    (state.folder / OUTBOX_FILE).write_bytes(b"x" * 5000)
    (fault,) = open_it().damage
    assert fault.kind is Faults.STATE_DAMAGED
    assert "outbox.sqlite.damaged-1" in fault.detail
    assert (state.folder / "outbox.sqlite.damaged-1").read_bytes() == b"x" * 5000


def test_a_broken_audit_log_is_set_aside_and_said(open_it):
    for number in (1, 2):
        state = open_it()
        state.audit.append(AT, "a", "b", {})
        state.audit.append(AT, "a", "b", {})
        state.close()
        log = state.folder / AUDIT_FILE
        log.write_bytes(log.read_bytes().replace(b'"a"', b'"x"', 1))
        again = open_it()
        (fault,) = again.damage
        assert fault.kind is Faults.STATE_DAMAGED
        assert (state.folder / f"{AUDIT_FILE}.damaged-{number}").exists()
        assert again.audit.lines == 0
        again.close()


def test_a_torn_audit_log_is_said(open_it):
    state = open_it()
    state.close()
    with (state.folder / AUDIT_FILE).open("ab") as stream:
        stream.write(b'{"half')
    (fault,) = open_it().damage
    assert "half a line" in fault.detail


@pytest.mark.parametrize("what", ["folder", OUTBOX_FILE, AUDIT_FILE, "lock"])
def test_what_cannot_be_written_is_a_fault_and_lets_others_in(open_it, tmp_path, what):
    folder = tmp_path / "state"
    if what == "folder":
        folder.write_bytes(b"a file")
    else:
        (folder / what).mkdir(parents=True)
    assert fault_of(open_it, folder).kind is Faults.STATE_UNWRITABLE
    if what == "folder":
        folder.unlink()
    else:
        (folder / what).rmdir()
    open_it(folder)


def test_a_damaged_outbox_that_cannot_be_set_aside_is_a_fault(open_it, monkeypatch):
    state = open_it()
    state.close()
    (state.folder / OUTBOX_FILE).write_bytes(b"x" * 5000)

    def refuse(path):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("spektron_edge.outbox.store._set_aside", refuse)
        assert fault_of(open_it).kind is Faults.STATE_UNWRITABLE
    open_it()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, Faults.DISK_FULL),
        (errno.EDQUOT, Faults.DISK_FULL),
        (errno.EACCES, Faults.STATE_UNWRITABLE),
        (errno.EROFS, Faults.STATE_UNWRITABLE),
    ],
)
def test_errors_of_the_system_have_their_faults(tmp_path, code, kind):
    fault = storage_fault(OSError(code, os.strerror(code), "file"), tmp_path)
    assert fault.kind is kind
    assert "file" in fault.detail
