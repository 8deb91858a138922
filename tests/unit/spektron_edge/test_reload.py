"""A configuration on trial, and the way back, on a daemon without line or broker."""

from __future__ import annotations

import pytest

from spektron_edge.config.loading import load_config
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.daemon.daemon import Daemon
from spektron_edge.daemon.last_good import LastGood, load_working
from spektron_edge.faults import Fault, Faults
from spektron_edge.mqtt.commands import Key, sign

from .turns import events


@pytest.fixture
def path(tmp_path, daemon):
    return tmp_path / "edge.toml"


@pytest.fixture
def used(daemon, monkeypatch):
    """The configurations that instrument and broker were changed to."""
    found = []
    monkeypatch.setattr(daemon._reload, "_use", lambda _, config: found.append(config))
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
    before = daemon._config
    config = before.model_copy(update={"mqtt": Mqtt(url="mqtt://127.0.0.1:2")})
    daemon._use(before, config)
    daemon._use(config, config)
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
    LastGood(daemon._config.state_dir).keep(bad=path.read_text(), good=good, why="because")
    daemon._state.close()
    again = Daemon(path)
    try:
        assert again._config.serial.url == "/dev/absent"
        again._reload.tell()
        assert again._notices.codes == ("config_fell_back",)
        path.write_text(good)
        assert again._reload.reload().ok
        assert again._notices.codes == ()
        assert LastGood(again._config.state_dir).instead_of(good) is None
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
    request = sign(Key("anna", bytes(16)), "r", "choose-product", 1, "", {"product": "grain"})
    for ask in (
        daemon._reload.reload,
        lambda: daemon._commands._actions["choose-product"](request),
    ):
        with pytest.raises(Fault, match="on trial") as caught:
            ask()
        assert caught.value.kind is Faults.COMMAND_NOT_DONE
