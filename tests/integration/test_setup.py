"""`setup` at a real terminal and from a file, with a real broker and an instrument on a pty."""

from __future__ import annotations

import json
import stat
import subprocess

import pytest

from firmware_bridge.virtual import InjectedFaults
from spektron_edge.cli.main import main
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Faults
from tests.console import Console
from tests.integration.rig import Mosquitto, instrument
from tests.requirements import need

PASSWORD = "open sesame, or so"


@pytest.fixture
def port(tmp_path):
    with instrument(tmp_path, interval_s=0.01):
        yield tmp_path / "instrument"


@pytest.fixture
def guarded(tmp_path):
    """A broker with a user, and an access list with the instrument `m5` of `lab`."""
    need("broker")
    passwords, rules = tmp_path / "passwords", tmp_path / "rules"
    made = ["mosquitto_passwd", "-c", "-b", passwords, "m5", PASSWORD]
    subprocess.run(made, check=True, capture_output=True)
    rules.write_text(
        "user m5\ntopic write spektron/lab/m5/#\ntopic read spektron/lab/m5/command/+\n"
    )
    for path in (passwords, rules):
        path.chmod(0o644)
    broker = Mosquitto(
        tmp_path, f"allow_anonymous false\npassword_file {passwords}\nacl_file {rules}"
    )
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def setup(tmp_path, capsys):
    """setup(**answers) without a dialogue: exit status, and what it says in JSON."""

    def run(*flags, **answers):
        file = tmp_path / "answers.toml"
        file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in answers.items()))
        words = ["--config", tmp_path / "spektron.toml", "--answers", file, "--json", *flags]
        capsys.readouterr()
        status = main(["setup", *map(str, words)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert PASSWORD not in out + err
        return status, json.loads(out)

    return run


def states(report, part):
    return [found["state"] for found in report["findings"] if found["part"] == part]


def of(report, part, state):
    return [f for f in report["findings"] if (f["part"], f["state"]) == (part, state)]


def test_a_dialogue_with_mistakes_ends_in_a_configuration_that_works(guarded, port, tmp_path):
    console = Console("setup", "--config", "spektron.toml", folder=tmp_path)
    console.answer("Site: ", "my lab")
    console.until("letters, digits")
    console.answer("Site: ", "")
    console.until("nothing to offer")
    console.answer("Site: ", "lab")
    console.answer("Instrument: ", "m5\x1b[2J")
    console.until("cannot be printed")
    console.answer("Instrument: ", b"\xff\xfe")
    console.answer("Instrument: ", "m5")
    console.answer("Port of the instrument", "/dev/ttyABSENT")
    console.until("is not there")
    console.answer("all the same?", "")
    console.answer("Port of the instrument", str(port))
    console.until("found VIRT-0001, driver spektron")
    console.answer("Driver [spektron]: ", "")
    console.answer("baud [921600]: ", "fast")
    console.until("a whole number")
    console.answer("baud [921600]: ", "")
    console.answer("Broker: ", "http://broker")
    console.until("must look like mqtt://")
    console.answer("Broker: ", guarded.url)
    console.answer("User name at the broker [none]: ", "m5")
    console.answer("Password: ", "wrong")
    console.until("broker_refused")
    console.answer("all the same? [no]", "")
    console.answer("Broker: ", guarded.url.removeprefix("mqtt://"))
    console.answer("User name at the broker [none]: ", "m5")
    console.answer("Password: ", PASSWORD)
    console.until("accepts us")
    console.answer("state [state]: ", "results")
    console.answer("calibration [none]: ", str(port))
    console.until("bundle: ")
    console.answer("calibration [none]: ", "")
    console.answer("page [no]: ", "perhaps")
    console.answer("page [no]: ", "n")
    console.answer("folder, MB at most [", "12")
    console.until("greater than or equal to 64")
    console.answer("folder, MB at most [", "")
    console.answer("MB at most [256]: ", "-3")
    console.until("greater than 0")
    console.answer("MB at most [256]: ", "512")
    console.answer("days [90]: ", "")
    console.answer("MB at most [32]: ", "")
    console.answer("days [7]: ", "")
    console.answer("MB at most [16]: ", "")
    console.until('+site = "lab"')
    console.answer("Write spektron.toml? [yes] ", "")
    for part in ("bundle:", "instrument:", "scan:", "broker:", "broker's access list:", "disk:"):
        console.until(f"ok       {part}")
    console.until("Next: spektron-edge run --config spektron.toml")
    assert console.end() in (0, 1)
    assert PASSWORD not in console.shown
    assert "Traceback" not in console.shown
    assert "\x1b" not in console.shown.replace("^[", "")
    config = load_config(tmp_path / "spektron.toml")
    assert (config.site, config.instrument, config.outbox.max_mb) == ("lab", "m5", 512)
    assert config.state_dir == tmp_path / "results"
    password = tmp_path / "mqtt.password"
    assert config.mqtt.password_file == password
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert password.read_text() == PASSWORD + "\n"


@pytest.mark.once
@pytest.mark.parametrize("after", [0, 6])
def test_ctrl_c_leaves_nothing(tmp_path, after):
    console = Console("setup", "--config", "spektron.toml", "--port", "/dev/null", folder=tmp_path)
    for question, line in [
        ("Site: ", "lab"),
        ("Instrument: ", "m5"),
        ("Driver [spektron]: ", ""),
        ("baud [921600]: ", ""),
        ("Broker: ", "mqtt://127.0.0.1:1"),
        ("name at the broker [none]: ", ""),
    ][:after]:
        console.answer(question, line)
    console.until({0: "Site: ", 6: "all the same? [no]"}[after])
    console.interrupt()
    assert console.end() == 130
    assert "Traceback" not in console.shown
    assert list(tmp_path.iterdir()) == []


def test_answers_from_a_file_and_a_second_time(guarded, port, setup, tmp_path):
    answers = {
        "site": "lab",
        "instrument": "m5",
        "port": str(port),
        "broker": guarded.url,
        "username": "m5",
        "password": PASSWORD,
    }
    status, report = setup(**answers)
    assert status in (0, 1)
    for part in ("instrument", "scan", "broker", "broker's access list", "bundle", "disk"):
        assert set(states(report, part)) == {"ok"}, part
    config = tmp_path / "spektron.toml"
    # Somebody has written into it since.
    with config.open("a") as stream:
        stream.write('client_id = "m5-lab"  # as the broker knows it\n')
    before = config.read_bytes()
    status, report = setup(**{**answers, "site": "plant"})
    assert status == Faults.SETUP_REFUSED.value.exit_status
    assert '-site = "lab"\n+site = "plant"' in report["error"]["detail"]
    assert config.read_bytes() == before
    # Who only says Enter changes nothing; what stands there by default stays unsaid.
    config.write_text(before.decode().replace("baud = 921600\n", ""))
    before = config.read_bytes()
    for same in ({}, answers):
        status, report = setup(**same)
        assert (status in (0, 1), report["changes"], report["written"]) == (True, [], [])
        assert config.read_bytes() == before
    status, report = setup("--overwrite", **{**answers, "site": "plant"})
    assert '+site = "plant"' in report["changes"]
    assert 'client_id = "m5-lab"  # as the broker knows it' in config.read_text()
    # No line of the access list is for that site.
    (refused,) = of(report, "broker's access list", "bad")
    assert refused["code"] == "publish_refused"
    assert status == Faults.EXAMINATION_BAD.value.exit_status


def test_what_is_wrong_or_missing_is_all_named_and_nothing_is_written(setup, tmp_path):
    status, report = setup(site="my lab", broker="nonsense://x", page=True, page_names=["a b"])
    assert status == Faults.SETUP_REFUSED.value.exit_status
    told = report["error"]["detail"]
    for word in ("site: letters", "instrument is missing", "port is missing", "page_names:"):
        assert word in told
    assert "broker: must look like" in told
    status, report = setup(sight="lab")
    assert "did you mean 'site'" in report["error"]["detail"]
    assert [path.name for path in tmp_path.iterdir()] == ["answers.toml"]


@pytest.mark.once
def test_a_silent_instrument_and_a_wrong_password_are_told_with_what_to_do(
    guarded, tmp_path, setup
):
    with instrument(tmp_path, faults=InjectedFaults(silent=True)):
        status, report = setup(
            site="lab",
            instrument="m5",
            port=str(tmp_path / "instrument"),
            driver="spektron",
            broker=guarded.url,
            username="m5",
            password="wrong",
        )
    assert status == Faults.EXAMINATION_BAD.value.exit_status
    (silent,) = of(report, "instrument", "bad")
    assert silent["code"] == "device_silent"
    (refused,) = of(report, "broker", "bad")
    assert refused["code"] == "broker_refused"
    assert "password" in refused["next_step"]


@pytest.mark.once
def test_a_page_for_others_gets_a_certificate(setup, tmp_path, broker, port):
    _, report = setup(
        site="lab",
        instrument="m5",
        port=str(port),
        broker=broker.url,
        page="yes",
        page_names=["dryer.local", "10.0.0.7"],
    )
    config = load_config(tmp_path / "spektron.toml")
    assert config.page.names == ("dryer.local", "10.0.0.7")
    assert config.page.certificate.is_file()
    assert stat.S_IMODE(config.page.key.stat().st_mode) == 0o600
    assert set(states(report, "certificates")) == {"ok"}
    assert "page --config" in report["next"]
