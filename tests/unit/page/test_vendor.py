"""What is vendored is npm's, unchanged, and its README says so with the right hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests import npm
from tests.requirements import need

_VENDOR = Path(__file__).parents[3] / "spektron_edge" / "page" / "static" / "vendor" / "uplot"
_FILES = {
    "uPlot.esm.js": "dist/uPlot.esm.js",
    "uPlot.min.css": "dist/uPlot.min.css",
    "LICENSE": "LICENSE",
}


@pytest.mark.parametrize("name", _FILES)
def test_readme_has_the_hash(name: str) -> None:
    digest = hashlib.sha256((_VENDOR / name).read_bytes()).hexdigest()
    assert f"| `{name}` | `{digest}` |" in (_VENDOR / "README.md").read_text(encoding="utf-8")


def test_nothing_else_is_vendored() -> None:
    assert {path.name for path in _VENDOR.iterdir()} == {*_FILES, "README.md"}


def test_files_are_those_of_npm() -> None:
    need("node")
    package = npm.installed("uplot@1.6.32") / "node_modules" / "uplot"
    for name, there in _FILES.items():
        assert (_VENDOR / name).read_bytes() == (package / there).read_bytes(), name
