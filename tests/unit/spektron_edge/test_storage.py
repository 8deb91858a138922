"""The outbox on the daemon's main path: damage, caps, and records that are sent again."""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3

import pytest

from spektron_edge.cli.main import main
from spektron_edge.config.outbox import OutboxLimits
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.audit import verify
from spektron_edge.outbox import Limits, OutboxError, read_counts
from spektron_edge.outbox.replay import ask, replays
from spektron_edge.outbox.span import Span
from spektron_edge.publishing.outbox_storage import limits_of

from .turns import events, predicted, ready, stored, turn


def wreck(daemon):
    """Nothing but garbage behind the first page of the file, and none of it in memory."""
    outbox = daemon._state.outbox
    outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    outbox._db.execute("PRAGMA shrink_memory")
    raw = outbox.path.read_bytes()
    outbox.path.write_bytes(raw[:4096] + b"\x5a" * (len(raw) - 4096))


def test_damage_while_running_is_set_aside_and_told_and_nothing_in_memory_is_lost(
    daemon, scan, make_scan, tmp_path
):
    turn(daemon, ready(make_scan), scan(1), scan(2))
    wreck(daemon)
    turn(daemon, scan(3))
    turn(daemon, scan(5))
    daemon._turn(0.0)
    assert predicted(daemon) == [3, 5]
    (event,) = events(daemon, "state_damaged")
    assert "outbox.sqlite.damaged-1" in event["message"]
    assert (tmp_path / "state" / "outbox.sqlite.damaged-1").exists()
    # The numbers are remembered: the hole before 5 is told, and nothing else.
    assert [e["scans"] for e in events(daemon, "scans_missed")] == [[[4, 4]]]
    assert daemon._state.outbox.progress("VIRT-0001").number == 5


def test_a_damaged_file_that_cannot_be_replaced_is_told_and_tried_again(
    daemon, scan, make_scan, monkeypatch
):
    turn(daemon, ready(make_scan), scan(1))
    wreck(daemon)

    def refuse(path):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("spektron_edge.outbox.store._set_aside", refuse)
        turn(daemon, scan(2))
        daemon._turn(0.0)
        assert daemon._notices.codes == ("state_unwritable",)
    daemon._turn(0.0)
    daemon._turn(0.0)
    assert predicted(daemon) == [2]
    assert daemon._notices.codes == ()


def test_a_replay_that_a_restart_cut_short_is_told_as_done(daemon, sent, monkeypatch):
    daemon._state.outbox.send_again(Span(since=sent[0]))
    monkeypatch.setattr(daemon._storage, "_sending_again", None)  # as it begins
    look(daemon)
    daemon._state.outbox.commit([], sent=sent)
    look(daemon)
    (event,) = events(daemon, "replay_done")
    assert event["message"].startswith("5 records")


def test_records_that_are_dropped_are_told_by_cause(daemon, scan, make_scan):
    turn(daemon, ready(make_scan), *(scan(n) for n in range(1, 5)))
    outbox = daemon._state.outbox
    outbox._limits = Limits(2000, 2000, keep_refused_bytes=0)
    outbox.commit([], refused=[(outbox.unsent(1)[0].id, "no")])
    daemon._storage._upkeep_due = 0.0
    turn(daemon)
    daemon._turn(0.0)
    (event,) = events(daemon, "records_dropped")
    assert "outbox.max_mb" in event["message"]
    assert "outbox.keep_refused_mb" in event["message"]
    figures = daemon._states.figures()
    assert figures["dropped_refused"] == 1
    assert figures["dropped_full"] >= 2


def test_the_configuration_s_caps_are_in_bytes_and_seconds():
    limits = limits_of(OutboxLimits(max_mb=1, max_age_days=2, keep_sent_days=0.5))
    assert (limits.max_bytes, limits.max_age_s, limits.keep_sent_s) == (2**20, 172800, 43200)


# ---- again


@pytest.fixture
def sent(daemon, scan, make_scan):
    """Ids of five predictions that the broker acknowledged."""
    turn(daemon, ready(make_scan), *(scan(n) for n in range(1, 6)))
    outbox = daemon._state.outbox
    outbox.commit([], sent=[r.id for r in outbox.unsent(100)])
    rows = outbox._db.execute("SELECT id FROM record WHERE kind = 'prediction' ORDER BY position")
    return [record_id for (record_id,) in rows]


def again(daemon):
    return [r.id for r in daemon._state.outbox.again(100)]


def replay(tmp_path, capsys, *arguments):
    status = main(["replay-outbox", "--config", str(tmp_path / "edge.toml"), "--json", *arguments])
    return status, json.loads(capsys.readouterr().out.splitlines()[-1])


def look(daemon):
    daemon._storage._folder_due = 0.0
    turn(daemon)
    daemon._turn(0.0)


def test_records_are_queued_again_by_id_and_it_is_audited(daemon, sent, tmp_path, capsys):
    status, report = replay(tmp_path, capsys, "--since", sent[1], "--until", sent[3])
    assert (status, report["records"], report["asked"]) == (0, 3, True)
    assert (report["first"], report["last"]) == (sent[1], sent[3])
    look(daemon)
    assert again(daemon) == sent[1:4]
    assert daemon._states.figures()["sent_again"] == 3
    lines = [json.loads(x) for x in daemon._state.audit.path.read_text().splitlines()]
    assert (lines[-1]["what"], lines[-1]["who"][:6]) == ("replay_requested", "local:")
    assert lines[-1]["details"]["since"] == sent[1]
    (event,) = events(daemon, "replay_begun")
    assert event["message"].startswith("3 records")
    look(daemon)
    assert len(events(daemon, "replay_begun")) == 1
    daemon._state.outbox.commit([], sent=sent[1:4])
    look(daemon)
    assert len(events(daemon, "replay_done")) == 1


def test_a_dry_run_only_counts(daemon, sent, tmp_path, capsys):
    status, report = replay(tmp_path, capsys, "--since", sent[0], "--dry-run")
    assert (status, report["records"], report["asked"]) == (0, 5, False)
    look(daemon)
    assert again(daemon) == []


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        ("2000-01-01T00:00Z", None, 5),
        ("2000-01-01T00:00+02:00", "2001-01-01T00:00Z", 0),
        ("2100-01-01T00:00Z", None, 0),
        ("1969-12-31T23:59Z", None, 5),
        ("0001-01-01T00:00Z", None, 5),
        ("0001-01-01T00:00+14:00", "1969-12-31T23:59Z", 0),
        ("2000-01-01T00:00Z", "9999-12-31T23:59-14:00", 5),
    ],
)
def test_times_are_those_of_the_records(daemon, sent, tmp_path, capsys, since, until, found):
    bounds = ["--since", since] + (["--until", until] if until else [])
    status, report = replay(tmp_path, capsys, *bounds)
    assert (status, report["records"], report["asked"]) == (0, found, found > 0)


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("yesterday", "no time with its zone"),
        ("2026-11-22T10:00", "no time with its zone"),
        ("12", "a time begins with its date"),
        ("1795414950", "a time begins with its date"),
        ("01K00000000000000000000000", "holds no record"),
    ],
)
def test_what_begins_nowhere_is_refused(daemon, sent, tmp_path, capsys, since, words):
    status, report = replay(tmp_path, capsys, "--since", since)
    assert status == 17
    assert report["error"]["code"] == "replay_refused"
    assert words in report["error"]["detail"]


def test_a_span_that_ends_before_it_begins_is_refused(daemon, sent, tmp_path, capsys):
    for bounds in (("2026-11-22T10:00Z", "2026-11-22T10:00+01:00"), (sent[3], sent[1])):
        status, report = replay(tmp_path, capsys, "--since", bounds[0], "--until", bounds[1])
        assert status == 17
        assert f"{bounds[1]} " in report["error"]["detail"]
    ask(tmp_path / "state", Span(since=sent[3], until=sent[1]), "local:anna")
    look(daemon)
    assert len(events(daemon, "replay_impossible")) == 1


def test_a_span_without_records_is_said_and_what_there_is(daemon, sent, tmp_path, capsys):
    _, report = replay(tmp_path, capsys, "--since", "2100-01-01T00:00Z")
    assert sent[-1] in report["next"]


@pytest.mark.parametrize("became", ["absent", "damaged"])
def test_an_outbox_that_cannot_be_read_says_what_to_do(daemon, sent, tmp_path, capsys, became):
    daemon._state.close()
    path = tmp_path / "state" / "outbox.sqlite"
    path.unlink() if became == "absent" else path.write_bytes(b"x" * 5000)
    status, report = replay(tmp_path, capsys, "--since", sent[0])
    words = {"absent": (17, "start the daemon once"), "damaged": (14, "not a database")}[became]
    assert status == words[0]
    assert words[1] in report["error"]["detail"]
    path.unlink(missing_ok=True)


def test_a_request_waits_for_a_daemon(daemon, sent, tmp_path, capsys):
    daemon._state.close()
    status, _ = replay(tmp_path, capsys, "--since", sent[4])
    assert status == 0
    ledger = replays(tmp_path / "state")
    assert [span.since for span in ledger.read().waiting] == [sent[4]]


def test_a_record_that_is_gone_by_then_is_told(daemon, sent, tmp_path):
    ask(tmp_path / "state", Span(since="01K00000000000000000000000"), "local:anna")
    look(daemon)
    assert len(events(daemon, "replay_impossible")) == 1
    assert replays(tmp_path / "state").read().waiting == ()


def test_what_is_not_acknowledged_is_not_sent_again(daemon, sent, scan):
    turn(daemon, scan(6))
    waiting = [r["id"] for r in stored(daemon)]
    ask(daemon._config.state_dir, Span(since=sent[0]), "local:anna")
    look(daemon)
    assert waiting == [r["id"] for r in stored(daemon) if r.get("code") != "replay_begun"]


def test_requests_have_an_end(tmp_path):
    for _ in range(32):
        ask(tmp_path, Span(since="2000-01-01T00:00Z"), "local:anna")
    with pytest.raises(Fault, match="32 requests"):
        ask(tmp_path, Span(since="2000-01-01T00:00Z"), "local:anna")


# ---- removed, read-only


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("outbox.sqlite", ["outbox.sqlite"]),
        ("outbox.sqlite-wal", ["outbox.sqlite"]),
        ("audit.jsonl", ["audit.jsonl"]),
        ("", ["outbox.sqlite", "audit.jsonl"]),
    ],
)
def test_what_is_removed_is_put_back_and_told_and_nothing_is_lost(
    daemon, scan, make_scan, tmp_path, what, told
):
    turn(daemon, ready(make_scan), scan(1), scan(2))
    state = tmp_path / "state"
    if what:
        (state / what).unlink()
    else:
        shutil.rmtree(state)
    turn(daemon, scan(3))
    look(daemon)
    look(daemon)
    assert predicted(daemon) == [1, 2, 3]
    found = events(daemon, "state_damaged")
    assert [e["message"].split(",")[0].split()[0] for e in found] == told
    assert all("written to a new file" in e["message"] for e in found)
    assert daemon._notices.codes == ()
    assert (state / "outbox.sqlite").is_file()
    verify(state / "audit.jsonl")


def test_what_was_removed_just_before_the_end_is_put_back(daemon, scan, make_scan, tmp_path):
    turn(daemon, ready(make_scan), scan(1))
    (tmp_path / "state" / "outbox.sqlite").unlink()
    daemon._storage.finish()
    assert len(events(daemon, "state_damaged")) == 1
    daemon._state.close()
    assert read_counts(tmp_path / "state" / "outbox.sqlite")["unsent"] >= 2


def test_what_cannot_be_put_back_is_told_once_and_its_end_too(daemon, scan, make_scan, tmp_path):
    turn(daemon, ready(make_scan), scan(1))
    for file in (tmp_path / "state").glob("outbox.sqlite*"):
        file.unlink()
    in_the_way = tmp_path / "state" / "outbox.sqlite.partial"
    in_the_way.mkdir()
    for number in (2, 3, 4):
        turn(daemon, scan(number))
        look(daemon)
        assert daemon._notices.codes == ("state_damaged",)
    in_the_way.rmdir()
    look(daemon)
    look(daemon)
    assert daemon._notices.codes == ()
    assert predicted(daemon) == [1, 2, 3, 4]
    assert len(events(daemon, "state_damaged")) == 2
    assert len(events(daemon, "state_damaged_over")) == 1


def test_an_outbox_that_may_only_be_read_is_written_again_once_it_may_be(
    daemon, scan, make_scan, tmp_path
):
    turn(daemon, ready(make_scan), scan(1))
    outbox = daemon._state.outbox
    outbox._db.close()
    outbox._db = sqlite3.connect(
        f"{outbox.path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    turn(daemon, scan(2))
    assert daemon._notices.codes == ("state_unwritable",)
    with pytest.raises(Fault) as caught:
        daemon._storage.accept_counter("anna", 1)
    assert caught.value.kind is Faults.STATE_UNWRITABLE
    look(daemon)
    daemon._turn(0.0)
    assert daemon._notices.codes == ()
    assert predicted(daemon) == [1, 2]
    assert daemon._storage.accept_counter("anna", 1)


def test_damage_told_at_the_start_hides_nothing_that_comes_later(daemon, tmp_path):
    for fault in (Fault(Faults.STATE_DAMAGED, "one"), Fault(Faults.STATE_DAMAGED, "two")):
        daemon._state.damage.append(fault)
    daemon.stop()
    daemon.run()
    with sqlite3.connect(tmp_path / "state" / "outbox.sqlite") as db:
        payloads = [json.loads(p) for (p,) in db.execute("SELECT payload FROM record")]
    db.close()
    assert [e["message"] for e in payloads if e.get("code") == "state_damaged"] == ["one", "two"]


def test_health_is_told_while_nothing_can_be_read(daemon, monkeypatch):
    def broken():
        raise OutboxError("disk I/O error")

    monkeypatch.setattr(daemon._state.outbox, "counts", broken)
    outcome = daemon._states.health()
    assert (outcome.ok, outcome.message, outcome.result) == (False, "state_unwritable", {})


def test_counters_that_damage_took_are_taken_from_the_audit_log(daemon, scan, make_scan):
    assert daemon._storage.accept_counter("anna", 9)
    daemon._audit("command_reload", "anna", ok=True, counter=9)
    turn(daemon, ready(make_scan), scan(1))
    wreck(daemon)
    turn(daemon, scan(2))
    daemon._turn(0.0)
    assert not daemon._storage.accept_counter("anna", 9)
    assert daemon._storage.accept_counter("anna", 10)


def test_damaged_requests_are_set_aside_and_told_once(daemon, sent, tmp_path):
    ask(tmp_path / "state", Span(since=sent[0]), "local:anna")
    file = tmp_path / "state" / "replay" / "requests.json"
    file.write_bytes(b"{")
    look(daemon)
    look(daemon)
    (event,) = events(daemon, "state_damaged")
    assert "requests.json.damaged-1: ask for replays again" in event["message"]
    assert not file.exists()
    ask(tmp_path / "state", Span(since=sent[0]), "local:anna")
    look(daemon)
    assert again(daemon) == sent
