"""Whenever the power goes during an installation, the daemon starts with a good bundle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.install import activate, install
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import proven
from spektron_edge.config.loading import load_config
from spektron_edge.prediction.product import terms_of
from tests import signers


@pytest.fixture
def device(tmp_path):
    """(configuration, bundle to install, ids of the old bundle and of the new one)."""
    folder = tmp_path / "device"
    folder.mkdir()
    anna = signers.key(tmp_path, "anna")
    signers.trusting(folder / "trust", anna)
    config = folder / "edge.toml"
    config.write_text(
        'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "slots"\n'
        '[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
        '[trust]\nkeys = "trust"\n'
    )
    parsed = load_config(config)
    store, terms = SlotStore(parsed.state_dir), terms_of(parsed)
    # Slot b is taken as well, so that something is replaced.
    for version, slot in ((1, "a"), (2, "b"), (3, "a")):
        old = signers.signed_tiny(tmp_path / "old.spektron", anna, version=version)
        install(store, old, terms, "local:test")
        bundle = activate(store, slot, terms, "local:test").current.bundle
        store.update(lambda slots, bundle=bundle: proven(slots, bundle, "test"))
    new = signers.signed_tiny(tmp_path / "new.spektron", anna, version=4)
    return config, new, read_bundle(old).id, read_bundle(new).id


def cuts(config, new, *more):
    done = subprocess.run(
        [sys.executable, "-m", "tests.power_cuts", config, new, "b", *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *lines = map(json.loads, done.stdout.splitlines())
    return first["steps"], lines


@pytest.mark.once
@pytest.mark.parametrize("lose", [[], ["--lose"]], ids=["killed", "power cut"])
@pytest.mark.parametrize("most", [5, pytest.param(50, marks=pytest.mark.long)])
def test_a_cut_at_any_step_leaves_the_old_bundle_or_the_new_one(device, most, lose):
    config, new, old_id, new_id = device
    steps, lines = cuts(config, new, "--most", str(most), *lose)
    # Before and after: a file's sync, its rename, its folder's sync; for the slot's file and for
    # slots.json at installation and at activation.
    assert steps == 2 * 3 * 3
    assert len(lines) == min(most, steps)
    for line in lines:
        assert line["died"] == -signal.SIGKILL
        assert line["bundle"] in (old_id, new_id), line
        assert line["left"] == ""
        assert line["again"] == 0, line
    assert lines[0]["bundle"] == old_id
    assert lines[-1]["bundle"] == new_id
