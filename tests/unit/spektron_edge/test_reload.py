"""A configuration on trial, and the way back, on a daemon without line or broker."""

from __future__ import annotations

import time

import pytest

from spektron_edge.commands.asked import Asked
from spektron_edge.config.loading import load_config
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.daemon.daemon import Daemon
from spektron_edge.daemon.last_good import FOLDER, Kept, LastGood, identity, load_working
from spektron_edge.faults import Fault, Faults

from .turns import events


@pytest.fixture
def path(tmp_path, daemon):
    return tmp_path / "edge.toml"


@pytest.fixture
def used(daemon, monkeypatch):
    """The configurations that instrument and broker were changed to."""
    found = []

    def use(config, changed):
        found.append(config)
        if "mqtt" in changed:
            daemon._client.use(config.mqtt)
            daemon._client._new_session()

    monkeypatch.setattr(daemon._reload, "_use", use)
    return found


@pytest.fixture
def change(path):
    def make(before, after):
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    return make


def begun(daemon, at_s=0.0):
    outcome = daemon._reload.reload()
    assert outcome.ticket is not None
    assert daemon._reload.look_after(at_s) is None
    return outcome


def test_what_worked_has_to_work_again(daemon, used, change):
    daemon._reload.works("instrument")
    change("/dev/absent", "/dev/other")
    outcome = begun(daemon)
    assert outcome.message == "serial on trial for 60 s"
    assert used[-1].serial.url == daemon._config.serial.url == "/dev/other"
    assert daemon._reload.look_after(59.0) is None
    daemon._reload.works("instrument")
    ticket, ended = daemon._reload.look_after(59.5)
    assert (ticket, ended.ok) == (outcome.ticket, True)
    assert daemon._config.serial.url == "/dev/other"


def test_sparkplug_follows_to_another_broker(daemon, monkeypatch):
    followed = []
    monkeypatch.setattr(daemon._adapters, "use", followed.append)
    config = daemon._config.model_copy(update={"mqtt": Mqtt(url="mqtt://127.0.0.1:2")})
    daemon._use(config, {"mqtt"})
    daemon._use(config, set())
    assert followed == [config.mqtt]


def test_what_does_not_work_in_time_is_left_and_a_restart_knows_it(daemon, used, change, path):
    good = path.read_text()
    daemon._reload.works("instrument")
    daemon._reload.works("broker")
    change("/dev/absent", "/dev/other")
    change("mqtt://127.0.0.1:1", "mqtt://127.0.0.1:2")
    begun(daemon)
    daemon._reload.works("broker")
    _, ended = daemon._reload.look_after(60.0)
    assert not ended.ok
    assert "no word from instrument" in ended.message
    assert [c.serial.url for c in used] == ["/dev/other", "/dev/absent"]
    assert daemon._config.serial.url == "/dev/absent"
    daemon._turn(0.0)
    assert len(events(daemon, "config_fell_back")) == 1
    found = load_working(path)
    assert (found.text, found.config) == (good, daemon._config)
    assert "did not work: no word from instrument" in found.why
    path.write_text(good.replace("/dev/absent", "/dev/third"))
    assert load_working(path).config == load_config(path)


def test_a_daemon_that_starts_with_the_same_file_says_so(daemon, path, change):
    good = path.read_text()
    change("/dev/absent", "/dev/other")
    kept = Kept(bad=identity(load_config(path)), good=good, why="because")
    LastGood(daemon._config.state_dir).keep(kept, {})
    daemon._state.close()
    again = Daemon(path)
    try:
        assert again._config.serial.url == "/dev/absent"
        again._reload.tell()
        assert again._notices.codes == ("config_fell_back",)
        path.write_text(good)
        assert again._reload.reload().ok
        assert again._notices.codes == ()
        assert LastGood(again._config.state_dir).read() == Kept()
    finally:
        again._adaptations.end()
        again._state.close()


def test_what_did_not_work_before_is_not_asked_for(daemon, used, change):
    change("/dev/absent", "/dev/other")
    outcome = begun(daemon)
    assert daemon._reload.look_after(0.0)[0] == outcome.ticket
    assert daemon._config.serial.url == "/dev/other"


def test_what_fails_before_a_trial_is_not_asked_for_either(daemon, used, change):
    daemon._reload.works("instrument")
    daemon._reload.fails("instrument")
    change("/dev/absent", "/dev/other")
    begun(daemon)
    daemon._reload.fails("instrument")
    assert daemon._reload.look_after(0.0)[1].ok


def test_secrets_that_cannot_be_read_change_nothing(daemon, change, monkeypatch):
    def unreadable(*_):
        raise Fault(Faults.CONFIG_INVALID, "mqtt secrets cannot be read")

    monkeypatch.setattr(daemon._reload, "_use", unreadable)
    change("/dev/absent", "/dev/other")
    ticket = daemon._reload.reload().ticket
    ended = daemon._reload.look_after(0.0)
    assert ended[0] == ticket
    assert "nothing was changed" in ended[1].message
    assert daemon._config.serial.url == "/dev/absent"


def test_a_daemon_that_ends_during_a_trial_tells_who_waits(daemon, used, change):
    assert daemon._reload.end() is None
    daemon._reload.works("instrument")
    change("/dev/absent", "/dev/other")
    outcome = begun(daemon)
    ticket, ended = daemon._reload.end()
    assert (ticket, ended.ok) == (outcome.ticket, False)


def test_during_a_trial_there_is_no_other_reload_and_no_other_product(daemon, used, change):
    daemon._reload.works("instrument")
    change("/dev/absent", "/dev/other")
    begun(daemon)
    request = Asked("anna", {"product": "grain"})
    for ask in (
        daemon._reload.reload,
        lambda: daemon._commands.carrying.actions["choose-product"](request),
    ):
        with pytest.raises(Fault, match="on trial") as caught:
            ask()
        assert caught.value.kind is Faults.COMMAND_NOT_DONE


# ---- a trial that is cut short


@pytest.fixture
def secret(tmp_path, daemon, used, path):
    """A daemon that a broker has accepted, with the password of a file."""
    file = tmp_path / "password"
    file.write_text("right")
    text = path.read_text()
    path.write_text(f'{text}username = "m5"\npassword_file = "password"\n')
    begun(daemon)
    assert daemon._reload.look_after(0.0)[1].ok
    daemon._client.accepted()
    daemon._reload.works("broker")
    return file


def test_what_ends_the_daemon_in_a_trial_ends_the_trial(daemon, used, change, path):
    good = path.read_text()
    daemon._reload.works("instrument")
    change("/dev/absent", "/dev/other")
    begun(daemon)
    # Power is cut here: whatever is on the disk counts.
    found = load_working(path)
    assert (found.text, found.config.serial.url) == (good, "/dev/absent")
    assert "the daemon ended during its trial" in found.why
    path.write_text(path.read_text() + "# another comment\n")
    assert load_working(path).text == good
    path.write_text(path.read_text().replace("/dev/other", "/dev/third"))
    assert load_working(path).config.serial.url == "/dev/third"


def test_after_a_trial_that_ended_well_nothing_is_kept(daemon, used, change, path):
    daemon._reload.works("instrument")
    change("/dev/absent", "/dev/other")
    begun(daemon)
    daemon._reload.works("instrument")
    assert daemon._reload.look_after(1.0)[1].ok
    assert load_working(path).config.serial.url == "/dev/other"
    assert load_working(path).why == ""


def test_without_a_way_back_there_is_no_trial(daemon, used, change, monkeypatch):
    def full(*_):
        raise Fault(Faults.DISK_FULL, "no room")

    monkeypatch.setattr(daemon._reload._last_good, "keep", full)
    change("/dev/absent", "/dev/other")
    daemon._reload.reload()
    _, ended = daemon._reload.look_after(0.0)
    assert "nothing was changed: no room" in ended.message
    assert used == []


def test_a_wrong_password_is_a_trial_and_what_worked_comes_back(daemon, used, secret, path):
    secret.write_text("wrong")
    outcome = begun(daemon)
    assert outcome.message == "mqtt on trial for 60 s"
    copy = daemon._config.state_dir / FOLDER / "password"
    assert (copy.read_text(), copy.stat().st_mode & 0o777) == ("right", 0o600)
    # A power cut in the trial finds the way back, too, until the file is put right.
    assert load_working(path).config.mqtt.password_file == copy
    _, ended = daemon._reload.look_after(60.0)
    assert "no word from broker" in ended.message
    assert used[-1].mqtt.password_file == copy
    assert load_working(path).config.mqtt.password_file == copy
    secret.write_text("better")
    assert load_working(path).config.mqtt.password_file == secret
    begun(daemon)
    assert copy.read_text() == "right"
    daemon._reload.works("broker")
    assert daemon._reload.look_after(61.0)[1].ok
    assert daemon._config.mqtt.password_file == secret
    assert not copy.exists()


def test_a_session_of_the_settings_before_proves_nothing(daemon, used, secret):
    secret.write_text("wrong")
    before = daemon._client._session_of
    begun(daemon, time.monotonic())
    daemon._client._session_of, new = before, daemon._client._session_of
    daemon._client.accepted()
    daemon._turn(0.0)
    assert daemon._reload._trial is not None
    daemon._client._session_of = new
    daemon._client.accepted()
    daemon._turn(0.0)
    assert daemon._reload._trial is None
    assert daemon._config.mqtt.password_file == secret


def test_a_right_password_is_proven_and_said_so(daemon, used, secret):
    secret.write_text("new")
    begun(daemon)
    daemon._reload.works("broker")
    _, ended = daemon._reload.look_after(1.0)
    assert ended.ok
    assert ended.message.startswith("mqtt connects anew with the changed password")
    assert not (daemon._config.state_dir / FOLDER / "password").exists()


def test_what_changed_is_said_and_where_the_rest_follows(daemon, used, change):
    daemon._reload.works("broker")
    change("mqtt://127.0.0.1:1", "mqtt://127.0.0.1:2")
    outcome = begun(daemon)
    assert outcome.result == {"trial_s": 60.0, "broker": "mqtt://127.0.0.1:2"}
    assert "the rest is said at mqtt://127.0.0.1:2" in outcome.message
    daemon._reload.works("broker")
    _, ended = daemon._reload.look_after(1.0)
    assert ended.message.startswith("mqtt.url mqtt://127.0.0.1:1 -> mqtt://127.0.0.1:2; bundle ")
    assert " as before" in ended.message


def test_records_under_way_wait_for_a_restart(daemon, used, path):
    path.write_text(path.read_text() + "in_flight = 7\n")
    outcome = daemon._reload.reload()
    assert outcome.message.endswith("; restart for: mqtt.in_flight")
    assert daemon._config.mqtt.in_flight == 20
