"""The lock files hold what pyproject.toml asks for, and what that asks for in turn."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
import tomllib
from packaging.markers import default_environment
from packaging.requirements import Requirement

from tests.supply.lock import lock_file, pins
from tests.supply.platforms import EXTRAS, PYTHONS, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normalised(name):
    return re.sub("[-_.]+", "-", name).lower()


def asked_for():
    lines = PROJECT["dependencies"] + [
        line for extra in EXTRAS for line in PROJECT["optional-dependencies"][extra]
    ]
    return [Requirement(line) for line in lines]


def applies(requirement, python, machine="aarch64", extra=""):
    where = {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "extra": extra,
    }
    return requirement.marker is None or requirement.marker.evaluate(where)


@pytest.fixture(params=PYTHONS)
def python(request):
    return request.param


@pytest.fixture
def locked(python):
    return {pin.name: pin for pin in pins(lock_file(python).read_text())}


def test_what_the_project_asks_for_is_pinned(python, locked):
    for wanted in asked_for():
        if applies(wanted, python):
            assert wanted.specifier.contains(locked[normalised(wanted.name)].version), wanted
        else:
            assert normalised(wanted.name) not in locked


def test_what_a_pin_asks_for_is_pinned_too(python, locked):
    """As far as the same version of it is installed here and says so."""
    known = 0
    for pin in locked.values():
        try:
            told = metadata.distribution(pin.name)
        except metadata.PackageNotFoundError:
            continue
        if told.version != pin.version:
            continue
        known += 1
        for line in told.requires or ():
            wanted = Requirement(line)
            for machine in ("x86_64", "aarch64"):
                if applies(wanted, python, machine):
                    version = locked[normalised(wanted.name)].version
                    assert wanted.specifier.contains(version, prereleases=True), line
    assert known > len(locked) / 2


def test_every_pin_has_hashes_and_nothing_else_stands_there(python, locked):
    text = lock_file(python).read_text()
    assert all(pin.sha256 for pin in locked.values())
    assert text.count("==") == len(locked)
    assert "://" not in text


@pytest.mark.parametrize(
    "text", ["numpy>=2\n", "numpy==2.2.6\n", "-e .\n", "numpy==2 --hash=md5:0\n"]
)
def test_what_is_no_pin_with_hashes_is_refused(text):
    with pytest.raises(ValueError, match="no pin with hashes"):
        pins(text)
