"""What is read of a damaged outbox is what was written."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from spektron_edge.outbox import (
    Outbox,
    OutboxDamagedError,
    OutboxError,
    OutboxFullError,
    Outgoing,
    Progress,
)
from spektron_edge.outbox.schema import open_database

from .records import UNLIMITED, damage, ids, record


def test_a_damaged_file_is_set_aside_and_kept(open_outbox, tmp_path):
    path = tmp_path / "outbox.sqlite"
    for number in (1, 2):
        outbox = open_outbox()
        outbox.commit([record(number)])
        outbox.close()
        damage(path)
        broken = path.read_bytes()
        again = open_outbox()
        assert again.salvaged.aside == tmp_path / f"outbox.sqlite.damaged-{number}"
        assert again.salvaged.aside.read_bytes() == broken
        assert ids(again) == []
        again.close()


def test_damage_anywhere_in_the_file_is_found_when_it_is_opened(open_outbox, tmp_path):
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox()
    outbox.commit([record(n, os.urandom(900)) for n in range(60)])
    outbox.close()
    whole = path.read_bytes()
    pages = len(whole) // 4096
    unnoticed = []
    for page in range(pages):
        path.write_bytes(whole)
        damage(path, page)
        again = open_outbox()
        if again.salvaged is None:
            unnoticed.append(page)
        else:
            again.salvaged.aside.unlink()
        again.close()
    assert pages > 10
    assert unnoticed == []


def named(number, size=900):
    """A record whose payload names it, as all real ones do."""
    record_id = f"{number:026d}"
    payload = json.dumps({"id": record_id, "x": "y" * size}).encode()
    return Outgoing(record_id, "prediction", payload)


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory):
    path = tmp_path_factory.mktemp("undamaged") / "outbox.sqlite"
    outbox = Outbox(path, UNLIMITED)
    outbox.commit([named(n) for n in range(60)], [Progress("S", 1, 59)])
    outbox.close()
    return path.read_bytes()


@given(
    damaged=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 4095)), min_size=1, max_size=4),
    filler=st.binary(min_size=1, max_size=2000),
)
# In the schema's text: SQLite quotes it in a message that is no UTF-8.
@example(damaged=[(0, 3573)], filler=b"\x80")
# A column of another name; the format's version and its schema's.
@example(damaged=[(0, 2909)], filler=b"_")
@example(damaged=[(0, 18)], filler=b"_")
@example(damaged=[(0, 47)], filler=b"_")
@example(damaged=[(0, 63)], filler=b"_")
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_is_read_of_a_damaged_file_is_what_was_written(undamaged, damaged, filler):
    written = {r.id: r for r in (named(n) for n in range(60))}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outbox.sqlite"
        raw = bytearray(undamaged)
        for page, offset in damaged:
            start = (page % (len(raw) // 4096)) * 4096 + offset
            raw[start : start + len(filler)] = filler[: max(0, len(raw) - start)]
        path.write_bytes(raw)
        if raw[60:64] != undamaged[60:64]:
            # Its number might be a later schema's, which is refused and left as it is.
            with suppress(OutboxError):
                Outbox(path, UNLIMITED).close()
            return
        again = Outbox(path, UNLIMITED)
        try:
            waiting = again.unsent(1000)
        except OutboxDamagedError:
            again.renew([], [])
            waiting = again.unsent(1000)
        if again.salvaged is not None:
            assert again.salvaged.records == len(waiting)
            assert again.salvaged.aside.exists()
        assert all(r == written[r.id] for r in waiting)
        again.commit([named(1000)])
        again.close()


def test_on_both_sides_of_the_damage_everything_is_read(open_outbox, tmp_path):
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox()
    outbox.commit([named(n) for n in range(60)], [Progress("S", 1, 60)])
    outbox.commit([], sent=[named(0).id])
    outbox.close()
    middle = path.read_bytes().find(named(30).payload[:40])
    damage(path, middle // 4096)
    again = open_outbox()
    numbers = {int(r.id) for r in again.unsent(100)}
    assert 50 <= again.salvaged.records < 59
    assert {1, 2, 3, 57, 58} <= numbers
    assert 30 not in numbers


def test_a_single_flipped_bit_of_a_result_is_damage(open_outbox, tmp_path):
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox()
    outbox.commit([named(n) for n in range(3)])
    outbox.close()
    raw = bytearray(path.read_bytes())
    raw[raw.find(named(1).payload[:40]) + 50] ^= 1
    path.write_bytes(raw)
    again = open_outbox()
    with pytest.raises(OutboxDamagedError, match="not what was written"):
        again.unsent(10)
    assert again.renew([], []).records == 2
    assert again.unsent(10) == [named(0), named(2)]


def test_small_tables_are_read_too(open_outbox, tmp_path):
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox()
    outbox.commit([named(n) for n in range(60)], [Progress("S", 1, 60)])
    outbox.commit([], refused=[(named(59).id, "Not authorized")])
    outbox.accept_counter("anna", 7)
    outbox.close()
    damage(path, path.read_bytes().find(named(30).payload[:40]) // 4096)
    again = open_outbox()
    assert again.counts()["refused"] == 1
    assert again.progress("S") == Progress("S", 1, 60)
    assert not again.accept_counter("anna", 7)


def test_damage_is_an_error_of_its_own_and_a_new_file_goes_on(open_outbox, tmp_path):
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox()
    outbox.commit([named(n) for n in range(60)], [Progress("S", 1, 60)])
    outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    outbox._db.execute("PRAGMA shrink_memory")
    for page in range(1, path.stat().st_size // 4096):
        damage(path, page)
    with pytest.raises(OutboxDamagedError):
        outbox.unsent(100)
    salvaged = outbox.renew([named(7), named(8)], [Progress("S", 1, 61)])
    assert salvaged.aside == tmp_path / "outbox.sqlite.damaged-1"
    assert outbox.in_place
    assert ids(outbox) == [named(7).id, named(8).id]
    assert outbox.progress("S").number == 61
    outbox.commit([named(9)])
    outbox.close()
    assert ids(open_outbox()) == [named(n).id for n in (7, 8, 9)]


def test_a_renewal_that_fails_is_tried_again(open_outbox, tmp_path, monkeypatch):
    outbox = open_outbox()
    outbox.commit([named(1)])
    with monkeypatch.context() as patch:

        def full(*_):
            raise sqlite3.OperationalError("database or disk is full")

        patch.setattr("spektron_edge.outbox.store.open_database", full)
        with pytest.raises(OutboxFullError):
            outbox.renew([], [])
    with pytest.raises(OutboxDamagedError):
        outbox.commit([named(2)])
    assert outbox.renew([], []).records == 1
    assert ids(outbox) == [named(1).id]
    assert len(list(tmp_path.glob("*.damaged-?"))) == 1


def test_no_room_for_what_was_read_is_no_reason_to_stop(open_outbox, tmp_path, monkeypatch):
    outbox = open_outbox()
    outbox.commit([named(n) for n in range(60)])
    outbox.close()
    damage(outbox.path, 3)

    def small(*asked):
        db = open_database(*asked)
        db.execute("PRAGMA max_page_count = 14")
        return db

    monkeypatch.setattr("spektron_edge.outbox.store.open_database", small)
    again = open_outbox()
    assert again.salvaged.records == 0
    assert again.salvaged.aside.exists()
    again.commit([named(1)])
    assert ids(again) == [named(1).id]


def test_a_check_and_a_salvage_that_take_long_say_that_they_get_on(open_outbox, tmp_path):
    outbox, checked, salvaged = open_outbox(), [], []
    outbox.commit([named(n) for n in range(3_000)])
    outbox.close()
    Outbox(outbox.path, UNLIMITED, step=lambda: checked.append(1)).close()
    assert checked
    damage(outbox.path, 30)
    again = Outbox(outbox.path, UNLIMITED, step=lambda: salvaged.append(1))
    again.close()
    assert len(salvaged) >= again.salvaged.records > 0
