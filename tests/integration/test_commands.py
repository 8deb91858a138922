"""Commands over a real broker, by the command line an operator would use."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.cli.main import main
from spektron_edge.config.file import shipped_bundle
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Faults
from spektron_edge.mqtt.commands import Key, sign, to_payload
from spektron_edge.mqtt.connection import connect_plain
from tests.integration.rig import ROOT, Mosquitto, Raw, listening, until
from tests.requirements import need


@pytest.fixture
def running(make_rig, streaming, broker):
    """A streaming daemon that obeys the operator anna (health, reload) and bob (health)."""
    rig = make_rig(broker.url)
    rig.allow("anna", "health", "reload")
    rig.allow("bob", "health")
    rig.settings[""]["bundle"] = "own.spektron"
    shutil.copy(shipped_bundle(), rig.folder / "own.spektron")
    return streaming(rig)


def audited(rig):
    return [(line["who"], line["what"]) for line in rig.audited]


def test_health_is_answered_and_audited(running, command):
    status, response = command(running, "health", "bob")
    assert (status, response["ok"]) == (0, True)
    assert response["message"] == "no fault"
    assert response["result"]["line_frames"] > 0
    assert ("bob", "command_health") in audited(running)


def test_reload_takes_the_new_bundle_without_a_gap(running, command):
    path = running.folder / "own.spektron"
    bundle = read_bundle(path)
    newer = bundle.manifest.model_copy(update={"version": bundle.manifest.version + 1})
    write_bundle(path, newer, bundle.members)
    status, response = command(running, "reload", "anna")
    assert (status, response["ok"]) == (0, True)
    expected = read_bundle(path).id
    assert response["result"]["bundle"] == expected

    def used():
        running.gather(running.subscriber)
        return {r["model"]["bundle"] for r in running.received.values()}

    until(lambda: expected in used(), "a prediction of the new bundle")
    assert used() == {bundle.id, expected}
    assert running.missed() == set()


def test_reload_of_a_broken_bundle_changes_nothing(running, command):
    good = read_bundle(running.folder / "own.spektron").id
    (running.folder / "own.spektron").write_bytes(b"PK not really")
    status, response = command(running, "reload", "anna")
    assert (status, response["ok"]) == (45, False)
    assert "nothing was changed" in response["message"]
    count = len(running.gather(running.subscriber))
    until(lambda: len(running.gather(running.subscriber)) > count, "a later prediction")
    assert {r["model"]["bundle"] for r in running.received.values()} == {good}


@pytest.mark.parametrize("why", ["not allowed", "wrong key", "unknown operator"])
def test_refused_commands_do_nothing_and_are_answered(running, ask, why):
    more = []
    if why == "wrong key":
        (running.folder / "other.key").write_bytes(b"another secret of some length")
        more = ["--key", str(running.folder / "other.key")]
    if why == "unknown operator":
        more = ["--key", str(running.folder / "bob.key")]
    operator = "eve" if why == "unknown operator" else "bob"
    name = "reload" if why == "not allowed" else "health"
    status, response = ask(running, "command", name, "--operator", operator, "--timeout", 60, *more)
    assert (status, response["ok"]) == (45, False)
    assert response["result"] == {}
    told = [line for line in audited(running) if line[1].startswith("command_")]
    assert [what for _, what in told] == ["command_refused"]


def test_a_recorded_command_cannot_be_played_again(running):
    secret = (running.folder / "bob.key").read_bytes()
    request = sign(Key("bob", secret), ROOT, "health", 7).model_dump_json()
    answers = []
    with connect_plain(load_config(running.config).mqtt, 10.0) as client:
        client.on_message = lambda _c, _u, message: answers.append(json.loads(message.payload))
        client.subscribe(f"{ROOT}/response/#", qos=1)
        for _ in range(2):
            client.publish(f"{ROOT}/command/health", request, qos=1)
        client.publish(f"{ROOT}/command/health", b"{not json", qos=1)
        until(lambda: len(answers) == 3, "three answers")
    assert [answer["ok"] for answer in answers] == [True, False, False]


def test_a_command_that_the_broker_does_not_allow_never_arrives(tmp_path, make_rig):
    need("broker")
    acl = tmp_path / "acl"
    # Everybody reads; only the daemon, by its client id, writes all of its topics.
    acl.write_text(
        f"topic read #\ntopic write {ROOT}/command/health\npattern write spektron/%c/#\n"
    )
    broker = Mosquitto(tmp_path, f"allow_anonymous true\nacl_file {acl}")
    broker.start()
    try:
        rig = make_rig(broker.url)
        rig.settings["mqtt"]["client_id"] = "lab/m5"
        rig.allow("anna", "health", "reload")
        key = Key("anna", (rig.folder / "anna.key").read_bytes())
        answers = []
        with listening(broker.port) as subscriber:
            rig.start()
            until(lambda: rig.gather(subscriber), "a prediction")
            with connect_plain(load_config(rig.config).mqtt, 10.0) as client:
                client.on_message = lambda _c, _u, message: answers.append(message)
                client.subscribe(f"{ROOT}/response/#", qos=1)
                for counter, name in enumerate(("reload", "health"), 1):
                    request = sign(key, ROOT, name, counter)
                    client.publish(f"{ROOT}/command/{name}", to_payload(request), qos=1)
                until(lambda: answers, "an answer")
        rig.stop()
        assert [message.topic for message in answers] == [f"{ROOT}/response/health"]
        assert ("anna", "command_reload") not in audited(rig)
    finally:
        broker.kill()


def test_check_config_probes_instrument_and_broker(broker, make_rig, capsys):
    rig = make_rig(broker.url)
    assert main(["check-config", str(rig.config), "--probe", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["instrument"].startswith("VIRT-0001")
    rig.settings["mqtt"]["url"] = "mqtt://127.0.0.1:1"
    assert main(["check-config", str(rig.config), "--probe", "--json"]) == 40
    rig.port.close()
    assert main(["check-config", str(rig.config), "--probe"]) == 20


def test_beside_a_running_daemon_the_broker_is_probed_all_the_same(running, capsys):
    assert main(["check-config", str(running.config), "--probe"]) == 21
    assert f"broker: {running.settings['mqtt']['url']} accepts us" in capsys.readouterr().err
    running.settings["mqtt"]["url"] = "mqtt://127.0.0.1:1"
    assert main(["check-config", str(running.config), "--probe"]) == 21
    assert "[broker_unreachable]" in capsys.readouterr().err


def test_the_first_of_two_people_is_told_so_by_the_status(running, command):
    running.settings["commands"]["two_people"] = Raw('["health"]')
    assert command(running, "reload", "anna")[0] == 0
    status, response = command(running, "health", "anna")
    assert (status, response["stage"]) == (Faults.COMMAND_WAITING.value.exit_status, "waiting")
    assert command(running, "health", "bob")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_daemon_in_order_from_its_first_moment_on(make_rig, number):
    rig = make_rig("mqtt://127.0.0.1:1")
    # A child inherits what its parent ignores, as whatever `nohup` has started does.
    before = signal.signal(number, signal.SIG_DFL)
    process = rig.start()
    signal.signal(number, before)
    # What the package's own code can catch: the interpreter has begun, and little else.
    handlers = Path(f"/proc/{process.pid}/status")
    until(lambda: _caught(handlers.read_text()) >> (number - 1) & 1, "a handler")
    process.send_signal(number)
    assert process.wait(60) == 0
    assert [what for _, what in audited(rig)][-1] == "daemon_stopped"


def _caught(status):
    (line,) = (line for line in status.splitlines() if line.startswith("SigCgt:"))
    return int(line.split()[1], 16)


def test_topics_under_another_name_of_the_broker_are_told(broker, make_rig):
    rig = make_rig(broker.url)
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: rig.gather(subscriber), "a prediction")
        rig.stop()
        rig.settings["mqtt"]["url"] = broker.url.replace("127.0.0.1", "localhost")
        rig.start()
        until(lambda: rig.gather(subscriber) and "retained_elsewhere" in rig.codes(), "the event")
        rig.stop()
