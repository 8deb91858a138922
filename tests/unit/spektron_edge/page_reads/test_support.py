"""The support file: everything that helps, and no secret from wherever it may come."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge import log
from spektron_edge.bundle.device_key import show_device_key
from spektron_edge.cli.main import main
from spektron_edge.clock import Stamp
from spektron_edge.config.loading import load_config
from spektron_edge.files.audit import Audit
from spektron_edge.outbox import Outgoing
from spektron_edge.publishing.records import Event, Times, new_id, to_json
from spektron_edge.support.removal import REMOVED, Removal

from .predicted import iso, outbox

OPERATOR = "anna's 0123456789abcdef"
BROKER = 'p"ss wörd\\7'
URL = "dave:hunter22"
QUERY = "token=t0ken-of-the-broker"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEA"
PEM = f"-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----\n"


@pytest.fixture
def config_path(config_path):
    folder = config_path.parent
    (folder / "anna.key").write_text(f"{OPERATOR}\n")
    (folder / "broker.password").write_text(BROKER, "utf-8")
    for name in ("mqtt.pem", "page.pem"):
        (folder / name).write_text(PEM)
    (folder / "page.crt").write_text(PEM.replace("MIIE", "CERT"))
    config_path.write_text(
        'site = "lab"\ninstrument = "m5"\nstate_dir = "state"\nbundle = "tiny.spektron"\n'
        f'[serial]\nurl = "rfc2217://{URL}@10.0.0.7:4000"\n'
        f'[mqtt]\nurl = "wss://broker.lan/mqtt?{QUERY}"\nusername = "edge"\n'
        'password_file = "broker.password"\n'
        'cert_file = "mqtt.pem"\nkey_file = "mqtt.pem"\n'
        '[commands]\noperators = [{ name = "anna", key_file = "anna.key", may = ["health"] }]\n'
        '[page]\ncertificate = "page.crt"\nkey = "page.pem"\n'
    )
    return config_path


@pytest.fixture
def secrets(page):
    """All of them, each of which stands in log, audit log, events and what the daemon said."""
    show_device_key(page.state_dir, None)
    code = page.first_boot.code()
    device = (page.state_dir / "device-key.pem").read_text().splitlines()[1]
    known = [OPERATOR, BROKER, URL, code, device, "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"]
    known += [code.replace("-", ""), OPERATOR.encode().hex(), page.users.read().held[0].hash]
    told = " and ".join(f"x{secret}y" if secret != URL else f"a://{URL}@b" for secret in known)
    log.also(page.log_ring)
    log.warn("quoted", detail=f"{told}, wss://broker.lan/mqtt?{QUERY}: refused")
    audit = Audit(page.state_dir / "audit.jsonl")
    audit.append(Stamp(0.0, 1.0, "b"), "anna", "odd", {"told": told, "password": "plain one"})
    audit.close()
    event = Event(
        id=new_id(),
        site="lab",
        instrument="m5",
        time=Times(utc=iso(0), running_s=1.0, clock="ok"),
        code="config_invalid",
        level="error",
        message=told,
    )
    with closing(outbox(page, [])) as box:
        box.commit([Outgoing(event.id, "event", to_json(event))])
        page.link.known["state"] = {"record": {"waiting_for": [told], told: "a name"}}
        yield [*known, "plain one", "hunter22", QUERY]


def opened(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_no_secret_leaves_and_everything_else_is_there(asked, page, secrets):
    answer = asked("/support.zip")
    assert answer.headers["content-type"] == "application/zip"
    found = opened(answer.content)
    whole = "\n".join(found.values())
    for secret in secrets:
        for form in (secret, json.dumps(secret)[1:-1]):
            assert form not in whole, form
    assert found["configuration.json"].count(REMOVED) == 2
    for name in ("configuration.json", "daemon.json", "audit.json", "events.json", "page.log"):
        assert REMOVED in found[name]
    configured = json.loads(found["configuration.json"])
    assert configured["mqtt"]["password_file"].endswith("broker.password")
    assert configured["commands"]["operators"][0]["name"] == "anna"
    assert json.loads(found["events.json"])[0]["code"] == "config_invalid"
    assert json.loads(found["audit.json"])[0]["what"] == "odd"
    assert json.loads(found["state-folder.json"])["audit"]["lines"] == 1
    assert "numpy" in json.loads(found["versions.json"])["packages"]
    for name in found:
        assert name == "contents.txt" or name in found["contents.txt"]


def test_the_command_line_makes_the_same_without_the_page(config_path, page, secrets, capsys):
    file = config_path.parent / "support.zip"
    assert main(["support", str(file), "--config", str(config_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = opened(file.read_bytes())
    assert told["holds"] == list(found)
    assert "page.log" not in found
    assert file.stat().st_mode & 0o777 == 0o600
    whole = "\n".join(found.values())
    assert not [secret for secret in secrets if secret in whole]


def test_a_file_that_cannot_be_written_is_a_fault(config_path, capsys):
    file = config_path.parent / "absent" / "support.zip"
    assert main(["support", str(file), "--config", str(config_path)]) == 12
    assert "absent" in capsys.readouterr().err


def test_a_damaged_state_folder_is_told_within(asked, page):
    (page.state_dir / "outbox.sqlite").write_bytes(b"\x5a" * 8192)
    (page.state_dir / "audit.jsonl").write_bytes(b"no\n")
    found = opened(asked("/support.zip").content)
    assert "cannot be read" in found["events.json"]
    assert "cannot be read" in found["state-folder.json"]
    assert json.loads(found["audit.json"]) == [{}]


def test_before_the_daemon_ever_ran(config_path):
    from spektron_edge.support.archive import support_file

    found = opened(support_file(load_config(config_path)))
    assert "cannot be read" in found["audit.json"]
    assert json.loads(found["events.json"]) == []


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_engineers_alone(asked, role):
    assert asked("/support.zip", role).status_code == 403


@given(
    st.text(st.characters(exclude_characters=REMOVED), min_size=4),
    st.text(),
    st.text(),
)
def test_a_known_secret_is_in_no_text(secret, before, after):
    removal = Removal([secret])
    assert secret not in removal.text(before + secret + after)
    assert removal.count >= 1
