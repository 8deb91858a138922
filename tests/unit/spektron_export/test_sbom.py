"""The bill of materials, held against CycloneDX's own schema."""

import hashlib
import json

import pytest

from spektron_edge.bundle import read_bundle
from spektron_export.sbom import SBOM, bill_of_materials
from tests.cyclonedx import validator
from tests.requirements import need


@pytest.fixture(scope="module")
def sbom(exported):
    return json.loads(read_bundle(exported.path).members[SBOM])


def by_type(sbom, kind):
    return {part["name"]: part for part in sbom["components"] if part["type"] == kind}


def test_sbom_follows_the_schema(sbom):
    need("cyclonedx")
    schema = validator()
    schema.validate(sbom)
    assert not schema.is_valid({**sbom, "components": [{"type": "library"}]})


def test_sbom_names_packages_data_members_and_the_model(checkpoint, exported, sbom):
    bundle = read_bundle(exported.path)
    packages = by_type(sbom, "library")
    made = bundle.manifest.provenance
    assert set(packages) == set(made.versions) - {"python"}
    assert packages["numpy"]["purl"] == f"pkg:pypi/numpy@{made.versions['numpy']}"
    assert packages["onnx"]["licenses"] == [{"expression": "Apache-2.0"}]
    assert "+" not in packages["torch"]["purl"]
    data = by_type(sbom, "data")
    for name, digest in checkpoint.card.data.items():
        assert data[name]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    files = by_type(sbom, "file")
    assert set(files) == set(bundle.members) - {SBOM}
    content = bundle.members["encoder.qdq.onnx"]
    assert files["encoder.qdq.onnx"]["hashes"][0]["content"] == hashlib.sha256(content).hexdigest()
    model = sbom["metadata"]["component"]
    assert (model["type"], model["version"]) == ("machine-learning-model", "7")
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert {"RMSEP of moisture"} <= {m["type"] for m in metrics if m["slice"] == "int8"}
    assert model["modelCard"]["considerations"]["technicalLimitations"]


def test_sbom_is_listed_and_the_same_for_the_same_members(checkpoint, exported):
    bundle = read_bundle(exported.path)
    assert SBOM in bundle.manifest.files
    members = {name: data for name, data in bundle.members.items() if name != SBOM}
    made = bundle.manifest.provenance
    arguments = (exported.figures, checkpoint.card.notes)
    assert bill_of_materials("corn", 7, made, members, *arguments) == bundle.members[SBOM]
    other = bill_of_materials("corn", 8, made, members, *arguments)
    assert json.loads(other)["serialNumber"] != json.loads(bundle.members[SBOM])["serialNumber"]
