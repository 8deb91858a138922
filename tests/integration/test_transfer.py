"""A transfer on a running device: samples presented one after another, asked for over MQTT."""

from __future__ import annotations

import pytest

from spektron_edge.transfer_state import StateStore
from tests.integration.beam import Beam, fresh
from tests.integration.rig import until

COMMANDS = (
    "health",
    "reload",
    *(f"transfer-{v}" for v in ("start", "add", "status", "finish", "discard", "list", "rollback")),
)


@pytest.fixture
def device(broker, make_rig, streaming, tmp_path):
    """The instrument mp6 under a bundle that was calibrated on m5."""
    beam = Beam(tmp_path, "mp6", "VIRT-0006")
    rig = make_rig(broker.url, beam.port)
    rig.beam = beam
    rig.allow("anna", *COMMANDS)
    return streaming(rig)


@pytest.fixture
def anna(device, ask):
    """What anna asks for: exit status and answer."""

    def make(*words):
        return ask(device, *words, "--operator", "anna", "--timeout", 60)

    return make


def measure(device, anna, sample, cup=None):
    device.beam.place(cup or sample)
    fresh(device, 4)
    return anna("transfer", "add", sample)


def test_five_samples_over_mqtt_and_predictions_carry_the_transfer_until_it_is_rolled_back(
    device, anna
):
    status, response = anna("command", "transfer-start")
    assert (status, response["ok"]) == (0, True), response
    first = response["result"]["next_sample"]
    following, added = first, []
    for _ in range(5):
        status, response = measure(device, anna, following)
        assert (status, response["result"]["verdict"]) == (0, "good"), response
        added.append(following)
        following = response["result"]["next_sample"]
    # A cup that was measured already, and one that is told from it whatever the noise.
    status, response = measure(device, anna, following, cup=added[2])
    assert (status, response["result"]["verdict"]) == (0, "suspect")
    assert response["result"]["reasons"] == [
        f"this looks like the cup that was added as {added[2]}"
    ]
    # Another cup than the one that was asked for.
    status, response = measure(device, anna, following, cup=added[1])
    assert (status, response["result"]["verdict"]) == (0, "suspect")
    status, response = anna("command", "transfer-status")
    assert [line.split(":")[0] for line in response["result"]["samples"]] == [*added, following]
    status, response = measure(device, anna, following)
    assert (status, response["result"]["verdict"]) == (0, "good"), response
    assert anna("command", "transfer-list")[1]["result"] == {"in_use": None, "transfers": []}

    status, response = anna("command", "transfer-finish", "--argument", "dry_run=true")
    assert (status, response["ok"]) == (0, True)
    device.gather(device.subscriber)
    until(
        lambda: device.gather(device.subscriber) and "transfer_finished" in device.codes(),
        "the event of the dry run",
        200.0,
    )
    assert device.newest["model"]["transfer"] is None
    device.events.clear()
    assert anna("command", "transfer-finish")[0] == 0
    before = max(device.gather(device.subscriber))
    until(
        lambda: device.gather(device.subscriber) and "transfer_finished" in device.codes(),
        "the event",
        200.0,
    )
    # Scans went on while the child was fitting.
    assert max(device.gather(device.subscriber)) > before
    until(
        lambda: device.gather(device.subscriber) and device.newest["model"]["transfer"] is not None,
        "a prediction by the transfer",
    )
    record = device.newest
    assert record["model"]["transfer"]["version"] == 1
    assert record["serial"] == "VIRT-0006"
    truth = device.beam.references(following)
    for (name, value), reference in zip(record["values"].items(), truth, strict=True):
        assert abs(value["value"] - reference) < 2.0, name
    assert [v.number for v in StateStore(device.folder / "state").read().held] == [1]
    status, response = anna("command", "transfer-rollback")
    assert (status, response["result"]) == (0, {"in_use": None})
    until(
        lambda: device.gather(device.subscriber) and device.newest["model"]["transfer"] is None,
        "a prediction without",
    )
    audited = [(line["who"], line["what"]) for line in device.audited]
    whats = [what for _, what in audited]
    for what in ("started", "sample_added", "added", "activated", "concluded", "rolled_back"):
        assert f"transfer_{what}" in whats
    assert ("anna", "transfer_rolled_back") in audited
