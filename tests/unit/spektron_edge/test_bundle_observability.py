"""What instruments see of analytes, as a part of a bundle."""

from __future__ import annotations

import json
import zipfile
from copy import deepcopy
from typing import Any

import pytest

from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.bundle.observability import Observability
from spektron_edge.cli.inspection import inspect_bundle
from tests import bundles


def test_it_travels_in_a_bundle_and_is_shown(tmp_path):
    path = bundles.write_tiny(
        tmp_path / "tiny.spektron",
        products=[bundles.product(observability=[bundles.observability()])],
    )

    (seen,) = read_bundle(path).manifest.product(None).observability

    assert json.loads(seen.model_dump_json()) == bundles.observability()
    shown = inspect_bundle(path)["product grain"]
    assert any("seen of O=C=O, by theory: infrared 400-4000" in str(line) for line in shown)


def test_a_bundle_without_it_does_not_name_it(tmp_path):
    path = bundles.write_tiny(tmp_path / "tiny.spektron")
    with zipfile.ZipFile(path) as archive:
        assert b"observability" not in archive.read("manifest.json")


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (["format"], 2, "format"),
        (["colour"], "blue", "colour"),
        (["instrument", "technique"], "ultrasound", "technique"),
        (["instrument", "low_cm1"], 5000.0, "is empty"),
        (["levels", 0, "fate"], "hidden", "fate"),
        (["levels", 0, "degeneracy"], 1, "are not those of `levels`"),
        (["vibrations"], 9, "are not those of `levels`"),
        (["freedom", "seen"], 4, "are not those of `levels`"),
        (["levels", 0, "wavenumber_cm1"], "soft", "wavenumber"),
        (["note"], "", "note"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, at, value, said):
    held = deepcopy(bundles.observability())
    part: Any = held
    for step in at[:-1]:
        part = part[step]
    part[at[-1]] = value
    with pytest.raises(ValueError, match=said):
        Observability.model_validate(held)
    path = tmp_path / "tiny.spektron"
    bundles.write_raw(path, bundles.raw_entries(products=[bundles.product(observability=[held])]))
    with pytest.raises(BundleError, match="manifest refused"):
        read_bundle(path)
