"""Whatever arguments a transfer command comes with over MQTT: an answer, never a traceback."""

from __future__ import annotations

import itertools
import json
import logging

import pytest

from spektron_edge.commands.limited import Limited
from spektron_edge.daemon.daemon import Daemon
from spektron_edge.inbox import CommandReceived, InstrumentReady
from spektron_edge.mqtt.commands import Key, sign, to_payload
from spektron_edge.transfer_session import Session
from tests.corn_bench import SERIAL, Cups, configure

from .turns import turn

KEY = Key("anna", b"0123456789abcdef0123")
COUNTER = itertools.count(1)
VERBS = ("start", "add", "status", "finish", "discard", "list", "rollback")
LONG = tuple(f"cup {i}" for i in range(256))
VALUES = [
    True,
    0,
    -1,
    2**53,
    1.5,
    -1e300 / 1e290,
    "",
    " ",
    "5",
    "x" * 256,
    "a\nb",
    "\u0000",
    "Süd\u2028",
    "nan",
    "moisture=nan",
    "moisture=1e999",
    "moisture=",
    "=1",
    (),
    ("",),
    ("5", "5"),
    ("moisture=1", "moisture=2"),
    LONG,
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    logger = logging.getLogger("spektron_edge")
    before = logger.handlers[:], logger.level, logger.propagate
    folder = tmp_path_factory.mktemp("device")
    may = ", ".join(f'"transfer-{verb}"' for verb in VERBS)
    config = configure(folder)
    (folder / "anna.key").write_bytes(KEY.secret)
    with config.open("a") as stream:
        stream.write(
            f'[commands]\noperators = [{{ name = "anna", key_file = "anna.key", may = [{may}] }}]\n'
        )
    daemon = Daemon(config)
    turn(daemon, InstrumentReady(SERIAL, "1.0", 7, Cups().axis_nm))
    yield daemon
    daemon._transfers.end()
    daemon._state.close()
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def send(daemon, monkeypatch):
    """send(verb, payload) -> the answer that was published."""
    answers = []
    handler = daemon._commands.handler
    monkeypatch.setattr(
        handler._client, "respond", lambda _name, payload, *_: answers.append(payload)
    )

    def make(verb, payload):
        # Refusals of a flood are not answered.
        handler._answers = Limited(1, 0.0)
        turn(daemon, CommandReceived(f"transfer-{verb}", payload, b""))
        return json.loads(answers.pop())

    return make


@pytest.fixture
def ask(send):
    def make(verb, /, **arguments):
        request = sign(KEY, "spektron/s/i", f"transfer-{verb}", next(COUNTER), "", arguments)
        return send(verb, to_payload(request))

    return make


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_argument_is_named(ask, verb):
    answer = ask(verb, sampel="5")
    assert (answer["ok"], answer["result"]["fault"]) == (False, "transfer_input")
    assert "sampel" in answer["message"]


def test_every_kind_of_value_for_every_argument_is_answered(daemon, ask):
    session = Session(daemon._reload._path, "x")
    session.start(SERIAL)
    cups = Cups()
    session.add("5", cups.scans("5"))
    given = {"sample": "5", "new": False, "labels": "moisture=10", "scans": 3}
    for name in given:
        for value in VALUES:
            answer = ask("add", **{**given, name: value})
            assert answer["ok"] is False, (name, value)
            assert answer["result"]["fault"] in ("transfer_input", "sample_refused"), answer
    for value in VALUES:
        if not isinstance(value, bool):
            assert ask("finish", dry_run=value)["result"]["fault"] == "transfer_input"
        # While one is open nothing can be begun, whatever is named.
        assert ask("start", samples=value)["ok"] is False
    session.discard()
    for value in VALUES:
        answer = ask("start", samples=value)
        assert answer["ok"] is (value in ("5", ("5", "5"))), answer
        if answer["ok"]:
            assert ask("discard")["ok"]


def test_what_is_not_signed_or_no_request_is_refused(send):
    signed = sign(KEY, "spektron/s/i", "transfer-discard", 2**40, "", {"sample": "5"})
    changed = json.loads(to_payload(signed)) | {"arguments": {"sample": "6"}}
    unsigned = {key: value for key, value in changed.items() if key != "mac"}
    surrogate = to_payload(signed).replace(b'"5"', b'"\\ud800"')
    deep = b'{"arguments":' + b"[" * 100_000
    payloads = [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"{" * 5000, deep, surrogate]
    payloads += [json.dumps(changed).encode(), json.dumps(unsigned).encode()]
    payloads += [to_payload(signed)]  # of another command
    for payload in payloads:
        answer = send("add", payload)
        assert answer["ok"] is False
        assert "signed request" in answer["message"] or "signature" in answer["message"]
