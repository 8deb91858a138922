"""Every licence of what ships was entered by a person, is what the package says, and may ship."""

from __future__ import annotations

import pytest

from tests.supply import licences
from tests.supply.lock import lock_file, pins
from tests.supply.platforms import PYTHONS


def test_exactly_what_is_pinned_is_entered_and_may_ship():
    pinned = {pin.name for python in PYTHONS for pin in pins(lock_file(python).read_text())}
    assert set(licences.entered()) == pinned
    assert licences.not_allowed(licences.entered()) == {}


@pytest.mark.parametrize("package", licences.entered())
def test_packages_say_the_same(package):
    told = licences.declared(package)
    if told is None:
        pytest.skip("not installed here")
    assert told == licences.entered()[package]


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("EPL-2.0 OR BSD-3-Clause", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT AND AGPL-3.0-only", False),
        ("GPL-2.0-only", False),
        ("", False),
        ("Proprietary", False),
    ],
)
def test_one_choice_must_consist_of_allowed_ones_alone(expression, allowed):
    assert licences.may_ship(expression) is allowed


def test_a_package_without_a_known_licence_is_named(tmp_path, monkeypatch):
    (tmp_path / "odd-1.dist-info").mkdir()
    (tmp_path / "odd-1.dist-info" / "METADATA").write_text("Name: odd\nLicense: as you like\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="odd names no known licence"):
        licences.declared("odd")
