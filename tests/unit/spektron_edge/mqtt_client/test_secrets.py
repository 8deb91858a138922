"""Passwords and other settings, read and taken up."""

from __future__ import annotations

import json

import pytest

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import FaultRaised
from spektron_edge.mqtt.connection import new_client
from tests import mqtt_peer as mp

from .clients import accept_and, accepting


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_that_cannot_be_read_is_a_fault_of_the_configuration(tmp_path, make, content):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Fault) as caught:
        make("mqtt://h", username="u", password_file=path)
    assert caught.value.kind is Faults.CONFIG_INVALID


def test_a_password_that_mqtt_cannot_carry_is_a_fault_before_anything_connects(tmp_path, make):
    (tmp_path / "password").write_text("x" * 65536)
    with pytest.raises(Fault) as caught:
        make("mqtt://h", username="u", password_file=tmp_path / "password")
    assert caught.value.kind is Faults.CONFIG_INVALID


def test_a_password_is_read_without_its_line_end(tmp_path):
    (tmp_path / "password").write_text("secret\n")
    settings = Mqtt(url="mqtt://h", username="u", password_file=tmp_path / "password")
    assert new_client(settings, "id").password == "secret"


def test_a_changed_password_is_used_by_the_next_session(tmp_path, make, said):
    path = tmp_path / "password"
    path.write_text("first")
    with mp.listening_peer(accepting) as peer:
        client = make(peer.url, username="u", password_file=path)
        client.start()
        said.connected()
        assert not client.files_changed()
        path.write_text("second")
        assert client.files_changed()
        number = client.publish("prediction", b"1")
        client.use(client._settings)
        said.answer(number)
        said.until(lambda _: len(peer.lines) > 1, "another session")
    assert peer.lines[0].seen[-1].kind == mp.DISCONNECT
    assert [line.seen[0].body.endswith(b"\x00\x05first") for line in peer.lines] == [True, False]
    assert peer.lines[1].seen[0].body.endswith(b"\x00\x06second")


def test_other_settings_are_taken_up_with_everything_that_is_under_way(make, said, tmp_path):
    with (
        mp.listening_peer(accept_and(mp.PUBLISH, mp.DISCONNECT)) as first,
        mp.listening_peer(accepting) as second,
    ):
        client = make(first.url)
        client.start()
        said.connected()
        number = client.publish("prediction", b"1")
        said.until(lambda _: True, "anything")
        with pytest.raises(Fault):
            client.use(Mqtt(url=second.url, username="u", password_file=tmp_path / "none"))
        assert client.connected
        client.use(Mqtt(url=second.url, client_id="other", timeout_s=1.0))
        assert said.answer(number).error is None
        assert b"other" in second.lines[0].seen[0].body
    ledger = json.loads((tmp_path / "retained.json").read_text())["retained"]
    brokers = {entry["broker"] for entry in ledger}
    assert brokers == {first.url, second.url}
    assert not [item for item in said.items if isinstance(item, FaultRaised)]


def test_a_file_that_is_gone_changes_nothing_until_the_session_ends(tmp_path, make, said):
    path = tmp_path / "password"
    path.write_text("first")
    with mp.listening_peer(accept_and(mp.SUBSCRIBE, mp.PUBLISH), accepting) as peer:
        client = make(peer.url, username="u", password_file=path)
        client.start()
        said.connected()
        path.unlink()
        with pytest.raises(Fault, match="password"):
            client.files_changed()
        assert client.connected
        number = client.publish("event", b"{}")
        assert "password" in said.fault(Faults.CONFIG_INVALID).detail
        path.write_text("second")
        assert said.answer(number).error is None


def test_tls_with_an_authority_that_is_none_is_a_fault(tmp_path, make):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(Fault) as caught:
        make("mqtts://h", ca_file=tmp_path / "ca.pem")
    assert caught.value.kind is Faults.CONFIG_INVALID
    assert "mqtt.ca_file" in caught.value.detail
