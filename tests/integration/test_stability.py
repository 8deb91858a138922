"""Stability samples of a running device, by command line and over the broker."""

from __future__ import annotations

import pytest

from spektron_edge.faults import Faults
from tests.integration.beam import Beam, fresh
from tests.integration.rig import until


@pytest.fixture
def tile(broker, make_rig, streaming, tmp_path):
    """A device with a sample in its beam that is not changed, whose stream is followed."""
    beam = Beam(tmp_path, "m5")
    rig = make_rig(broker.url, beam.port)
    rig.beam = beam
    rig.allow("anna", "adapt-stability", "adapt-service-event")
    rig.settings["adaptation"] = {"mode": "propose"}
    streaming(rig)
    yardstick = rig.folder / "state" / "adaptations" / "work" / "yardstick.npz"
    # By a child of the lowest priority.
    until(yardstick.exists, "what is usual for the source", 200.0)
    return rig


def measured(ask, rig, *words):
    """A stability sample by the command line, once the stream is followed and there are scans
    enough of it."""
    words = ("adapt", "stability", *words, "--operator", "anna", "--timeout", 60)

    def done():
        fresh(rig, 1)
        status, answer = ask(rig, *words)
        early = status and any(w in answer["message"] for w in ("more scans", "it just began"))
        return None if early else (status, answer)

    return until(done, "scans of one sample")


def test_a_sample_is_remembered_compared_and_told_from_another_one(tile, ask, command):
    first, other = tile.beam.corn.train.samples.astype(str)[[0, 7]]
    tile.beam.place(first)
    fresh(tile, 2)
    status, answer = measured(ask, tile, "tile-3")
    assert (status, answer["result"]) == (0, {"astray": []}), answer
    assert answer["message"].startswith("tile-3 is a stability sample from now on: moisture ")
    fresh(tile, 4)
    status, answer = command(tile, "adapt-stability", "anna", "sample=tile-3", "scans=3")
    assert (status, answer["message"]) == (0, "tile-3 is within its interval")

    tile.beam.place(other)
    fresh(tile, 2)
    status, answer = measured(ask, tile, "tile-3", "--scans", "3")
    assert status == 0, answer
    assert answer["message"].startswith("tile-3 is outside its interval: ")
    assert "moisture" in answer["result"]["astray"]

    status, answer = command(tile, "adapt-stability", "anna", "sample=tile-3", "scans=2")
    assert status == Faults.COMMAND_FAILED.value.exit_status
    assert "argument scans" in answer["message"]
    status, answer = command(tile, "adapt-service-event", "anna", "by=eve")
    assert status == Faults.COMMAND_FAILED.value.exit_status
    assert "argument what" in answer["message"]

    whats = [(line["who"], line["what"]) for line in tile.audited]
    assert ("anna", "command_adapt-stability") in whats
    kept = [what for what in whats if what[1].startswith("stability_")]
    added, again = "stability_sample_added", "stability_sample_measured"
    assert kept == [("anna", what) for what in (added, again, again)]
