"""`reload` over real brokers: to another one and back, and cut short."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from base64 import b64encode

import pytest

from spektron_edge.cli.main import main
from spektron_edge.faults import Faults
from tests.integration.rig import Mosquitto, free_port, listening, until
from tests.requirements import need


@pytest.fixture
def other(broker, tmp_path):
    (tmp_path / "other").mkdir()
    made = Mosquitto(tmp_path / "other")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def rig(make_rig, streaming, broker):
    rig = make_rig(broker.url)
    rig.allow("anna", "health", "reload")
    rig.settings["commands"]["reload_trial_s"] = 30
    return streaming(rig)


def test_the_daemon_moves_to_another_broker_and_the_tool_learns_it(
    rig, broker, other, command, tmp_path, capsys
):
    rig.settings["mqtt"]["url"] = other.url
    status, response = command(rig, "reload", "anna")
    assert (status, response["stage"]) == (0, "finished")
    assert response["message"].startswith(f"mqtt.url {broker.url} -> {other.url}; ")
    status, response = command(rig, "health", "anna")
    assert status == 0
    # Back again, asked from elsewhere: a copy of the new file, and no state folder to look into.
    desk = tmp_path / "desk" / "desk.toml"
    desk.parent.mkdir()
    rig.settings["mqtt"]["url"] = broker.url
    shutil.copy(rig.config, desk)
    words = ["command", "reload", "--config", str(desk), "--operator", "anna", "--json"]
    key = ["--key", str(tmp_path / "anna.key")]
    assert main([*words, *key, "--broker", other.url]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["message"].startswith(f"mqtt.url {other.url} -> {broker.url}; ")
    assert main([*words, *key, "--broker", "http://no"]) == Faults.COMMAND_FAILED.value.exit_status


def test_power_that_fails_in_a_trial_does_not_cut_the_daemon_off(rig, broker, ask):
    good = rig.settings["mqtt"]["url"]
    rig.settings["mqtt"]["url"] = f"mqtt://127.0.0.1:{free_port()}"
    asked = ("command", "reload", "--operator", "anna", "--timeout", 3)
    status, _ = ask(rig, *asked)
    assert status == Faults.COMMAND_UNFINISHED.value.exit_status
    rig.kill()
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: rig.gather(subscriber) and "config_fell_back" in rig.codes(), "the way back")
        status, response = ask(rig, "command", "health", "--operator", "anna")
        assert response["message"] == "config_fell_back"
        rig.settings["mqtt"]["url"] = good
        assert ask(rig, "command", "reload", "--operator", "anna")[0] == 0


def hashed(user, password):
    """A line of Mosquitto's password file: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"{user}:$7$101${b64encode(salt).decode()}${b64encode(digest).decode()}\n"


def test_a_wrong_password_does_not_cut_the_daemon_off(make_rig, tmp_path, capsys):
    need("broker")
    passwords = tmp_path / "passwords"
    passwords.write_text(hashed("m5", "right") + hashed("desk", "of the desk"))
    broker = Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {passwords}")
    broker.start()
    try:
        rig = make_rig(broker.url)
        rig.allow("anna", "health", "reload")
        rig.settings["commands"]["reload_trial_s"] = 2
        secret = tmp_path / "password"
        secret.write_text("right")
        rig.settings["mqtt"] |= {"username": "m5", "password_file": "password"}
        desk = tmp_path / "desk.toml"
        text = rig.config.read_text().replace('"m5"\npassword', '"desk"\npassword')
        desk.write_text(text.replace('"password"', '"of-the-desk"'))
        (tmp_path / "of-the-desk").write_text("of the desk")
        asked = ["command", "reload", "--config", str(desk), "--operator", "anna", "--json"]
        rig.start()
        until(lambda: "broker_connected" in rig.log, "a session")
        secret.write_text("wrong")
        assert main(asked) == Faults.COMMAND_FAILED.value.exit_status
        answer = json.loads(capsys.readouterr().out)
        assert answer["result"]["fault"] == "config_fell_back"
        secret.write_text("right")
        assert main(asked) == 0
        assert rig.stop() == 0
    finally:
        broker.kill()
