"""`spektron-edge instruments`."""

import json

import pytest

from firmware_bridge.drivers import registry
from spektron_edge.cli.main import main


def test_every_instrument_is_listed_with_what_it_was_tested_against(capsys):
    assert main(["instruments", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert set(listed) == set(registry.names())
    for found in listed.values():
        assert found["tested against"]
        assert found["source"]
        assert found["hardware"] == "never met the hardware"


def test_people_read_the_same(capsys):
    assert main(["instruments"]) == 0
    out = capsys.readouterr().out
    assert all(f"{name}:" in out for name in registry.names())


def test_a_driver_that_cannot_be_loaded_is_listed_with_its_reason(capsys, monkeypatch):
    broken = registry.Broken("theirs", "their-package", "ImportError: no module named x")
    monkeypatch.setattr(registry, "everything", lambda: [broken])
    assert main(["instruments"]) == 0
    out = capsys.readouterr().out
    assert "their-package" in out
    assert "no module named x" in out


@pytest.mark.parametrize("name", sorted(registry.OWN))
def test_our_own_drivers_bear_the_name_they_are_asked_for_by(name):
    assert registry.driver(name).name == name
