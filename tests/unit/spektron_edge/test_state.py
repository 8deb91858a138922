from __future__ import annotations

import errno
import os
import shutil

import pytest

from spektron_edge.clock import Stamp
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.audit import verify
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


# ---- missing, removed


def used(open_it, counter=None):
    """A folder in which a daemon ran."""
    state = open_it()
    state.audit.append(AT, "daemon", "daemon_started", {})
    if counter is not None:
        assert state.accept_counter("anna", counter)
        state.audit.append(AT, "anna", "command_reload", {"ok": True, "counter": counter})
    (state.folder / "retained.json").write_text('{"format": 1, "retained": []}')
    return state


def lost(folder, *names):
    for name in names:
        for file in folder.glob(f"{name}*"):
            file.unlink()


def test_a_first_start_that_failed_is_no_loss(open_it):
    state = open_it()
    assert state.damage == []
    state.close()
    again = open_it()
    assert again.damage == []
    again.close()
    lost(state.folder, OUTBOX_FILE)
    assert open_it().damage == []


def test_bundles_may_be_there_before_the_first_start(open_it, tmp_path):
    folder = tmp_path / "state"
    (folder / "bundles").mkdir(parents=True)
    assert open_it(folder).damage == []


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((OUTBOX_FILE,), ["no gap before now can be named"]),
        ((AUDIT_FILE,), ["a new chain begins"]),
        ((OUTBOX_FILE, AUDIT_FILE), ["no gap", "a new chain begins", "give operators new keys"]),
    ],
    ids=lambda x: "+".join(x),
)
def test_what_is_missing_in_a_folder_that_was_in_use_is_said(open_it, names, told):
    state = used(open_it)
    state.close()
    lost(state.folder, *names)
    faults = open_it().damage
    assert {fault.kind for fault in faults} == {Faults.STATE_DAMAGED}
    assert len(faults) == len(told)
    for fault, words in zip(faults, told, strict=True):
        assert words in fault.detail


@pytest.mark.parametrize("became", ["missing", "an older copy", "damaged"])
def test_a_command_is_not_accepted_again_whatever_became_of_the_outbox(open_it, became):
    older = used(open_it, 5)
    older.close()
    copy = (older.folder / OUTBOX_FILE).read_bytes()
    state = open_it()
    assert state.accept_counter("anna", 9)
    state.audit.append(AT, "anna", "command_reload", {"ok": True, "counter": 9})
    state.close()
    lost(state.folder, OUTBOX_FILE)
    if became != "missing":
        (state.folder / OUTBOX_FILE).write_bytes(copy if became == "an older copy" else b"x" * 5000)
    again = open_it()
    assert not again.accept_counter("anna", 9)
    assert again.accept_counter("anna", 10)
    assert again.accept_counter("bert", 1)


def test_counters_are_those_of_a_log_whose_chain_broke_too(open_it):
    state = used(open_it, 7)
    state.close()
    log = state.folder / AUDIT_FILE
    log.write_bytes(b'junk "counter"\n' + log.read_bytes() + b'{"what": 1, "counter": [}\n')
    lost(state.folder, OUTBOX_FILE)
    again = open_it()
    assert not again.accept_counter("anna", 7)


def test_a_counter_that_was_reset_is_not_raised_again(open_it):
    state = used(open_it, 2**62)
    state.audit.append(AT, "local:carl", "counter_reset", {"operator": "anna", "counter": 50})
    state.close()
    lost(state.folder, OUTBOX_FILE)
    again = open_it()
    assert not again.accept_counter("anna", 50)
    assert again.accept_counter("anna", 51)


def test_the_lock_is_not_undone_by_deleting_its_file(open_it):
    state = open_it()
    (state.folder / "lock").unlink()
    assert fault_of(open_it).kind is Faults.STATE_IN_USE
    state.close()
    open_it()


def test_a_lock_file_that_cannot_be_written_to_is_in_nobodys_way(open_it, plain_folder):
    # Another user's: the folder's owner may remove it, and not write to it.
    (plain_folder / "lock").touch(mode=0o444)
    open_it(plain_folder).close()


@pytest.mark.parametrize(
    "names", [(OUTBOX_FILE,), (AUDIT_FILE,), ("",)], ids=["outbox", "audit", "all"]
)
def test_what_is_removed_while_it_is_open_is_put_back_and_said(open_it, names):
    state = used(open_it, 7)
    head, folder = state.audit.head, state.folder
    if names == ("",):
        shutil.rmtree(folder)
    else:
        lost(folder, *names)
    told = list(state.put_back())
    assert len(told) == (2 if names == ("",) else 1)
    assert list(state.put_back()) == []
    # Still one daemon at a time, in a new folder as well.
    assert fault_of(open_it).kind is Faults.STATE_IN_USE
    state.audit.append(AT, "anna", "b", {})
    state.close()
    assert verify(folder / AUDIT_FILE, head).found == 2
    again = open_it()
    assert again.damage == []
    assert again.audit.lines == 3
    assert not again.accept_counter("anna", 7)


def test_a_folder_that_another_daemon_made_anew_is_left_to_it(open_it):
    state = used(open_it)
    shutil.rmtree(state.folder)
    open_it()
    assert fault_of(list, state.put_back()).kind is Faults.STATE_IN_USE


def test_what_cannot_be_put_back_is_a_fault_until_it_can(open_it):
    state = used(open_it)
    shutil.rmtree(state.folder)
    state.folder.write_bytes(b"a file in its place")
    fault = fault_of(list, state.put_back())
    assert fault.kind is Faults.STATE_DAMAGED
    assert "removed while they were open" in fault.detail
    state.folder.unlink()
    assert len(list(state.put_back())) == 2
