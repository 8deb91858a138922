"""The runtime installs from wheels alone on an instrument, whatever Python it has."""

from __future__ import annotations

import pytest

from tests.requirements import absent
from tests.supply.platforms import DESK, DEVICE, OTHERS, PYTHONS, Unresolved, resolve

JETPACK = ("3.10", "3.12")


def bounded(platform, python):
    long = () if platform == DEVICE and python in JETPACK else (pytest.mark.long,)
    return pytest.param(platform, python, marks=long)


@pytest.mark.parametrize(
    ("platform", "python"), [bounded(p, v) for p in (DEVICE, DESK, *OTHERS) for v in PYTHONS]
)
def test_dependencies_resolve_to_wheels(platform, python):
    try:
        found = resolve(platform, python)
    except Unresolved as error:
        if "No solution found" in str(error):
            raise
        absent("index", f"the package index cannot be reached: {error}")
    names = {line.split("==")[0] for line in found.splitlines()}
    assert {"numpy", "onnxruntime", "cryptography", "pydantic-core", "starlette"} <= names


@pytest.mark.long
def test_what_has_no_wheel_is_told(tmp_path):
    """pyscf's wheels are for Linux and macOS: Windows would have to build it."""
    wanted = tmp_path / "pyproject.toml"
    wanted.write_text('[project]\nname = "x"\nversion = "1"\ndependencies = ["pyscf==2.14.0"]\n')
    with pytest.raises(Unresolved) as caught:
        resolve("windows", "3.12", source=wanted, extras=())
    if "No solution found" not in str(caught.value):
        absent("index", f"the package index cannot be reached: {caught.value}")
