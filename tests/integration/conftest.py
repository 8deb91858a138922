from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.rig import Mosquitto, Rig, instrument, standard_settings
from tests.requirements import need


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    need("broker")
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """make_rig(url, **options of the virtual instrument) -> Rig."""
    rigs: list[Rig] = []

    def make(url: str, **options: Any) -> Rig:
        rig = Rig(tmp_path, instrument(tmp_path, **options))
        rig.settings = standard_settings(tmp_path, url)
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.stop()
        if rig.port is not None:
            rig.port.close()
