from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.virtual import PtyPort
from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.cli.main import main
from spektron_edge.config.file import shipped_bundle
from spektron_export.signing import KeyFiles
from tests import signers
from tests.integration.rig import Mosquitto, Rig, instrument, listening, standard_settings, until
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
    """make_rig(url, **options of the virtual instrument, or port) -> Rig."""
    rigs: list[Rig] = []

    def make(url: str, port: PtyPort | None = None, **options: Any) -> Rig:
        rig = Rig(tmp_path, port or instrument(tmp_path, **options))
        rig.settings = standard_settings(tmp_path, url)
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.stop()
        if rig.port is not None:
            rig.port.close()


@pytest.fixture
def streaming(broker: Mosquitto) -> Iterator[Callable[[Rig], Rig]]:
    """streaming(rig): its daemon was started and predicts, and rig.subscriber hears it."""
    with contextlib.ExitStack() as open_ones:

        def start(rig: Rig) -> Rig:
            rig.subscriber = open_ones.enter_context(listening(broker.port))
            open_ones.callback(rig.stop)
            rig.start()
            until(lambda: rig.gather(rig.subscriber), "a prediction")
            return rig

        yield start


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """ask(rig, *words) of the command line: exit status, and what it said."""

    def make(rig: Rig, *words: object) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        status = main([*map(str, words), "--config", str(rig.config), "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, json.loads(out)

    return make


@pytest.fixture
def command(
    ask: Callable[..., tuple[int, dict[str, Any]]],
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """command(rig, name, operator, *arguments) over the broker."""

    def send(rig: Rig, name: str, operator: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        given = [word for argument in arguments for word in ("--argument", argument)]
        return ask(rig, "command", name, "--operator", operator, "--timeout", 60, *given)

    return send


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
