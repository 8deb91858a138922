from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.config import shipped_bundle
from spektron_export.signing import KeyFiles
from tests import signers
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


@pytest.fixture
def anna(tmp_path: Path) -> KeyFiles:
    """A key that signs bundles."""
    return signers.key(tmp_path, "anna")


@pytest.fixture
def made(tmp_path: Path, anna: KeyFiles) -> Callable[..., Path]:
    """made(version): the corn bundle as a version of its own, signed by anna."""

    def make(version: int, **changes: Any) -> Path:
        shipped = read_bundle(shipped_bundle())
        path = tmp_path / f"corn-{version}.spektron"
        manifest = shipped.manifest.model_copy(update={"version": version, **changes})
        write_bundle(path, manifest, shipped.members)
        return signers.sign(path, anna)

    return make
