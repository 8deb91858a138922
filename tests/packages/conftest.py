from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.debian.package import build
from deploy.environment.target import Target
from tests.requirements import need

from .machine import Machine
from .root import root


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same program as two packages, the second the newer."""
    need("nspawn")
    out = tmp_path_factory.mktemp("packages")
    return [build(Target(), revision, out, "none") for revision in (1, 2)]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    need("nspawn")
    with Machine(root(), tmp_path / "machine", tmp_path / "boot.log") as running:
        yield running
