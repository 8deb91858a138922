"""Commands and notes at the daemon's door: who may, what is done, and what the audit log says."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from spektron_edge.commands.asked import Asked, CommandOutcome
from spektron_edge.config.commands import Commands, Operator
from spektron_edge.door.asking import AtDoor, Command, Note
from spektron_edge.door.notes import keep, notes
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.roles import ACTIONS, PAGE_ACTIONS, ROLES, may, needs_signature

from ..turns import turn

APPROVED = "approved: it was checked"


@pytest.fixture
def desk(daemon, monkeypatch):
    """The daemon's own desk; what is answered stands in `answers`."""
    desk = daemon._commands.door
    desk.answers, desk.done = [], []

    def answer(connection, id_, outcome, stage):
        desk.answers.append((connection, id_, outcome.ok, stage, outcome.message, outcome.result))

    def refuse(connection, id_, why, code=None):
        outcome = CommandOutcome(False, why, {"fault": code} if code else {})
        answer(connection, id_, outcome, "finished")

    monkeypatch.setattr(desk._door, "answer", answer)
    monkeypatch.setattr(desk._door, "refuse", refuse)
    return desk


def lines(tmp_path):
    found = (tmp_path / "state" / "audit.jsonl").read_text().splitlines()
    return [(e["who"], e["what"], e["details"]) for e in map(json.loads, found)]


def ask(daemon, name, role="engineer", by="anna", meaning=APPROVED, connection=1, **arguments):
    line = Command(id="c", name=name, by=by, role=role, meaning=meaning, arguments=arguments)
    turn(daemon, AtDoor(connection, line))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", [a for a in ACTIONS if a not in PAGE_ACTIONS])
def test_a_command_is_carried_out_for_the_roles_that_may(daemon, desk, tmp_path, name, role):
    daemon._commands.carrying.actions = {
        name: lambda asked: desk.done.append(asked) or CommandOutcome(True, "done")
    }
    ask(daemon, name, role)
    allowed = may(role, name, {})
    assert bool(desk.done) is allowed
    ((_, id_, ok, stage, message, _),) = desk.answers
    assert (id_, ok, stage) == ("c", allowed, "finished")
    who, what, details = lines(tmp_path)[-1]
    assert (who, details["through"], details["role"]) == ("anna", "page", role)
    if allowed:
        assert what == f"command_{name}"
        assert (details["meaning"], details["ok"], details["message"]) == (APPROVED, True, "done")
        assert "counter" not in details
        assert desk.done[0].signed_as == "page, approved"
    else:
        assert message == f"anna as {role} may not {name}"
        assert (what, details["command"], details["why"]) == ("command_refused", name, message)


@pytest.mark.parametrize("name", [a for a in ACTIONS if needs_signature(a, {})])
def test_without_a_signature_nothing_is_done_that_needs_one(daemon, desk, tmp_path, name):
    ask(daemon, name, meaning=None)
    ((_, _, ok, _, message, _),) = desk.answers
    assert not ok
    if name not in PAGE_ACTIONS:
        assert message == f"{name} needs a signature with its meaning"
    assert lines(tmp_path)[-1][1] == "command_refused"


def test_what_there_is_not_is_refused(daemon, desk):
    ask(daemon, "unheard-of")
    assert desk.answers[0][2:5] == (False, "finished", "there is no command of this name")


def test_an_accepted_command_is_answered_twice(daemon, desk, tmp_path):
    ask(daemon, "take-dark", "operator", meaning=None)
    assert desk.answers[0][2:4] == (True, "accepted")
    order = daemon._line.orders.take()
    daemon._commands.carrying.finish(order.ticket, CommandOutcome(True, "the dark was measured"))
    assert desk.answers[1][:5] == (1, "c", True, "finished", "the dark was measured")
    stages = [d["stage"] for _, what, d in lines(tmp_path) if what == "command_take-dark"]
    assert stages == ["accepted", "finished"]


def test_two_people_are_two_names_whichever_way_they_ask(daemon, desk, monkeypatch, tmp_path):
    def operator(name):
        return Operator(name=name, key_file=tmp_path / name, may=("health",))

    operators = tuple(operator(name) for name in ("anna", "bert", "dora"))
    rules = Commands(operators=operators, two_people=("health",))
    monkeypatch.setattr(desk, "_rules", lambda: rules)
    told = []

    def over_mqtt(who):
        carrying = daemon._commands.carrying
        carrying.carry_out("health", Asked(who), lambda _, stage: told.append(stage), rules)

    over_mqtt("anna")
    ask(daemon, "health", by="Anna")
    assert (told, desk.answers[-1][3]) == (["waiting"], "waiting")
    # The second of the same name took the first one's place, and is of the page.
    over_mqtt("bert")
    assert told == ["waiting", "finished"]
    who, _, details = lines(tmp_path)[-1]
    assert (who, details["with"]) == ("bert", "Anna")
    over_mqtt("bert")
    ask(daemon, "health", by="carl")
    assert desk.answers[-1][3] == "finished"
    # A right over MQTT has to last.
    over_mqtt("bert")
    rules = rules.model_copy(update={"operators": operators[::2]})
    ask(daemon, "health", by="carl")
    assert desk.answers[-1][3] == "waiting"


def test_nothing_is_done_that_could_not_be_written_down(daemon, desk):
    daemon._notices.begin(Fault(Faults.DISK_FULL, "no space"))

    def ask_now(name):
        desk.received(AtDoor(1, Command(id="c", name=name, by="anna", role="engineer")))
        desk.look_after(1.0)

    ask_now("choose-product")
    assert desk.answers[-1][2] is False
    assert desk.answers[-1][5] == {"fault": "disk_full"}
    assert "nothing was done" in desk.answers[-1][4]
    ask_now("health")
    assert desk.answers[-1][4] == "disk_full"


def test_a_flood_of_refusals_fills_no_disk(daemon, desk, tmp_path):
    for _ in range(500):
        ask(daemon, "reload", "viewer")
    assert len(desk.answers) == 500
    assert len([w for _, w, _ in lines(tmp_path) if w == "command_refused"]) < 200


def test_a_note_is_a_line_of_the_audit_log(daemon, desk, tmp_path):
    details = {"who": "x", "what": "y", "self": "z", "tries": 3, "first": True, "none": None}
    line = Note(id="n", what="page_signed_in", who="anna", details=details)
    turn(daemon, AtDoor(4, line))
    assert desk.answers == [(4, "n", True, "finished", "it is in the audit log", {})]
    assert lines(tmp_path)[-1] == ("anna", "page_signed_in", details)


def test_a_note_that_the_disk_does_not_take_is_answered_so(daemon, desk, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(daemon._state.audit, "append", full)
    turn(daemon, AtDoor(4, Note(id="n", what="page_signed_in", who="anna")))
    assert desk.answers[0][2] is False


def test_notes_from_while_the_daemon_was_away_are_told_once(daemon, desk, tmp_path):
    folder = tmp_path / "state"
    for number in range(45):
        keep(folder, Action(what="page_signed_in", who=f"u{number}", details={"utc": "then"}))
    for now in range(10):
        desk.look_after(1000.0 + now)
    told = [who for who, what, _ in lines(tmp_path) if what == "page_signed_in"]
    assert told == [f"u{number}" for number in range(45)]
    assert notes(folder).read().untold == ()
    keep(folder, Action(what="page_signed_out", who="u0", details={}))
    desk.look_after(2000.0)
    assert lines(tmp_path)[-1][1] == "page_signed_out"


def test_a_damaged_ledger_of_notes_is_a_notice(daemon, desk, tmp_path):
    (tmp_path / "state" / "page").mkdir()
    (tmp_path / "state" / "page" / "notes.json").write_text("{not json")
    desk.look_after(1000.0)
    assert "state_damaged" in daemon._notices.codes


def test_faults_are_told_when_they_change(daemon, desk, monkeypatch):
    told = []
    monkeypatch.setattr(desk._door, "faults", told.append)
    fault = Fault(Faults.SATURATED, "much light")
    for _ in range(2):
        desk.look_after(1.0)
    assert told == []
    daemon._notices.begin(fault)
    for _ in range(2):
        desk.look_after(1.0)
    (((seen, since),),) = told
    assert seen is fault
    assert datetime.fromisoformat(since.replace("Z", "+00:00")).tzinfo is not None
    daemon._notices.end((Faults.SATURATED,))
    desk.look_after(1.0)
    assert told[1:] == [()]


def test_everything_that_is_stored_is_told_at_the_door(daemon, scan, make_scan):
    told = []
    daemon._delivery._on_made = told.append
    turn(daemon, scan(3), scan(4), scan(7))
    kinds = [r.kind for r in told]
    assert kinds.count("prediction") == 3
    assert "event" in kinds
    stored = {r.id: r.payload for r in daemon._state.outbox.unsent(100)}
    assert {r.id: r.payload for r in told} == stored
