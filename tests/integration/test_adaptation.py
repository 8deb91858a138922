"""Adaptations on a running device: approved, published, left again, with a trail that holds."""

from __future__ import annotations

import numpy as np
import pytest

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.bundle import read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.demo.corn import load_corn
from spektron_edge.faults import Faults
from spektron_edge.inference import load_model
from spektron_edge.spectra.resampling import Resampler
from tests.adaptations import adapted, batch, put
from tests.integration.rig import until

COMMANDS = ("health", *(f"adapt-{v}" for v in ("status", "list", "approve", "reject", "reset")))
OPERATORS = ("anna", "bert")


@pytest.fixture(scope="module")
def model():
    return load_model(read_bundle(shipped_bundle()))


@pytest.fixture
def device(broker, make_rig, streaming):
    rig = make_rig(broker.url)
    for name in OPERATORS:
        rig.allow(name, *COMMANDS)
    rig.settings["adaptation"] = {"mode": "propose", "approvals": 2}
    return streaming(rig)


def newest(device):
    device.gather(device.subscriber)
    return device.newest


def published(device, version, what):
    def seen():
        told = newest(device)["model"]["adaptation"]
        return (told and told["version"]) == version

    until(seen, what)
    return newest(device)


def test_two_operators_approve_the_next_scan_shows_it_and_one_command_goes_back(
    device, ask, command, model
):
    store = AdaptationStore(device.folder / "state")
    serial = newest(device)["serial"]
    number = put(
        store, model, adapted(model, 0.01), serial=serial, made_from=batch(spectra_of(model))
    )

    status, response = command(device, "adapt-approve", "anna", f"adaptation={number}", "why=seen")
    assert (status, response["result"]["in_use"]) == (0, None), response
    status, response = command(device, "adapt-approve", "anna", f"adaptation={number}", "why=seen")
    assert (status, response["ok"]) == (Faults.COMMAND_FAILED.value.exit_status, False)
    assert "another person" in response["message"]
    status, response = command(
        device, "adapt-approve", "bert", f"adaptation={number}", "why=agreed"
    )
    assert (status, response["result"]["in_use"]) == (0, number), response
    record = published(device, number, "a prediction with the adaptation")
    assert record["model"]["adaptation"]["approved_by"] == ["anna", "bert"]
    assert all(value["value"] is not None for value in record["values"].values())

    # A restart keeps it.
    device.stop()
    device.received.clear()
    device.start()
    until(lambda: device.gather(device.subscriber), "a prediction after the restart")
    published(device, number, "the adaptation after the restart")

    # Without its file there is no value, and the command line mends it in the running daemon.
    device.stop()
    (store.folder / store.read().active(serial).file).unlink()
    device.received.clear()
    device.start()
    until(lambda: device.gather(device.subscriber), "a prediction without its file")
    record = newest(device)
    assert (record["valid"], record["reasons"]) == (False, ["adaptation_unusable"])
    status, said = ask(device, "adapt", "reset", "--by", "anna", "--why", "file lost")
    assert status == 0, said
    record = published(device, None, "a prediction as the bundle was made")
    until(lambda: newest(device)["reasons"] != ["adaptation_unusable"], "results again")

    status, response = command(device, "adapt-status", "bert")
    assert (status, response["result"]["in_use"]) == (0, None)
    whats = [(line["who"], line["what"]) for line in device.audited]
    assert ("anna", "adaptation_approved") in whats
    assert ("bert", "adaptation_installed") in whats
    line = next(line for line in device.audited if line["what"] == "adaptation_reset")
    assert line["who"].startswith("anna (local:")
    assert (line["details"]["after"], line["details"]["why"]) == ("factory", "file lost")
    assert line["details"]["before"] == store.read().entry(number).id

    # The trail holds, and ends with the head that was published last.
    device.stop()
    status, said = ask(device, "audit", "verify")
    assert (status, said["chain"]) == (0, "holds")
    head = said["head"]
    until(lambda: device.subscriber.state["audit_head"] == head, "the last head")
    path = device.folder / "state" / "audit.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    status, said = ask(device, "audit", "verify", "--head", head)
    assert status == Faults.AUDIT_BROKEN.value.exit_status
    assert "lines were cut off" in said["error"]["detail"]


def spectra_of(model):
    """Four of the spectra that the instrument shows, on the model's grid."""
    corn = load_corn()
    resampler = Resampler.between(corn.axis_nm, model.product.grid.axis())
    return np.array([resampler.apply(x) for x in corn.test.spectra["m5"][:4]])
