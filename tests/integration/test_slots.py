"""Two slots on a running device: install, activate, reload; and a broken bundle that gives way."""

from __future__ import annotations

import json

import pytest

from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.cli.main import main
from tests import signers
from tests.integration.rig import listening, until


@pytest.fixture
def rig(broker, make_rig, made, anna, tmp_path, ask):
    """A device with version 2 in slot a, trusting anna, obeying her; not yet running."""
    rig = make_rig(broker.url)
    signers.trusting(tmp_path / "trust", anna)
    rig.settings[""]["bundle"] = "slots"
    rig.settings["trust"] = {"keys": "trust"}
    rig.allow("anna", "health", "reload")
    assert ask(rig, "bundle", "install", made(2))[0] == 0
    assert ask(rig, "bundle", "activate", "a")[0] == 0
    return rig


def store(rig):
    return SlotStore(rig.folder / "state")


def used(rig, subscriber):
    rig.gather(subscriber)
    return {record["model"]["bundle"] for record in rig.received.values()}


def proven(rig):
    return until(lambda: store(rig).read().current.state == "good", "the end of the trial")


def test_install_activate_reload_and_the_next_record_names_the_new_bundle(
    broker, rig, made, ask, command, anna
):
    with listening(broker.port) as subscriber:
        rig.start()
        proven(rig)
        old = store(rig).read().current.bundle
        status, report = ask(rig, "bundle", "install", made(3), "--serial", "VIRT-0001")
        assert (status, report["slot"]) == (0, "b")
        assert ask(rig, "bundle", "activate", "b")[0] == 0
        assert used(rig, subscriber) == {old}
        status, response = command(rig, "reload", "anna")
        assert (status, response["ok"]) == (0, True)
        new = report["bundle"]
        until(lambda: new in used(rig, subscriber), "a prediction of the new bundle")
        proven(rig)
        assert rig.stop() == 0
        until(lambda: subscriber.offline, "the farewell")
        rig.gather(subscriber)
    assert used(rig, subscriber) == {old, new}
    assert rig.missed() == set()
    signed = {json.dumps(r["model"]["signed_by"]) for r in rig.received.values()}
    assert signed == {json.dumps({"key_id": anna.key_id, "name": "anna"})}
    whats = [line["what"] for line in rig.audited]
    assert whats.count("bundle_installed") == whats.count("bundle_activated") == 2
    assert whats.count("bundle_proven") == 2
    assert store(rig).read().untold == ()
    assert store(rig).read().floors == {"corn": 3}
    assert rig.codes().count("bundle_proven") == 2


def test_a_candidate_that_was_damaged_after_its_installation_falls_back(
    broker, rig, made, ask, command
):
    with listening(broker.port) as subscriber:
        rig.start()
        proven(rig)
        assert ask(rig, "bundle", "install", made(3))[0] == 0
        assert ask(rig, "bundle", "activate", "b")[0] == 0
        slots = store(rig)
        slots.path(slots.read().current).write_bytes(b"PK not really")
        status, response = command(rig, "reload", "anna")
        assert (status, response["ok"]) == (45, False)
        assert response["message"].startswith("fell back to corn-2-")
        count = len(rig.gather(subscriber))
        until(lambda: len(rig.gather(subscriber)) > count, "a later prediction")
        until(
            lambda: rig.gather(subscriber) is not None and "bundle_fell_back" in rig.codes(),
            "the event",
        )
        assert rig.stop() == 0
    assert {name.rsplit("-", 1)[0] for name in used(rig, subscriber)} == {"corn-2"}
    (line,) = [line for line in rig.audited if line["what"] == "bundle_fell_back"]
    assert line["details"]["left"].startswith("corn-3-")
    assert slots.read().active == "a"


def test_a_daemon_that_dies_again_and_again_on_trial_comes_back_with_the_old_bundle(
    broker, rig, made, ask
):
    with listening(broker.port) as subscriber:
        rig.start()
        proven(rig)
        assert rig.stop() == 0
        ask(rig, "bundle", "install", made(3))
        ask(rig, "bundle", "activate", "b")
        before = set(used(rig, subscriber))
        for started in (1, 2, 3):
            rig.start()
            until(
                lambda: store(rig).read().held["b"].starts == started,  # noqa: B023
                "the count of the start",
            )
            rig.kill()
        rig.start()
        until(
            lambda: rig.gather(subscriber) is not None and "bundle_fell_back" in rig.codes(),
            "the event",
        )
        count = len(rig.gather(subscriber))
        until(lambda: len(rig.gather(subscriber)) > count, "a later prediction")
        assert rig.stop() == 0
    assert store(rig).read().active == "a"
    assert before <= used(rig, subscriber)


def test_a_bundle_that_is_bound_to_another_instrument_does_not_predict(broker, rig, made, ask):
    status, report = ask(
        rig, "bundle", "install", made(3, devices=("X-1",)), "--serial", "VIRT-0001"
    )
    assert (status, report["error"]["code"]) == (82, "bundle_elsewhere")
    # Not told the serial, the installation cannot know; the daemon meets the instrument.
    assert ask(rig, "bundle", "install", made(3, devices=("X-1",)))[0] == 0
    assert ask(rig, "bundle", "activate", "b")[0] == 0
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: rig.gather(subscriber), "a record")
        until(
            lambda: rig.gather(subscriber) is not None and "bundle_elsewhere" in rig.codes(),
            "the event",
        )
        assert rig.stop() == 0
        rig.gather(subscriber)
    assert {tuple(r["reasons"]) for r in rig.received.values()} == {("bundle_elsewhere",)}
    assert {v["value"] for r in rig.received.values() for v in r["values"].values()} == {None}
    assert main(["check-config", str(rig.config), "--probe"]) == 82
    assert rig.run("--fail-fast") == 82
