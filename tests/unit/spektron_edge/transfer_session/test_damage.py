"""Damaged files, a full disk, another bundle: what was measured is not lost."""

from __future__ import annotations

import errno

from spektron_edge.faults import Faults
from spektron_edge.transfer_session import Session
from tests.corn_bench import SERIAL, configure, measure

from .sessions import refused


def test_a_damaged_file_of_spectra_says_which_sample_to_measure_again(session, cups):
    session.start(SERIAL)
    (sample,) = measure(session, cups, 1)
    work = session.store.read().work
    (session.store.folder_of(work) / work.added[0].file).write_bytes(b"PK not really")
    assert f"add sample {sample} again" in refused(Faults.STATE_DAMAGED, session.status)
    assert session.add(sample, cups.scans(sample)).verdict == "good"
    assert len(session.status().samples) == 1


def test_a_full_disk_is_not_filled_further(session, cups, monkeypatch):
    session.start(SERIAL)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        refused(Faults.DISK_FULL, session.add, "55", cups.scans("55"))
    assert not list(session.store.folder.rglob("*.partial"))


def test_two_damaged_files_can_be_added_again_one_by_one(session, cups):
    session.start(SERIAL)
    names = measure(session, cups, 3)
    work = session.store.read().work
    for added in work.added[:2]:
        (session.store.folder_of(work) / added.file).write_bytes(b"PK not really")
    for name in names[:2]:
        session.add(name, cups.scans(name))
    assert [s.verdict for s in session.status().samples] == ["good"] * 3


def test_a_file_with_other_numbers_than_were_added_is_damaged(session, cups):
    session.start(SERIAL)
    measure(session, cups, 2)
    work = session.store.read().work
    folder = session.store.folder_of(work)
    (folder / work.added[0].file).write_bytes((folder / work.added[1].file).read_bytes())
    assert "not those that were added" in refused(Faults.STATE_DAMAGED, session.status)


def test_a_damaged_session_says_how_to_go_on_and_is_kept(session, cups):
    session.start(SERIAL)
    measure(session, cups, 1)
    path = session.store.folder / "session.json"
    path.write_bytes(path.read_bytes()[:-9])
    assert "`spektron-edge transfer discard` sets it aside" in refused(
        Faults.STATE_DAMAGED, session.status
    )
    assert session.discard().endswith("session.json.damaged-1")
    session.start(SERIAL)
    measure(session, cups, 1)


def test_another_bundle_than_the_session_s_says_so(session, config, cups, tiny_bundle):
    session.start(SERIAL)
    configure(config.parent, f'bundle = "{tiny_bundle}"')
    detail = refused(Faults.TRANSFER_IMPOSSIBLE, Session(config, "x").status)
    assert "the open session is for corn of corn-1-" in detail
    Session(config, "x").discard()
