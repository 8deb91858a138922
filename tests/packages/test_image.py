"""The container's image is built from its recipe and its programs start; none runs it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.container.__main__ import build
from deploy.environment.target import Target
from tests.requirements import need

from .root import root

_VFS = ("--storage-driver", "vfs")


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Where buildah keeps its images for the test: no container of its own can be made here."""
    options = (*_VFS, "--root", str(tmp_path / "images"), "--runroot", str(tmp_path / "running"))
    yield options
    _said("buildah", *options, "rmi", "--all", "--force")


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_image_has_the_program_and_its_user(
    storage: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("buildah")
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")
    # A Debian of our own in the place of the one that a registry has.
    empty = _said("buildah", *storage, "from", "scratch").strip()
    _said("buildah", *storage, "copy", "--quiet", empty, str(root()), "/")
    _said("buildah", *storage, "commit", "--quiet", "--rm", empty, "localhost/debian")

    build(Target(), "localhost/debian", "localhost/spektron-edge", storage)

    told = json.loads(
        _said("buildah", *storage, "inspect", "--type=image", "localhost/spektron-edge")
    )
    settings = told["Docker"]["config"]
    assert settings["User"] == "970:970"
    assert settings["Entrypoint"] == ["/opt/spektron-edge/bin/spektron-edge"]
    assert settings["Healthcheck"]["Test"][0] == "CMD"
    inside = _said("buildah", *storage, "from", "localhost/spektron-edge").strip()
    run = ("buildah", *storage, "run", "--isolation", "chroot", "--user", "970:970", inside)
    assert _said(*run, "spektron-edge", "--version").startswith("spektron-edge ")
    assert "corn" in _said(*run, "spektron-edge", "inspect")
    # No daemon here: it says so, and does not claim health.
    check = settings["Healthcheck"]["Test"][1:]
    sick = subprocess.run([*run, *check], capture_output=True, text=True, check=False)
    assert sick.returncode != 0
    assert "does not tell its state" in sick.stdout
