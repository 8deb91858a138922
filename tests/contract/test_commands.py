"""What every command promises, over a real broker: allowed, not allowed, malformed, unknown.

One broker, one instrument and one daemon for all of it; each test leaves them as it found them.
"""

from __future__ import annotations

import json
import queue
import secrets
import time

import pytest

from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.command_names import COMMANDS
from spektron_edge.config.file import shipped_bundle
from spektron_edge.config.loading import load_config
from spektron_edge.files.audit import verify
from spektron_edge.mqtt.commands import Key, sign, to_payload
from spektron_edge.mqtt.connection import connect_plain
from tests.integration.rig import (
    PATIENCE_S,
    ROOT,
    Mosquitto,
    Raw,
    Rig,
    instrument,
    listening,
    standard_settings,
    until,
)
from tests.requirements import need

SECRETS = {name: f"the key of {name}, long enough".encode() for name in ("anna", "bert", "carl")}
RIGHTS = {
    "anna": list(COMMANDS),
    "bert": ["choose-product"],
    "carl": ["health"],
}
# What works on an instrument that is streaming, and changes nothing that stays.
GOOD = {
    "health": {},
    "reload": {},
    "take-dark": {},
    "take-reference": {},
    "scan-now": {},
    "auto-range": {},
    "set-integration": {"integration_us": "configured"},
    "transfer-list": {},
    "adapt-list": {},
}
# What is refused for its arguments or for want of something to decide on: still answered, audited.
BAD = {
    "health": {"x": 1},
    "reload": {"x": 1},
    "take-dark": {"x": 1},
    "take-reference": {"x": 1},
    "scan-now": {"scans": 3},
    "set-integration": {"integration_us": "long"},
    "auto-range": {"share": 0.5},
    "wavelength-check": {"standard": "water"},
    "choose-product": {"product": "barley"},
    "transfer-start": {"samples": True},
    "transfer-add": {},
    "transfer-status": {"x": 1},
    "transfer-finish": {},
    "transfer-discard": {},
    "transfer-list": {"x": 1},
    "transfer-activate": {"transfer": 99},
    "transfer-rollback": {"x": 1},
    "adapt-service-event": {"x": 1},
    "adapt-stability": {"x": 1},
    "adapt-status": {"x": 1},
    "adapt-list": {"x": 1},
    "adapt-approve": {"adaptation": 99, "why": "because"},
    "adapt-reject": {"adaptation": 99, "why": "because"},
    "adapt-rollback": {},
    "adapt-reset": {"x": 1},
}


class Bench(Rig):
    """A daemon that is asked by MQTT alone."""

    def connect(self, client):
        self.client, self.counter = client, time.time_ns()
        self.answers: queue.Queue = queue.Queue()
        client.on_message = lambda _c, _u, message: self.answers.put(message)
        ready = []
        client.on_subscribe = lambda *_: ready.append(True)
        client.subscribe(f"{ROOT}/response/#", qos=1)
        until(lambda: ready, "a subscription")

    def send(self, name, payload):
        self.client.publish(f"{ROOT}/command/{name}", payload, qos=1)

    def answer(self, name, wanted=lambda response: True):
        while True:
            message = self.answers.get(timeout=PATIENCE_S)
            response = json.loads(message.payload)
            if message.topic == f"{ROOT}/response/{name}" and wanted(response):
                return response

    def ask(self, name, arguments=None, operator="anna", secret=None):
        """All answers to one request, the last of which ends it."""
        self.counter += 1
        correlation = secrets.token_hex(4)
        key = Key(operator, secret or SECRETS[operator])
        request = sign(key, ROOT, name, self.counter, correlation, arguments or {})
        self.send(name, to_payload(request))
        told = [self.answer(name, lambda r: r["correlation"] == correlation)]
        while told[-1]["stage"] == "accepted":
            told.append(self.answer(name, lambda r: r["correlation"] == correlation))
        return told

    def asked(self, name, arguments=None, operator="anna"):
        return self.ask(name, arguments, operator)[-1]

    @property
    def audit(self):
        verify(self.folder / "state" / "audit.jsonl")
        return self.audited

    def prediction(self, when):
        """The next prediction for which that holds."""

        def found():
            self.gather(self.subscriber)
            return [record for record in self.received.values() if when(record)]

        return until(found, "a prediction")[0]

    def state(self, when):
        return until(lambda: when(self.subscriber.state or {}) and self.subscriber.state, "a state")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    need("broker")
    folder = tmp_path_factory.mktemp("commands")
    broker = Mosquitto(folder)
    broker.start()
    shipped = read_bundle(shipped_bundle())
    (corn,) = shipped.manifest.products
    both = (corn, corn.model_copy(update={"name": "maize"}))
    manifest = shipped.manifest.model_copy(update={"products": both})
    write_bundle(folder / "two.spektron", manifest, shipped.members)
    bench = Bench(folder, instrument(folder))
    bench.settings = standard_settings(folder, broker.url)
    bench.settings[""] |= {"bundle": "two.spektron", "product": corn.name}
    bench.settings["acquisition"] = {"reference_averages": 4}
    operators = []
    for name, may in RIGHTS.items():
        (folder / f"{name}.key").write_bytes(SECRETS[name])
        operators.append(f'{{ name = "{name}", key_file = "{name}.key", may = {json.dumps(may)} }}')
    bench.settings["commands"] = {
        "operators": Raw(f"[{', '.join(operators)}]"),
        "two_people": Raw('["choose-product"]'),
        "reload_trial_s": 2.0,
    }
    with listening(broker.port) as subscriber:
        bench.subscriber = subscriber
        bench.start()
        until(lambda: bench.gather(subscriber), "a prediction")
        with connect_plain(load_config(bench.config).mqtt, 10.0) as client:
            bench.connect(client)
            yield bench
        bench.stop()
    bench.port.close()
    broker.kill()


@pytest.fixture(scope="module")
def good(bench):
    """Every command that works here, once: its answers."""
    return {name: bench.ask(name, arguments) for name, arguments in GOOD.items()}


@pytest.fixture(scope="module")
def bad(bench):
    return {name: bench.asked(name, arguments) for name, arguments in BAD.items()}


def test_the_contract_is_about_every_command():
    assert set(BAD) == set(COMMANDS)


@pytest.mark.parametrize("name", GOOD)
def test_an_allowed_command_is_carried_out_answered_and_audited(bench, good, name):
    last = good[name][-1]
    assert (last["ok"], last["stage"], last["command"]) == (True, "finished", name)
    lines = [e for e in bench.audit if e["what"] == f"command_{name}" and e["details"]["ok"]]
    assert [e["who"] for e in lines[: len(good[name])]] == ["anna"] * len(good[name])


@pytest.mark.parametrize("name", ["take-dark", "take-reference", "scan-now", "set-integration"])
def test_what_the_instrument_does_is_accepted_first(good, name):
    assert [answer["stage"] for answer in good[name]] == ["accepted", "finished"]


@pytest.mark.parametrize("name", [name for name in BAD if name != "choose-product"])
def test_what_cannot_be_done_is_answered_with_a_fault_and_audited(bench, bad, name):
    assert bad[name]["ok"] is False
    assert bad[name]["result"]["fault"]
    assert "Next:" in bad[name]["message"]
    lines = [e for e in bench.audit if e["what"] == f"command_{name}"]
    assert any(not e["details"]["ok"] for e in lines)


def test_no_command_is_obeyed_that_the_configuration_does_not_allow(bench):
    for name in COMMANDS:
        if name in RIGHTS["carl"]:
            continue
        answer = bench.asked(name, BAD[name], operator="carl")
        assert (answer["ok"], answer["message"]) == (False, f"carl may not {name}")
        time.sleep(0.11)  # ten refusals in a second are answered
    refused = [e for e in bench.audit if e["what"] == "command_refused" and e["who"] == "carl"]
    assert refused
    assert not [e for e in bench.audit if e["who"] == "carl" and e["what"] != "command_refused"]


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"{not json", "not a signed request"),
        (b"", "not a signed request"),
        (b'{"operator": "anna"}', "not a signed request: counter: Field required"),
        (b"\xff" * 300, "not a signed request"),
        (b'{"operator": "anna", "counter": 1, "mac": "' + b"0" * 64 + b'"}', "signature refused"),
    ],
)
def test_a_malformed_command_is_answered_and_audited(bench, payload, told):
    time.sleep(0.11)
    bench.send("health", payload)
    answer = bench.answer("health", lambda response: response["correlation"] in (None, ""))
    assert answer["ok"] is False
    assert told in answer["message"]


def test_an_unknown_command_is_answered(bench):
    time.sleep(0.11)
    answer = bench.asked("make-coffee")
    assert (answer["ok"], answer["message"]) == (False, "there is no command of this name")


def test_refusals_beyond_ten_a_minute_are_counted_and_not_written(bench):
    lines = [e for e in bench.audit if e["what"] == "command_refused"]
    assert 0 < len(lines) <= 20
    assert bench.asked("health")["result"]["commands_refused"] >= len(lines)


# ---- what the instrument does


def test_scan_now_names_the_prediction_that_it_became(bench):
    result = bench.asked("scan-now")["result"]
    record = bench.prediction(lambda r: r["id"] == result["record"])
    assert (record["scan"]["number"], record["valid"]) == (result["scan"], result["valid"])
    assert len(result["values"]) == len(record["values"])


def test_take_dark_makes_the_dark_new_and_leaves_the_white(bench):
    before = bench.prediction(lambda r: r["valid"])
    assert bench.asked("take-dark")["message"] == "dark measured"
    after = bench.asked("scan-now")["result"]["record"]
    scan = bench.prediction(lambda r: r["id"] == after)["scan"]
    assert scan["dark_age_s"] < scan["white_age_s"]
    assert scan["white_age_s"] > before["scan"]["white_age_s"]
    assert bench.asked("take-reference")["message"] == "white reference measured"
    after = bench.asked("scan-now")["result"]["record"]
    scan = bench.prediction(lambda r: r["id"] == after)["scan"]
    assert scan["white_age_s"] < scan["dark_age_s"]


def test_no_scan_is_lost_by_a_command(bench):
    for name in ("take-dark", "scan-now", "set-integration"):
        bench.ask(name, GOOD[name])
    last = bench.asked("scan-now")["result"]["scan"]
    bench.prediction(lambda r: r["scan"]["number"] >= last)
    bench.gather(bench.subscriber)
    assert bench.missed() == set()
    assert {r["scan"]["missing_before"] for r in bench.received.values()} == {0}


def test_another_integration_is_kept_shown_and_taken_back(bench):
    answer = bench.asked("set-integration", {"integration_us": 900})
    assert answer["message"] == "integration 1000 -> 900 us"
    record = bench.asked("scan-now")["result"]["record"]
    prediction = bench.prediction(lambda r: r["id"] == record)
    assert prediction["scan"]["integration_us"] == 900
    assert prediction["valid"]
    state = bench.state(lambda s: s.get("integration_us") == 900)
    assert state["chosen"][0].startswith("integration 900 us on VIRT-0001, by anna at ")
    chosen = json.loads((bench.folder / "state" / "choices" / "choices.json").read_text())
    assert chosen["integration"]["VIRT-0001"]["integration_us"] == 900
    assert bench.asked("reload")["ok"]
    back = bench.asked("set-integration", {"integration_us": "configured"})
    assert back["message"] == "integration 900 -> 1000 us"
    bench.state(lambda s: s.get("integration_us") == 1000 and s["chosen"] == [])


@pytest.mark.parametrize(("wished_us", "why"), [(100_000, "saturated"), (5, "takes 10 to")])
def test_an_integration_that_cannot_be_used_changes_nothing(bench, wished_us, why):
    answer = bench.asked("set-integration", {"integration_us": wished_us})
    assert answer["ok"] is False
    assert why in answer["message"]
    record = bench.asked("scan-now")["result"]["record"]
    prediction = bench.prediction(lambda r: r["id"] == record)
    assert (prediction["scan"]["integration_us"], prediction["valid"]) == (1000, True)


# ---- what the daemon does


def test_another_product_needs_two_people_and_is_in_every_record(bench):
    first = bench.asked("choose-product", {"product": "maize"})
    assert (first["ok"], first["stage"]) == (True, "waiting")
    assert bench.asked("choose-product", {"product": "maize"})["stage"] == "waiting"
    second = bench.asked("choose-product", {"product": "maize"}, operator="bert")
    assert (second["stage"], second["message"]) == ("finished", "product corn -> maize")
    bench.prediction(lambda r: r["model"]["product"] == "maize")
    done = [e for e in bench.audit if e["what"] == "command_choose-product"][-1]
    assert (done["who"], done["details"]["with"]) == ("bert", "anna")
    assert bench.asked("reload")["ok"]
    assert bench.asked("scan-now")["ok"]
    bench.asked("choose-product", {"product": "configured"})
    back = bench.asked("choose-product", {"product": "configured"}, operator="bert")
    assert back["result"]["product"] == "corn"


def test_a_product_that_is_not_there_is_refused(bench):
    bench.asked("choose-product", {"product": "barley"})
    answer = bench.asked("choose-product", {"product": "barley"}, operator="bert")
    assert answer["ok"] is False
    assert "the bundle holds corn, maize, not 'barley'" in answer["message"]


def test_a_configuration_that_works_stays(bench):
    bench.settings["mqtt"]["client_id"] = "another-name"
    bench.settings["acquisition"]["averages"] = 2
    assert bench.config.exists()
    stages = bench.ask("reload")
    assert [answer["stage"] for answer in stages] == ["accepted", "finished"]
    assert stages[-1]["ok"], stages[-1]["message"]
    bench.prediction(lambda r: r["scan"]["averages"] == 2)


@pytest.mark.parametrize(
    ("section", "key", "value", "what"),
    [
        ("serial", "url", "/dev/nothing-here", "instrument"),
        ("mqtt", "url", "mqtt://127.0.0.1:1", "broker"),
    ],
)
def test_a_configuration_that_does_not_work_is_left_by_itself(bench, section, key, value, what):
    good = bench.settings[section][key]
    bench.settings[section][key] = value
    assert bench.config.exists()
    try:
        answer = bench.asked("reload")
    finally:
        bench.settings[section][key] = good
        assert bench.config.exists()
    assert answer["ok"] is False
    assert answer["result"]["fault"] == "config_fell_back"
    assert f"no word from {what}" in answer["message"]
    until(lambda: bench.gather(bench.subscriber) and "config_fell_back" in bench.codes(), "it")
    after = bench.asked("scan-now")["result"]["record"]
    bench.prediction(lambda r: r["id"] == after)
    assert bench.missed() == set()
