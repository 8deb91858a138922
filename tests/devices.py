"""A device as its files have it: configuration, keys, and a state folder that was in use."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from spektron_edge.bundle.device_key import show_device_key
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import Slot, activated, installed
from spektron_edge.clock import Stamp
from spektron_edge.files.choices import ChoiceStore, ProductChoice
from spektron_edge.files.state_folder import StateFolder, open_state
from spektron_edge.outbox import Limits, Outgoing, Progress
from spektron_edge.page.users import UserStore

LIMITS = Limits(10**9, 10**9)
AT = Stamp(1_800_000_000.0, 12.0, "boot-a")
_CONFIG = """
site = "lab"
instrument = "m5"
state_dir = "state"
bundle = "slots"
[serial]
url = "instrument"
[mqtt]
url = "mqtt://127.0.0.1:1"
username = "m5"
password_file = "secrets/password"
[commands]
operators = [{ name = "anna", key_file = "anna.key", may = ["health"] }]
[trust]
keys = "trust"
"""


@dataclass(frozen=True)
class DeviceFiles:
    """folder: of the configuration."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "spektron.toml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def open(self) -> StateFolder:
        """As its daemon has it."""
        return open_state(self.state, LIMITS)


def record(number: int) -> Outgoing:
    """An event that is as good as any."""
    return Outgoing(f"{number:026d}", "event", b'{"id": "%026d"}' % number)


def make_device(folder: Path, records: int = 20) -> DeviceFiles:
    """Half of its records are acknowledged; anna's last counter is 77."""
    device = DeviceFiles(folder)
    (folder / "secrets").mkdir(parents=True)
    (folder / "trust").mkdir()
    device.config.write_text(_CONFIG)
    (folder / "secrets" / "password").write_text("the broker's password")
    (folder / "anna.key").write_bytes(b"anna's key 0123456789")
    (folder / "trust" / "release.pem").write_text("a public key")
    state = device.open()
    for number in range(records):
        sent = [record(number - 1).id] if number % 2 else []
        state.outbox.commit([record(number)], [Progress("SN-1", 5, number)], sent)
    state.outbox.put_counter("anna", 77)
    state.audit.append(AT, "daemon", "daemon_started", {"version": "0"})
    state.audit.append(AT, "anna", "command_health", {"counter": 77})
    state.close()
    show_device_key(device.state, None)
    ChoiceStore(device.state).choose_product(
        ProductChoice(product="corn", by="anna", at=datetime.now(timezone.utc))
    )
    slots = SlotStore(device.state)
    slot = Slot(
        file="a-0123456789ab.spektron",
        bundle="corn-1-0123456789ab",
        name="corn",
        version=1,
        signed_by=None,
        state="candidate",
    )
    slots.update(lambda now: activated(installed(now, "a", slot, "anna"), "a", "anna"))
    slots.path(slot).write_bytes(b"a bundle " * 1000)
    UserStore(device.state).add("carl", "engineer", "$argon2id$of a password")
    (device.state / "sparkplug-bdseq").write_text("200\n")
    (device.state / "engines").mkdir()
    (device.state / "engines" / "x.engine").write_bytes(b"built here")
    return device


def lose(device: DeviceFiles) -> None:
    """The card dies."""
    shutil.rmtree(device.folder)
    device.folder.mkdir()
