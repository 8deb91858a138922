"""The runtime's bill of materials, held against CycloneDX's own schema."""

from __future__ import annotations

import json

from tests.cyclonedx import validator
from tests.requirements import need
from tests.supply import licences
from tests.supply.bill import bill, main
from tests.supply.lock import lock_file, pins
from tests.supply.platforms import PYTHONS


def test_it_follows_the_schema_and_names_every_pin(tmp_path):
    need("cyclonedx")
    assert main(tmp_path) == 0
    for python in PYTHONS:
        source = lock_file(python)
        document = json.loads((tmp_path / f"{source.stem}.cdx.json").read_text())
        validator().validate(document)
        pinned = {f"pkg:pypi/{p.name}@{p.version}" for p in pins(source.read_text())}
        assert {part["purl"] for part in document["components"]} == pinned


def test_the_same_pins_give_the_same_bytes():
    locked = pins(lock_file("3.10").read_text())
    assert bill(locked, licences.entered()) == bill(locked, licences.entered())
    assert bill(locked[1:], licences.entered()) != bill(locked, licences.entered())
