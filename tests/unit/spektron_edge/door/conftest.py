from __future__ import annotations

from pathlib import Path

import pytest

from spektron_edge.door.client import DoorStream
from spektron_edge.door.door import DOOR_FILE, Door
from spektron_edge.door.telling import Hello
from tests.integration.rig import until


class Opened:
    """A door with nobody behind it: what is asked stands in `asked`."""

    def __init__(self, folder: Path, silent_s: float = 60.0) -> None:
        self.asked, self.failed = [], []
        hello = Hello("1.0", "lab", "m5", str(folder))
        self.door = Door(folder, hello, self.asked.append, self.failed.append, silent_s)
        self.path = folder / DOOR_FILE
        self.door.open()

    def enter(self) -> DoorStream:
        before = self.door.counters["door_connections"]
        stream = DoorStream(self.path)
        until(lambda: self.door.counters["door_connections"] > before, "a connection")
        return stream

    def tell(self, *records) -> None:
        for record in records:
            self.door.record(record)
        self.door.wake()


@pytest.fixture
def open_door(tmp_path):
    opened = []

    def make(**settings) -> Opened:
        opened.append(Opened(tmp_path, **settings))
        return opened[-1]

    yield make
    for each in opened:
        each.door.close()
        assert each.failed == []


@pytest.fixture
def door(open_door):
    return open_door()
