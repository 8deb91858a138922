"""kill -9 at any moment of an installation: the daemon starts with the old bundle or the new one.

The commands themselves are killed, at moments drawn from all the time that they take undisturbed.
tests/power_cuts.py dies at each step that counts instead, and loses what was not synced.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.install import activate, install
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import proven
from spektron_edge.config.loading import load_config
from spektron_edge.prediction.product import take_product, terms_of
from tests import signers
from tests.integration.rig import Rig, listening, until

SEED = 5


@dataclass(frozen=True)
class Device:
    """Its slot a is active and good, b holds another bundle; `new` and `later` are to come."""

    rig: Rig
    spare: Path
    new: Path
    later: Path
    ids: dict[str, str]

    @property
    def store(self) -> SlotStore:
        return SlotStore(self.rig.folder / "state")

    def reset(self) -> None:
        """As it was before anything was killed."""
        shutil.rmtree(self.store.folder.parent, ignore_errors=True)
        shutil.copytree(self.spare, self.store.folder.parent)

    def commands(self) -> list[list[str]]:
        words = [sys.executable, "-m", "spektron_edge", "bundle"]
        config = ["--config", str(self.rig.config)]
        return [[*words, "install", str(self.new), *config], [*words, "activate", "b", *config]]

    def leftovers(self) -> set[str]:
        """Files in the slots' folder that nothing points at."""
        known = {slot.file for slot in self.store.read().held.values()}
        known |= {"slots.json", "lock", "install.lock"}
        return {path.name for path in self.store.folder.iterdir()} - known


@pytest.fixture
def make_device(make_rig, made, anna, tmp_path):
    def make(url):
        rig = make_rig(url)
        signers.trusting(tmp_path / "trust", anna)
        rig.settings[""]["bundle"] = "slots"
        rig.settings["trust"] = {"keys": "trust"}
        config = load_config(rig.config)
        store, terms = SlotStore(config.state_dir), terms_of(config)
        old, other, new, later = (made(version) for version in (1, 2, 3, 4))
        install(store, old, terms, "local:test")
        activate(store, "a", terms, "local:test")
        running = take_product(config).model.bundle_id
        store.update(lambda slots: proven(slots, running, "test"))
        install(store, other, terms, "local:test")
        spare = tmp_path / "spare"
        shutil.copytree(config.state_dir, spare)
        ids = {"a": running, "b": read_bundle(new).id, "later": read_bundle(later).id}
        return Device(rig, spare, new, later, ids)

    return make


def moments(device, count):
    """Seconds at which to kill, one in each of `count` equal parts of what the commands take."""
    took = []
    # The first time they are slower: nothing is in the disk's cache.
    for _ in range(2):
        device.reset()
        began = time.monotonic()
        for command in device.commands():
            subprocess.run(command, check=True, capture_output=True)
        took.append(time.monotonic() - began)
        assert device.store.read().current.bundle == device.ids["b"]
    dice = random.Random(SEED)
    return [min(took) * (part + dice.random()) / count for part in range(count)]


def kill_at(device, seconds):
    """Run the commands and kill the one that runs then. Returns whether one still ran."""
    deadline = time.monotonic() + seconds
    for command in device.commands():
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert process.wait(max(0.0, deadline - time.monotonic())) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return True
    return False


def reached(device):
    """How far the commands came."""
    slots = device.store.read()
    if slots.active == "b":
        return "after the switch"
    if slots.held["b"].bundle == device.ids["b"]:
        return "between installation and switch"
    return "within the installation" if device.leftovers() else "before anything was written"


def go_on(device):
    """The next installation and activation, as if nothing had happened."""
    config, store = load_config(device.rig.config), device.store
    terms = terms_of(config)
    current = store.read().current.bundle
    store.update(lambda slots: proven(slots, current, "test"))
    slot = install(store, device.later, terms, "local:test").slot
    activate(store, slot, terms, "local:test")
    assert take_product(config).model.bundle_id == device.ids["later"]
    assert device.leftovers() == set()


@pytest.mark.parametrize(
    "kills", [3, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
@pytest.mark.once
def test_a_killed_installation_leaves_a_good_bundle_and_can_be_repeated(make_device, kills):
    device = make_device("mqtt://127.0.0.1:1")
    where, when = Counter(), moments(device, kills)
    for seconds in when:
        device.reset()
        killed = kill_at(device, seconds)
        where[reached(device) if killed else "too late"] += 1
        expected = device.ids[device.store.read().active]
        # As the daemon does at its start: golden vectors are compared.
        loaded = take_product(load_config(device.rig.config))
        assert (loaded.model.bundle_id, loaded.left) == (expected, "")
        go_on(device)
    # `make test-long ARGS=-rP` shows it.
    print(f"{kills} kills within {when[-1]:.2f} s:", dict(where))


@pytest.mark.parametrize(
    "kills", [1, pytest.param(8, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
@pytest.mark.once
def test_the_daemon_predicts_after_a_killed_installation(broker, make_device, kills):
    device = make_device(broker.url)
    rig = device.rig
    for seconds in moments(device, kills):
        device.reset()
        kill_at(device, seconds)
        expected = device.ids[device.store.read().active]
        with listening(broker.port) as subscriber:
            rig.received.clear()
            rig.start()
            until(lambda: rig.gather(subscriber), "a prediction")
            assert rig.stop() == 0, rig.log
            rig.gather(subscriber)
        found = {record["model"]["bundle"] for record in rig.received.values()}
        assert found == {expected}
        assert "bundle_fell_back" not in rig.codes()
        go_on(device)
