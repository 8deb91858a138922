from __future__ import annotations

import json
import queue
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spektron_edge.cli.local_operator import local_operator
from spektron_edge.cli.main import main
from spektron_edge.commands.asked import Asked, CommandOutcome
from spektron_edge.commands.carrying import Carrying
from spektron_edge.commands.limited import Limited
from spektron_edge.commands.two_people import WITHIN_S, TwoPeople
from spektron_edge.config.commands import Commands, Operator
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import CommandReceived
from spektron_edge.mqtt import request as module
from spektron_edge.mqtt.command_handler import CommandHandler
from spektron_edge.mqtt.commands import CommandRefused, Key, authorise, parse, read_key, sign
from spektron_edge.mqtt.counters import PlausibleCounters
from spektron_edge.mqtt.in_use import IN_USE_FILE, in_use, note_in_use
from spektron_edge.mqtt.topics import Topics

from .turns import events

ROOT = "spektron/plant/nir"
SECRET = b"0123456789abcdef"


@pytest.fixture
def operators(tmp_path):
    (tmp_path / "anna").write_bytes(SECRET + b"\n")
    (tmp_path / "bert").write_bytes(b"another key of its own")
    return (
        Operator(name="anna", key_file=tmp_path / "anna", may=("health", "reload")),
        Operator(name="bert", key_file=tmp_path / "bert", may=("health",)),
    )


@pytest.fixture
def ask(operators, open_outbox):
    outbox = open_outbox()

    def make(payload, command="reload", root=ROOT, operators=operators):
        request = parse(payload)
        authorise(request, command, root, operators, outbox.accept_counter)
        return request

    return make


def signed(operator="anna", secret=SECRET, root=ROOT, command="reload", counter=1, correlation="c"):
    return sign(Key(operator, secret), root, command, counter, correlation)


def payload(**changes) -> bytes:
    return signed(**changes).model_dump_json().encode()


def refusal(ask, *arguments, **options) -> str:
    with pytest.raises(CommandRefused) as caught:
        ask(*arguments, **options)
    return str(caught.value)


def test_a_signed_request_of_an_operator_who_may_is_accepted(ask):
    request = ask(payload())
    assert (request.operator, request.correlation) == ("anna", "c")


def test_a_request_is_accepted_once(ask):
    ask(payload())
    assert "counter was used" in refusal(ask, payload())
    assert "counter was used" in refusal(ask, payload(command="health"), "health")
    ask(payload(counter=2))


def test_a_refused_request_does_not_use_its_counter_up(ask):
    refusal(ask, payload(secret=b"not the right key"))
    ask(payload())


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": b"fedcba9876543210"},
        {"root": "spektron/plant/other"},
        {"command": "health"},
        {"operator": "bert"},
        {"operator": "nobody"},
    ],
    ids=lambda c: next(iter(c.items()))[0] + str(len(str(c))),
)
def test_a_signature_for_anything_else_is_refused_with_one_and_the_same_answer(ask, changes):
    assert refusal(ask, payload(**changes)) == "operator or signature refused"


@pytest.mark.parametrize("field", ["counter", "correlation", "operator", "mac"])
def test_no_field_can_be_changed_after_signing(ask, field):
    request = json.loads(payload())
    request[field] = {
        "counter": 2,
        "correlation": "d",
        "operator": "bert",
        "mac": request["mac"][::-1],
    }[field]
    assert refusal(ask, json.dumps(request).encode()) == "operator or signature refused"


def test_an_operator_may_only_what_is_allowed(ask):
    message = refusal(ask, payload(operator="bert", secret=b"another key of its own"))
    assert message == "bert may not reload"


def test_without_operators_nothing_is_accepted(ask):
    refusal(ask, payload(), operators=())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(junk=st.binary(max_size=300))
def test_junk_is_refused(ask, junk):
    assert "not a signed request" in refusal(ask, junk)


@pytest.mark.parametrize(
    "changes",
    [
        {"counter": 0},
        {"counter": -1},
        {"counter": 2**63},
        {"counter": 1.5},
        {"counter": None},
        {"operator": "a" * 65},
        {"correlation": "a" * 129},
        {"mac": "0" * 63},
        {"mac": "G" * 64},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_payload_outside_the_schema_is_refused(ask, changes):
    document = json.dumps({**json.loads(payload()), **changes}).encode()
    assert "not a signed request" in refusal(ask, document)


@pytest.mark.parametrize(
    ("content", "why"), [(None, "cannot be read"), (b"  short  \n", "shorter than 16")]
)
def test_a_key_that_is_absent_or_short_is_refused(tmp_path, content, why):
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandRefused, match=why):
        read_key("anna", path)


def test_white_space_around_a_key_does_not_count(tmp_path):
    (tmp_path / "key").write_bytes(b"\n " + SECRET + b" \n")
    assert read_key("anna", tmp_path / "key").secret == SECRET


# ---- the desk


class Client:
    def __init__(self):
        self.responses = []

    def respond(self, command, payload, correlation, response_topic=None):
        self.responses.append((command, json.loads(payload), correlation))


class Lines(list):
    def __call__(self, what, who, **details):
        self.append((who, what, details))


@pytest.fixture
def rules(operators):
    return Commands(operators=operators)


@pytest.fixture
def desk(open_outbox):
    client = Client()
    actions = {
        "health": lambda request: CommandOutcome(True, "fine", {"valid": 3}),
        "reload": lambda request: CommandOutcome(False, "nothing was changed"),
    }
    audit = Lines()
    carrying = Carrying(actions, audit)
    handler = CommandHandler(client, ROOT, carrying, open_outbox().accept_counter, audit)
    return handler, client, audit


def test_a_command_is_carried_out_answered_and_audited(desk, rules):
    desk, client, audit = desk
    desk.serve(CommandReceived("health", payload(command="health"), b"\x01\x02"), rules)
    ((name, response, correlation),) = client.responses
    assert (name, correlation) == ("health", b"\x01\x02")
    assert response == {
        "schema": "spektron.response/1",
        "command": "health",
        "stage": "finished",
        "ok": True,
        "message": "fine",
        "correlation": "c",
        "result": {"valid": 3},
    }
    details = {"ok": True, "stage": "finished", "message": "fine", "counter": 1}
    assert audit == [("anna", "command_health", details)]


def test_a_command_that_fails_is_answered_and_audited_as_failed(desk, rules):
    desk, client, audit = desk
    desk.serve(CommandReceived("reload", payload(), None), rules)
    assert client.responses[0][1]["ok"] is False
    assert audit[0][2]["ok"] is False


def test_an_accepted_command_is_answered_twice_under_its_correlation(desk, rules):
    desk, client, audit = desk
    desk._carrying.actions["health"] = lambda request: CommandOutcome(
        True, "the answer follows", ticket=7
    )
    desk.serve(CommandReceived("health", payload(command="health"), b"x"), rules)
    desk._carrying.finish(7, CommandOutcome(False, "withdrawn"))
    desk._carrying.finish(7, CommandOutcome(True, "a second end is none"))
    told = [(r["stage"], r["ok"], r["correlation"], raw) for _, r, raw in client.responses]
    assert told == [("accepted", True, "c", b"x"), ("finished", False, "c", b"x")]
    assert [line[2]["stage"] for line in audit] == ["accepted", "finished"]


@pytest.mark.parametrize("name", ["health", "unheard-of", ""])
def test_a_refused_command_is_counted_answered_and_audited_without_a_proven_name(desk, rules, name):
    desk, client, audit = desk
    desk.serve(CommandReceived(name, b"junk", None), rules)
    assert desk.refused == 1
    assert client.responses[0][1]["correlation"] is None
    assert client.responses[0][1]["ok"] is False
    ((who, what, details),) = audit
    assert (who, what, details["command"]) == ("not proven", "command_refused", name)


def test_who_is_proven_and_may_not_is_named(desk, rules):
    desk, _, audit = desk
    asked = payload(operator="bert", secret=b"another key of its own")
    desk.serve(CommandReceived("reload", asked, None), rules)
    assert audit[0][0] == "bert"
    assert audit[0][2]["why"] == "bert may not reload"


def test_a_flood_of_refused_commands_is_counted_and_an_operator_still_served(desk, rules):
    desk, client, audit = desk
    for _ in range(5000):
        desk.serve(CommandReceived("health", b"junk", None), rules)
    assert desk.refused == 5000
    assert len(client.responses) < 5000
    assert len(audit) < 500
    desk.serve(CommandReceived("reload", payload(), None), rules)
    assert client.responses[-1][1]["command"] == "reload"
    assert audit[-1][0] == "anna"


def test_what_a_flood_left_out_of_the_audit_log_is_told_by_the_next_line():
    now = [0.0]
    lines = Limited(2, 60.0, lambda: now[0])
    assert [lines.admit() for _ in range(5)] == [0, 0, None, None, None]
    now[0] = 60.0
    assert [lines.admit(), lines.admit(), lines.admit()] == [3, 0, None]


def test_a_stranger_does_not_learn_who_is_an_operator(desk, rules, operators):
    desk, client, audit = desk
    operators[1].key_file.unlink()
    for name in ("bert", "nobody"):
        desk.serve(CommandReceived("health", payload(operator=name), None), rules)
    known, unknown = (response for _, response, _ in client.responses)
    assert known == unknown
    assert "key of bert cannot be read" in audit[0][2]["why"]


def test_one_key_is_one_person(desk, operators):
    desk, client, audit = desk
    (operators[0].key_file.parent / "carl").write_bytes(SECRET)
    carl = Operator(name="carl", key_file=operators[0].key_file.parent / "carl", may=("health",))
    both = Commands(operators=(operators[0], carl), two_people=("health",))
    for name in ("anna", "carl"):
        asked = payload(operator=name, command="health", counter=5)
        desk.serve(CommandReceived("health", asked, None), both)
    assert [r["message"] for _, r, _ in client.responses] == [
        "this key is that of another operator, too"
    ] * 2
    assert audit[0][2]["why"] == "anna and carl have one key"


def test_two_operators_may_not_name_one_key_file(operators):
    carl = operators[0].model_copy(update={"name": "carl"})
    with pytest.raises(ValidationError, match="share a key file"):
        Commands(operators=(*operators, carl))


# ---- counters


def test_a_counter_that_nothing_could_follow_is_refused_where_the_clock_is_known(ask, open_outbox):
    now = [1_800_000_000.0]
    counters = PlausibleCounters(lambda operator, counter: True, lambda: now[0])
    assert counters.accept("anna", int(1_800_000_000e9))
    assert counters.accept("anna", 7)
    with pytest.raises(CommandRefused, match="more than a day ahead") as caught:
        counters.accept("anna", int(1_800_100_000e9))
    assert caught.value.operator == "anna"
    now[0] = None
    assert counters.accept("anna", 2**63 - 1)


def test_a_counter_begins_anew_and_that_is_audited(daemon, tmp_path, capsys):
    key = tmp_path / "anna.key"
    key.write_bytes(SECRET)
    path = tmp_path / "edge.toml"
    anna = f'{{ name = "anna", key_file = "{key}", may = ["health"] }}'
    path.write_text(f"{path.read_text()}[commands]\noperators = [{anna}]\n")
    outbox = daemon._state.outbox
    assert outbox.accept_counter("anna", 4 * 10**18)
    words = ["operator", "reset-counter", "--config", str(path), "--json"]
    assert main([*words, "nobody"]) == Faults.COMMAND_INPUT.value.exit_status
    assert main([*words, "anna"]) == 0
    before = time.time_ns()
    daemon._commands.counter_resets.look_after(1.0)
    daemon._turn(0.0)
    assert not outbox.accept_counter("anna", before - 10**9)
    assert outbox.accept_counter("anna", time.time_ns())
    lines = (tmp_path / "state" / "audit.jsonl").read_text().splitlines()
    assert "counter_reset" in lines[-1]
    assert local_operator() in lines[-1]
    assert len(events(daemon, "counter_reset")) == 1
    # Once, and not once more at the next look.
    daemon._commands.counter_resets.look_after(3.0)
    assert not outbox.accept_counter("anna", before)
    assert len((tmp_path / "state" / "audit.jsonl").read_text().splitlines()) == len(lines)


@pytest.fixture
def two(operators):
    bert = operators[1].model_copy(update={"may": ("health",)})
    return Commands(operators=(operators[0], bert), two_people=("health",))


def ask_health(desk, rules, operator, counter):
    secret = SECRET if operator == "anna" else b"another key of its own"
    asked = payload(operator=operator, secret=secret, command="health", counter=counter)
    desk.serve(CommandReceived("health", asked, None), rules)


def test_two_different_people_are_needed_where_two_are_configured(desk, two):
    desk, client, audit = desk
    ask_health(desk, two, "anna", 1)
    ask_health(desk, two, "anna", 2)
    assert desk._carrying.two_people.waiting == ("second person for health",)
    ask_health(desk, two, "bert", 1)
    assert [r["stage"] for _, r, _ in client.responses] == ["waiting", "waiting", "finished"]
    assert desk._carrying.two_people.waiting == ()
    assert (audit[-1][0], audit[-1][2]["with"]) == ("bert", "anna")


def test_a_right_that_was_withdrawn_does_not_count(desk, two, operators):
    desk, client, _ = desk
    ask_health(desk, two, "anna", 1)
    anna, bert = two.operators
    carl = bert.model_copy(update={"name": "carl", "key_file": anna.key_file.parent / "carl"})
    without = two.model_copy(
        update={"operators": (anna.model_copy(update={"may": ()}), bert, carl)}
    )
    ask_health(desk, without, "bert", 1)
    assert [r["stage"] for _, r, _ in client.responses] == ["waiting", "waiting"]


def test_the_second_person_has_to_ask_for_the_same_within_ten_minutes():
    now = [0.0]
    people = TwoPeople(lambda: now[0])
    first = Asked("anna", {"a": 1})
    other = Asked("bert", {"a": 2})
    same = Asked("bert", {"a": 1})
    may = {"anna", "bert"}
    assert people.partner("x", first, may) is None
    assert people.partner("x", other, may) is None
    now[0] = WITHIN_S
    assert people.partner("x", same, may) is None
    assert people.partner("x", first, may) == "bert"


# ---- a disk that takes nothing


@pytest.fixture
def full(desk):
    """The same while counters cannot be written down."""
    handler, client, audit = desk
    accept = handler._accept_counter

    def refuse(operator, counter):
        raise Fault(Faults.DISK_FULL, "database or disk is full")

    handler._accept_counter = refuse
    return handler, client, audit, accept


def test_a_command_that_cannot_be_recorded_is_refused_with_the_reason(full, rules, caplog):
    desk, client, audit, accept = full
    for counter in (1, 1):
        desk.serve(CommandReceived("reload", payload(counter=counter), b"x"), rules)
        name, response, correlation = client.responses[-1]
        assert (name, correlation, response["ok"]) == ("reload", b"x", False)
        assert response["result"] == {"fault": "disk_full"}
        assert "nothing was done" in response["message"]
        assert "free space" in response["message"]
    assert desk.refused == 2
    who, what, details = audit[-1]
    assert (who, what, details["command"]) == ("anna", "command_refused", "reload")
    assert all("free space" in record.fields["next"] for record in caplog.records)
    assert len(caplog.records) == 2
    # It was not used up.
    desk._accept_counter = accept
    desk.serve(CommandReceived("reload", payload(counter=1), b"x"), rules)
    assert client.responses[-1][1]["message"] == "nothing was changed"


def test_health_is_told_without_a_disk_once_for_a_counter(full, rules):
    desk, client, _, accept = full
    asked = [(1, True), (2, True), (2, False), (1, False), (3, True)]
    for counter, ok in asked:
        request = payload(command="health", counter=counter)
        desk.serve(CommandReceived("health", request, None), rules)
        assert client.responses[-1][1]["ok"] is ok
    desk._accept_counter = accept
    for counter, words in ((3, "used before"), (4, "nothing was changed")):
        desk.serve(CommandReceived("reload", payload(counter=counter), None), rules)
        assert words in client.responses[-1][1]["message"]


def test_a_stranger_learns_nothing_of_the_disk(full, rules):
    desk, client, *_ = full
    for secret, command in ((b"not the key of anna", "reload"), (SECRET, "scan-now")):
        desk._carrying.actions["scan-now"] = desk._carrying.actions["reload"]
        asked = payload(secret=secret, command=command)
        desk.serve(CommandReceived(command, asked, None), rules)
        assert client.responses[-1][1]["result"] == {}
        assert "disk" not in client.responses[-1][1]["message"]


# ---- the operator's side


def answers(*payloads):
    waiting = queue.Queue()
    for item in payloads:
        waiting.put(item if isinstance(item, bytes) else json.dumps(item).encode())
    return waiting


def test_the_answer_to_this_request_is_picked_out_of_what_arrives():
    mine = {"correlation": "c", "ok": True}
    seen = module._awaited(
        answers(b"junk", b"[1]", b"\xff", {"no": 1}, {"correlation": "d", "ok": True}, mine),
        "c",
        30.0,
    )
    assert seen == mine


def test_a_refusal_is_an_answer():
    refused = {"correlation": "c", "ok": False}
    others = {"correlation": None, "ok": False}
    assert module._awaited(answers(others, refused), "c", 30.0) == refused


def test_an_accepted_command_is_waited_for():
    accepted = {"correlation": "c", "ok": True, "stage": "accepted"}
    finished = {"correlation": "c", "ok": False, "stage": "finished"}
    assert module._awaited(answers(accepted, finished), "c", 30.0) == finished
    with pytest.raises(Fault, match="accepted, and not finished") as caught:
        module._awaited(answers(accepted), "c", 0.05)
    assert caught.value.kind is Faults.COMMAND_UNFINISHED


def test_without_a_time_of_one_s_own_a_trial_is_waited_for(monkeypatch):
    monkeypatch.setattr(module, "_FIRST_S", 0.01)
    monkeypatch.setattr(module, "_LAST_S", 0.02)
    accepted = {"correlation": "c", "ok": True, "stage": "accepted", "result": {"trial_s": 0.03}}
    with pytest.raises(Fault, match=r"not finished within 0\.05 s"):
        module._awaited(answers(accepted), "c", None)


def test_a_tool_goes_where_the_daemon_of_its_file_is(tmp_path):
    file, now = tmp_path / "edge.toml", Mqtt(url="mqtt://old")
    assert in_use(tmp_path, file) is None
    note_in_use(tmp_path, file, now)
    assert in_use(tmp_path, file) == now
    assert in_use(tmp_path, tmp_path / "desk.toml") is None
    (tmp_path / IN_USE_FILE).write_text("{not json")
    assert in_use(tmp_path, file) is None
    note_in_use(tmp_path / "no such folder", file, now)


def test_no_answer_is_a_fault():
    with pytest.raises(Fault) as caught:
        module._awaited(answers({"correlation": "d"}), "c", 0.05)
    assert caught.value.kind is Faults.COMMAND_FAILED


def test_topics_are_below_site_and_instrument():
    topics = Topics("plant", "nir")
    assert topics.root == ROOT
    assert topics.of("prediction") == f"{ROOT}/prediction"
    assert topics.commands == f"{ROOT}/command/+"
    assert topics.response("health") == f"{ROOT}/response/health"
