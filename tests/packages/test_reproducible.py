"""The same commit gives the same bytes, whoever builds it, when and in which folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

from tests.requirements import need

_ROOT = Path(__file__).resolve().parents[2]
_DATE = "1790000000"


def _checkout(folder: Path) -> Path:
    """What is tracked or would be, with the times and modes of just now."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=_ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (_ROOT / name).is_file():
            to = folder / name
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_ROOT / name, to)
    # What was built or run there before is nobody's.
    (folder / "spektron_edge" / "__pycache__").mkdir()
    (folder / "spektron_edge" / "__pycache__" / "left.cpython-311.pyc").write_bytes(os.urandom(9))
    wheels = _ROOT / "build" / "wheels"
    if wheels.is_dir():
        (folder / "build").mkdir()
        (folder / "build" / "wheels").symlink_to(wheels)
    return folder


def _built(checkout: Path, *words: str) -> str:
    """SHA-256 of the file whose name comes out."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "SOURCE_DATE_EPOCH": _DATE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return hashlib.sha256(Path(done.stdout.strip()).read_bytes()).hexdigest()


@pytest.fixture
def checkouts(tmp_path: Path) -> list[Path]:
    """Two, of different lengths of name."""
    return [_checkout(tmp_path / name) for name in ("one", "another-one")]


def test_two_builds_of_the_wheel_are_the_same_bytes(checkouts: list[Path]) -> None:
    one, other = (_built(checkout, "deploy.environment") for checkout in checkouts)
    assert one == other


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("compression", ["none", pytest.param("xz", marks=pytest.mark.long)])
def test_two_builds_of_the_package_are_the_same_bytes(
    checkouts: list[Path], compression: str
) -> None:
    need("nspawn")
    built = []
    for checkout, mask in zip(checkouts, (0o022, 0o077), strict=True):
        before = os.umask(mask)
        try:
            built.append(_built(checkout, "deploy.debian", "--compression", compression))
        finally:
            os.umask(before)
    assert built[0] == built[1]


def test_the_wheel_is_built_with_the_version_that_is_pinned() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    (pinned,) = project["build-system"]["requires"]
    assert pinned in project["project"]["optional-dependencies"]["dev"]
