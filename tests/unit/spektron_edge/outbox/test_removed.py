"""Files that are removed while they are open, or may only be read."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from spektron_edge.outbox import Outbox, OutboxError, Progress

from .records import UNLIMITED, ids, record


def remove(path, *endings):
    for ending in endings:
        path.with_name(path.name + ending).unlink()


@pytest.mark.parametrize(
    "endings", [("",), ("-wal",), ("-shm",), ("-wal", "-shm"), ("", "-wal", "-shm")], ids="+".join
)
def test_what_was_removed_while_it_was_open_is_put_back_whole(open_outbox, tmp_path, endings):
    outbox = open_outbox()
    outbox.commit([record(n, bytes(900)) for n in range(60)], [Progress("S", 1, 60)])
    outbox.accept_counter("anna", 7)
    assert outbox.in_place
    remove(outbox.path, *endings)
    assert not outbox.in_place
    outbox.commit([record(60)], sent=["id-000000"])
    assert outbox.put_back() is None
    assert outbox.in_place
    outbox.commit([record(61)])
    # As after kill -9: nothing was closed.
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tmp_path.glob("outbox.sqlite*"):
        shutil.copy(file, copy)
    again = open_outbox(copy / "outbox.sqlite")
    assert again.salvaged is None
    assert ids(again) == [f"id-{n:06d}" for n in range(1, 62)]
    assert again.counts()["sent"] == 1
    assert again.progress("S") == Progress("S", 1, 60)
    assert not again.accept_counter("anna", 7)
    assert sorted(f.name for f in tmp_path.glob("outbox*")) == [
        "outbox.sqlite",
        "outbox.sqlite-shm",
        "outbox.sqlite-wal",
    ]


def test_another_file_under_its_name_is_kept(open_outbox, tmp_path):
    outbox = open_outbox()
    outbox.commit([record(1)])
    (tmp_path / "older").write_bytes(b"an older copy")
    (tmp_path / "older").replace(outbox.path)
    aside = outbox.put_back()
    assert aside.read_bytes() == b"an older copy"
    assert list(tmp_path.glob("*damaged*")) == [aside]
    outbox.close()
    assert ids(open_outbox()) == ["id-000001"]


def test_what_cannot_be_put_back_yet_goes_on_and_is_put_back_later(open_outbox, tmp_path):
    outbox = open_outbox()
    outbox.commit([record(1)])
    remove(outbox.path, "", "-wal", "-shm")
    (tmp_path / "outbox.sqlite.partial").mkdir()
    with pytest.raises(OSError, match="partial"):
        outbox.put_back()
    outbox.commit([record(2)])
    (tmp_path / "outbox.sqlite.partial").rmdir()
    outbox.put_back()
    outbox.close()
    assert ids(open_outbox()) == ["id-000001", "id-000002"]


def test_a_file_that_may_only_be_read_is_refused_and_named(plain_folder):
    path = plain_folder / "outbox.sqlite"
    Outbox(path, UNLIMITED).close()
    path.chmod(0o444)
    with pytest.raises(OutboxError, match=r"outbox\.sqlite cannot be written"):
        Outbox(path, UNLIMITED)
    assert list(plain_folder.iterdir()) == [path]
    path.chmod(0o644)
    open_files = Outbox(path, UNLIMITED)
    open_files.commit([record(1)])
    for side in ("-wal", "-shm"):
        shutil.copy(path.with_name(path.name + side), plain_folder / f"kept{side}")
    open_files.close()
    for side in ("-wal", "-shm"):
        file = (plain_folder / f"kept{side}").rename(path.with_name(path.name + side))
        file.chmod(0o444)
        with pytest.raises(OutboxError, match=f"outbox\\.sqlite{side} cannot be written"):
            Outbox(path, UNLIMITED)
        file.chmod(0o644)
    again = Outbox(path, UNLIMITED)
    assert ids(again) == ["id-000001"]
    again.close()


def test_a_connection_that_may_only_read_writes_again_once_the_file_allows_it(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(1)])
    outbox._db.close()
    outbox._db = sqlite3.connect(
        f"{outbox.path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    with pytest.raises(OutboxError, match="readonly"):
        outbox.commit([record(2)])
    outbox.make_writable()
    outbox.commit([record(2)])
    assert ids(outbox) == ["id-000001", "id-000002"]
    assert outbox.in_place
