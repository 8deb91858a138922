from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spektron_edge.clock import Stamp
from spektron_edge.outbox import (
    Limits,
    Outbox,
    OutboxDamagedError,
    OutboxError,
    OutboxFullError,
    Outgoing,
    Progress,
    read_counts,
)
from spektron_edge.outbox.clock import OutboxClock
from spektron_edge.outbox.schema import SCHEMA_VERSION, open_database

UNLIMITED = Limits(10**9, 10**9)


def record(number, payload=b"{}", kind="prediction") -> Outgoing:
    return Outgoing(f"id-{number:06d}", kind, payload)


def ids(outbox, limit=1000):
    return [r.id for r in outbox.unsent(limit)]


def counts(unsent=0, sent=0, refused=0, full=0, **others):
    return {
        "unsent": unsent,
        "sent": sent,
        "sent_again": 0,
        "refused": refused,
        "dropped_full": full,
        "dropped_old": 0,
        "dropped_refused": 0,
        **others,
    }


class Hours:
    """The host's clocks, moved by hand."""

    def __init__(self, boot="a"):
        self.running_s, self.boot, self.utc_s = 1000.0, boot, 0.0

    def now(self):
        return Stamp(self.utc_s, self.running_s, self.boot)

    def pass_by(self, hours):
        self.running_s += 3600 * hours

    def reboot(self, up_hours=0.0):
        self.running_s, self.boot = 3600 * up_hours, self.boot + "'"


# ---- in and out


def test_records_come_out_as_they_went_in_and_in_order(open_outbox):
    outbox = open_outbox()
    records = [record(n, bytes([n]), "event" if n % 2 else "prediction") for n in range(9)]
    outbox.commit(records[:4])
    outbox.commit(records[4:])
    assert outbox.unsent(100) == records
    assert outbox.unsent(3) == records[:3]


def test_what_is_sent_is_not_offered_again(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(n) for n in range(4)])
    outbox.commit([], sent=["id-000001", "id-000003"])
    assert ids(outbox) == ["id-000000", "id-000002"]
    assert outbox.counts() == counts(2, 2, 0, 0)


def test_a_refused_record_is_kept_and_offered_again_when_asked(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(n) for n in range(3)])
    outbox.commit([], refused=[("id-000001", "not authorised")])
    assert ids(outbox) == ["id-000000", "id-000002"]
    assert outbox.counts()["refused"] == 1
    assert outbox.retry_refused(100) == 1
    assert ids(outbox) == ["id-000000", "id-000001", "id-000002"]
    assert outbox.retry_refused(100) == 0


def test_an_id_that_is_there_already_undoes_the_whole_commit(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(1)], [Progress("S", 1, 1)])
    with pytest.raises(OutboxError, match="UNIQUE"):
        outbox.commit([record(2), record(1)], [Progress("S", 1, 2)])
    assert ids(outbox) == ["id-000001"]
    assert outbox.progress("S") == Progress("S", 1, 1)


def test_progress_is_kept_for_every_instrument(open_outbox):
    outbox = open_outbox()
    assert outbox.progress("A") is None
    outbox.commit([], [Progress("A", 1, 10)])
    outbox.commit([], [Progress("B", 2**32 - 1, 2**32 - 1)])
    outbox.commit([], [Progress("A", 3, 0)])
    assert outbox.progress("A") == Progress("A", 3, 0)
    assert outbox.progress("B") == Progress("B", 2**32 - 1, 2**32 - 1)


def test_everything_is_there_after_it_was_opened_again(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(n) for n in range(4)], [Progress("S", 5, 9)])
    outbox.commit([], sent=["id-000000"])
    outbox.commit([], refused=[("id-000001", "why")])
    outbox.accept_counter("anna", 7)
    outbox.close()
    again = open_outbox()
    assert ids(again) == ["id-000002", "id-000003"]
    assert again.counts() == counts(2, 1, 1, 0)
    assert again.progress("S") == Progress("S", 5, 9)
    assert not again.accept_counter("anna", 7)
    assert again.salvaged is None


@pytest.mark.parametrize("counter", [1, 5, 2**63 - 1])
def test_a_counter_is_accepted_once(open_outbox, counter):
    outbox = open_outbox()
    assert outbox.accept_counter("anna", counter)
    assert not outbox.accept_counter("anna", counter)
    assert not outbox.accept_counter("anna", counter - 1)
    assert outbox.accept_counter("bert", counter)


# ---- caps


def test_acknowledged_records_beyond_their_share_go_first(open_outbox):
    outbox = open_outbox(limits=Limits(max_bytes=100, keep_sent_bytes=20))
    outbox.commit([record(n, bytes(10)) for n in range(8)])
    outbox.commit([], sent=[f"id-{n:06d}" for n in range(4)])
    assert not outbox.prune()
    assert outbox.counts() == counts(4, 2, 0, 0)


def test_acknowledged_records_make_room_for_those_that_wait(open_outbox):
    outbox = open_outbox(limits=Limits(max_bytes=50, keep_sent_bytes=50))
    outbox.commit([record(n, bytes(10)) for n in range(8)])
    outbox.commit([], sent=[f"id-{n:06d}" for n in range(4)])
    assert not outbox.prune()
    assert outbox.counts() == counts(4, 1, 0, 0)


def test_over_the_cap_the_oldest_waiting_records_are_dropped_and_counted(open_outbox):
    outbox = open_outbox(limits=Limits(max_bytes=30, keep_sent_bytes=30))
    outbox.commit([record(n, bytes(10)) for n in range(5)])
    outbox.commit([], refused=[("id-000000", "why")])
    assert outbox.prune() == {"full": 2}
    assert ids(outbox) == ["id-000002", "id-000003", "id-000004"]
    outbox.commit([record(9, bytes(10))])
    assert outbox.prune() == {"full": 1}
    outbox.close()
    assert open_outbox().counts()["dropped_full"] == 3


def test_refused_records_have_a_cap_of_their_own(open_outbox):
    outbox = open_outbox(limits=Limits(1000, 1000, keep_refused_bytes=20))
    outbox.commit([record(n, bytes(10)) for n in range(5)])
    outbox.commit([], refused=[(record(n).id, "no") for n in range(4)])
    assert outbox.prune() == {"refused": 2}
    assert outbox.counts() == counts(1, 0, 2, dropped_refused=2)


HOUR = 3600.0


@pytest.fixture
def hours():
    return Hours()


@pytest.fixture
def aging(open_outbox, tmp_path, hours):
    """Open an outbox that keeps the unacknowledged for 10 hours, the acknowledged for 2."""
    limits = Limits(10**6, 10**6, max_age_s=10 * HOUR, keep_sent_s=2 * HOUR)
    return lambda: open_outbox(tmp_path / "outbox.sqlite", limits, hours)


def test_what_waits_for_too_long_is_dropped_and_counted(aging, hours):
    outbox = aging()
    outbox.commit([record(1)])
    hours.pass_by(9.9)
    outbox.commit([record(2)])
    assert not outbox.prune()
    hours.pass_by(0.2)
    assert outbox.prune() == {"old": 1}
    assert ids(outbox) == [record(2).id]
    assert outbox.counts()["dropped_old"] == 1


def test_acknowledged_records_go_so_long_after_their_acknowledgement_uncounted(aging, hours):
    outbox = aging()
    outbox.commit([record(1), record(2)])
    hours.pass_by(9)
    outbox.commit([], sent=[record(1).id])
    hours.pass_by(0.9)
    outbox.commit([], sent=[record(2).id])
    hours.pass_by(1.2)
    assert not outbox.prune()
    assert outbox.counts() == counts(sent=1)
    hours.pass_by(1)
    assert not outbox.prune()
    assert outbox.counts() == counts()


def test_the_wall_clock_makes_nothing_old(aging, hours):
    outbox = aging()
    outbox.commit([record(1)])
    hours.utc_s = 4e9
    assert not outbox.prune()


def test_ages_go_on_while_no_daemon_runs(aging, hours):
    outbox = aging()
    outbox.commit([record(1)])
    outbox.close()
    hours.pass_by(11)
    assert aging().prune() == {"old": 1}


def test_across_a_reboot_only_time_that_certainly_passed_counts(aging, hours):
    outbox = aging()
    hours.pass_by(5)
    outbox.commit([record(1)])
    outbox.close()
    hours.reboot(up_hours=6)  # and nobody knows how long it was off
    outbox = aging()
    hours.pass_by(3.9)
    assert not outbox.prune()
    outbox.close()
    hours.reboot()
    outbox = aging()
    assert not outbox.prune()
    hours.pass_by(0.2)
    assert outbox.prune() == {"old": 1}


def test_a_killed_daemon_s_clock_goes_on_from_its_last_upkeep(aging, hours):
    aging().prune()
    hours.pass_by(1)
    outbox = aging()  # as after kill -9: nothing was closed
    outbox.commit([record(1)])
    hours.pass_by(9.9)
    assert not outbox.prune()
    hours.pass_by(0.2)
    assert outbox.prune() == {"old": 1}


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["pass", "reboot", "open"]), st.floats(0, 1e6)), max_size=20
    )
)
def test_the_outbox_s_clock_never_runs_back_and_never_ahead(steps):
    hours = Hours()
    clock, true, shown = OutboxClock(hours, None), 0.0, 0.0
    for what, amount in steps:
        if what == "pass":
            hours.running_s += amount
            true += amount
        elif what == "reboot":
            last = clock.read()
            hours.reboot(amount / HOUR)
            true += amount  # at least
            clock = OutboxClock(hours, last)
        else:
            clock = OutboxClock(hours, clock.read())
        now = clock.read().outbox_s
        assert shown <= now <= true * (1 + 1e-9) + 1e-6
        shown = now


def test_an_empty_outbox_has_nothing_to_prune(open_outbox):
    assert not open_outbox(limits=Limits(1, 0)).prune()


# ---- accidents

WRITER = """
import sys
from pathlib import Path
from spektron_edge.outbox import Limits, Outbox, Outgoing, Progress
outbox = Outbox(Path(sys.argv[1]), Limits(10**9, 10**9))
for n in range(100_000):
    outbox.commit([Outgoing(f"id-{n:06d}", "prediction", b"x" * 500)], [Progress("S", 1, n)])
    print(n, flush=True)
"""


@pytest.mark.parametrize("after", [1, 40])
def test_after_kill_9_every_commit_that_returned_is_there(open_outbox, tmp_path, after):
    path = tmp_path / "outbox.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        seen = -1
        while seen < after:
            seen = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
    last = int(rest[-1]) if rest else seen
    outbox = open_outbox(path)
    assert outbox.salvaged is None
    stored = ids(outbox, 100_000)
    assert stored[: last + 1] == [record(n).id for n in range(last + 1)]
    # At most the commit that was under way is there as well, with its progress.
    assert last + 1 <= len(stored) <= last + 2
    assert outbox.progress("S").number == len(stored) - 1


def damage(path: Path, page: int | None = None) -> None:
    raw = bytearray(path.read_bytes())
    if page is None:
        raw[:100] = b"\x5a" * 100
    else:
        raw[page * 4096 : (page + 1) * 4096] = b"\x5a" * 4096
    path.write_bytes(raw)


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

    def small(path):
        db = open_database(path)
        db.execute("PRAGMA max_page_count = 14")
        return db

    monkeypatch.setattr("spektron_edge.outbox.store.open_database", small)
    again = open_outbox()
    assert again.salvaged.records == 0
    assert again.salvaged.aside.exists()
    again.commit([named(1)])
    assert ids(again) == [named(1).id]


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_file_cut_short_is_set_aside(open_outbox, tmp_path, share):
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox()
    outbox.commit([record(n, bytes(900)) for n in range(60)])
    outbox.close()
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    assert open_outbox().salvaged is not None


def test_what_is_no_database_is_set_aside(open_outbox, tmp_path):
    (tmp_path / "outbox.sqlite").write_bytes(b"this is no database at all " * 100)
    outbox = open_outbox()
    assert outbox.salvaged is not None
    outbox.commit([record(1)])


def test_the_database_of_a_newer_daemon_is_refused_and_left_alone(open_outbox, tmp_path):
    path = tmp_path / "outbox.sqlite"
    open_outbox().close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 3")
    db.close()
    before = path.read_bytes()
    with pytest.raises(OutboxError, match="schema 3"):
        open_outbox()
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_an_error(open_outbox, tmp_path):
    with pytest.raises(OutboxError):
        open_outbox(tmp_path / "absent" / "outbox.sqlite")


def test_a_full_disk_undoes_the_commit_and_passes_when_there_is_room(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(1)], [Progress("S", 1, 1)])
    (pages,) = outbox._db.execute("PRAGMA page_count").fetchone()
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    big = [record(n, bytes(4000)) for n in range(2, 20)]
    for _ in range(3):
        with pytest.raises(OutboxFullError):
            outbox.commit(big, [Progress("S", 1, 19)])
    assert ids(outbox) == ["id-000001"]
    assert outbox.progress("S").number == 1
    outbox._db.execute("PRAGMA max_page_count = 100000")
    outbox.commit(big, [Progress("S", 1, 19)])
    assert len(ids(outbox)) == 19


def test_a_database_that_somebody_holds_is_an_error_and_nothing_is_lost(open_outbox, tmp_path):
    outbox = open_outbox()
    outbox._db.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "outbox.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxError, match="locked"):
        outbox.commit([record(1)])
    other.execute("ROLLBACK")
    other.close()
    outbox.commit([record(1)])
    assert ids(outbox) == ["id-000001"]


# ---- schemas

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "outbox"


@pytest.fixture(params=range(1, SCHEMA_VERSION))
def earlier(request, tmp_path):
    """A database as an earlier daemon left it."""
    path = tmp_path / "outbox.sqlite"
    shutil.copyfile(GOLDEN / f"schema-{request.param}.sqlite", path)
    return path


def golden_id(number):
    return f"01K0000000{number:016d}"


def looks_migrated(outbox):
    """Made with a cap: 5 of 40 dropped, 4 acknowledged, one refused, 30 waiting."""
    assert outbox.salvaged is None
    assert outbox.counts() == counts(30, 4, 1, full=5)
    waiting = outbox.unsent(100)
    sent, refused = {8, 9, 10, 11}, {13}
    assert [r.id for r in waiting] == [
        golden_id(n) for n in range(5, 40) if n not in sent | refused
    ]
    for r in waiting:
        number = int(r.id[10:])
        assert json.loads(r.payload) == {"id": r.id, "number": number}
        assert r.kind == ("event" if number % 10 == 9 else "prediction")
    assert outbox.progress("VIRT-0001") == Progress("VIRT-0001", 7, 39)
    assert outbox.progress("VIRT-0002").number == 2**32 - 1
    assert not outbox.accept_counter("anna", 7)
    assert not outbox.accept_counter("bert", 2**63 - 1)
    (version,) = outbox._db.execute("PRAGMA user_version").fetchone()
    assert version == SCHEMA_VERSION


def test_every_earlier_schema_is_migrated_and_nothing_is_lost(open_outbox, earlier):
    outbox = open_outbox(earlier)
    looks_migrated(outbox)
    outbox.commit([record(1)], [Progress("VIRT-0001", 7, 40)], sent=[golden_id(5)])
    outbox.close()
    assert open_outbox(earlier).counts() == counts(30, 5, 1, full=5)


def test_a_damaged_file_of_an_earlier_schema_is_read_as_well(open_outbox, earlier):
    damage(earlier, earlier.read_bytes().find(b'{"id":"' + golden_id(20).encode()) // 4096)
    outbox = open_outbox(earlier)
    assert 0 < outbox.salvaged.records < 31
    for r in outbox.unsent(100):
        assert json.loads(r.payload)["number"] == int(r.id[10:])
    outbox.close()
    assert open_outbox(earlier).salvaged is None


def test_records_of_an_earlier_schema_begin_to_age_when_they_are_migrated(earlier, hours):
    outbox = Outbox(earlier, Limits(10**6, 10**6, max_age_s=HOUR, keep_sent_s=HOUR), hours)
    assert not outbox.prune()
    assert outbox.counts()["sent"] == 4
    hours.pass_by(1.1)
    assert outbox.prune() == {"old": 31}
    outbox.close()


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from spektron_edge.outbox import Limits, Outbox
connect, left = sqlite3.connect, int(sys.argv[2])

def die():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def counting(*arguments, **options):
    db = connect(*arguments, **options)
    db.set_progress_handler(die, 20)
    return db

sqlite3.connect = counting
Outbox(Path(sys.argv[1]), Limits(10**9, 10**9))
print(left)
"""


def test_a_migration_that_is_killed_anywhere_is_done_by_the_next_start(open_outbox, earlier):
    def migrate(path, steps):
        command = [sys.executable, "-c", KILLED, str(path), str(steps)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = migrate(shutil.copyfile(earlier, earlier.with_name("counted")), 10**9)
    steps = 10**9 - int(whole.stdout)
    assert steps > 10
    for at in sorted({1 + round(i * (steps - 1) / 11) for i in range(12)}):
        path = earlier.with_name(f"killed-{at}")
        shutil.copyfile(earlier, path)
        assert migrate(path, at).returncode == -signal.SIGKILL
        looks_migrated(open_outbox(path))


# ---- reading beside a daemon


@pytest.mark.parametrize("name", ["plain", "with space", "50%", "what?", "a#b", "größe"])
def test_counts_are_read_beside_a_running_daemon(open_outbox, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    path = folder / "outbox.sqlite"
    outbox = open_outbox(path)
    outbox.commit([record(1), record(2)])
    outbox.commit([], sent=["id-000001"])
    assert read_counts(path) == outbox.counts()
    assert read_counts(path) == counts(1, 1, 0, 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("content", [None, b"no database", b""])
def test_counts_of_what_is_no_outbox_are_an_error(tmp_path, content):
    path = tmp_path / "outbox.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OutboxError):
        read_counts(path)
    assert path.exists() == (content is not None)


# ---- against a model

SENT, UNSENT, REFUSED = "sent", "unsent", "refused"


class AgainstAModel(RuleBasedStateMachine):
    """Whatever is done in whatever order, the outbox says what a list would say."""

    @initialize(
        max_bytes=st.integers(0, 400), keep=st.integers(0, 400), seed=st.integers(0, 2**32 - 1)
    )
    def start(self, max_bytes, keep, seed):
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.limits = Limits(max_bytes, keep)
        self.rows: dict[str, list] = {}
        self.dropped = 0
        self.made = 0
        self.progress: dict[str, Progress] = {}
        self.counters: dict[str, int] = {}
        self.outbox = self._open()

    def _open(self):
        return Outbox(Path(self.folder.name) / "outbox.sqlite", self.limits)

    def _of(self, *states):
        return [i for i, (state, _) in self.rows.items() if state in states]

    @rule(sizes=st.lists(st.integers(0, 60), max_size=4), serial=st.sampled_from("AB"))
    def commit(self, sizes, serial):
        records = []
        for size in sizes:
            self.made += 1
            records.append(record(self.made, bytes(size)))
            self.rows[records[-1].id] = [UNSENT, size]
        self.progress[serial] = Progress(serial, 1, self.made)
        self.outbox.commit(records, [self.progress[serial]])

    @rule(data=st.data())
    def send(self, data):
        waiting = self._of(UNSENT, REFUSED)
        chosen = data.draw(
            st.lists(st.sampled_from(waiting), unique=True) if waiting else st.just([])
        )
        self.outbox.commit([], sent=chosen)
        for i in chosen:
            self.rows[i][0] = SENT

    @precondition(lambda self: self._of(UNSENT))
    @rule(data=st.data())
    def refuse(self, data):
        chosen = data.draw(st.sampled_from(self._of(UNSENT)))
        self.outbox.commit([], refused=[(chosen, "why")])
        self.rows[chosen][0] = REFUSED

    @rule()
    def retry(self):
        refused = self._of(REFUSED)
        assert self.outbox.retry_refused(100) == len(refused)
        for i in refused:
            self.rows[i][0] = UNSENT

    @rule()
    def prune(self):
        def drop(states, room):
            gone = 0
            for i in self._of(*states):
                if sum(self.rows[j][1] for j in self._of(*states)) <= room:
                    break
                del self.rows[i]
                gone += 1
            return gone

        dropped = drop((UNSENT, REFUSED), self.limits.max_bytes)
        waiting = sum(self.rows[i][1] for i in self._of(UNSENT, REFUSED))
        drop((SENT,), min(self.limits.keep_sent_bytes, self.limits.max_bytes - waiting))
        assert self.outbox.prune() == ({"full": dropped} if dropped else {})
        self.dropped += dropped

    @rule(operator=st.sampled_from("xy"), counter=st.integers(1, 20))
    def command(self, operator, counter):
        fresh = counter > self.counters.get(operator, 0)
        assert self.outbox.accept_counter(operator, counter) == fresh
        if fresh:
            self.counters[operator] = counter

    @rule()
    def reopen(self):
        self.outbox.close()
        self.outbox = self._open()

    @invariant()
    def agrees(self):
        if not hasattr(self, "outbox"):
            return
        states = Counter(state for state, _ in self.rows.values())
        assert self.outbox.counts() == counts(
            states[UNSENT], states[SENT], states[REFUSED], self.dropped
        )
        assert ids(self.outbox) == self._of(UNSENT)
        for serial in "AB":
            assert self.outbox.progress(serial) == self.progress.get(serial)

    def teardown(self):
        if hasattr(self, "outbox"):
            self.outbox.close()
            self.folder.cleanup()


TestAgainstAModel = AgainstAModel.TestCase
TestAgainstAModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


# ---- removed while it is open


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


# ---- a file that may only be read


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


def test_counters_that_are_known_from_elsewhere_only_rise(open_outbox):
    outbox = open_outbox()
    outbox.accept_counter("anna", 7)
    outbox.raise_counters({"anna": 5, "bert": 9})
    assert [outbox.accept_counter("anna", n) for n in (7, 8)] == [False, True]
    assert [outbox.accept_counter("bert", n) for n in (9, 10)] == [False, True]
