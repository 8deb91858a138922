"""What a bundle was made of, as a CycloneDX 1.6 document: packages, data sets, members, the model.

Written by hand: cyclonedx-python-lib, whose schemas the tests hold it against, has no model card
and would bring six packages along. The same members give the same bytes, where the time is given
(SOURCE_DATE_EPOCH). https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any
from urllib.parse import quote

from spektron_edge.bundle.manifest import Provenance
from spektron_edge.bundle.merit import Merit

SBOM = "sbom.cdx.json"
_MODEL = "model"
_SHA256 = re.compile(r"[0-9a-f]{64}")
# The package's own text of a licence can be pages long.
_LONGEST_LICENCE = 100


def bill_of_materials(
    name: str,
    version: int,
    made: Provenance,
    members: Mapping[str, bytes],
    figures: Mapping[str, Mapping[str, Merit]],
    notes: Sequence[str],
) -> bytes:
    """The member `SBOM` of the bundle that holds `members`; figures by engine and property."""
    packages = [_package(*entry) for entry in sorted(made.versions.items())]
    data = [_data(n, digest, made.licences) for n, digest in sorted(made.data.items())]
    files = [_file(*entry) for entry in sorted(members.items())]
    model = {
        "type": "machine-learning-model",
        "bom-ref": _MODEL,
        "name": name,
        "version": str(version),
        "modelCard": _card(data, figures, notes),
        "properties": [
            {"name": "spektron:git_commit", "value": made.git_commit},
            {"name": "spektron:seed", "value": str(made.seed)},
            *(
                {"name": f"spektron:licence:{what}", "value": terms}
                for what, terms in sorted(made.licences.items())
            ),
        ],
    }
    parts = [*packages, *data, *files]
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": made.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {"components": [{"type": "application", "name": "spektron-export"}]},
            "component": model,
        },
        "components": parts,
        "dependencies": [{"ref": _MODEL, "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    # A name for this document that is the same whenever its content is.
    digest = hashlib.sha256(_bytes(document)).digest()
    return _bytes(
        {**document, "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}"}
    )


def _bytes(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _card(
    data: Sequence[Mapping[str, Any]],
    figures: Mapping[str, Mapping[str, Merit]],
    notes: Sequence[str],
) -> dict[str, Any]:
    metrics = [
        {"type": f"RMSEP of {prop}", "value": f"{merit.rmsep:.6g}", "slice": engine}
        for engine, merits in sorted(figures.items())
        for prop, merit in sorted(merits.items())
    ]
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "regression of absorbance spectra",
            "datasets": [{"ref": part["bom-ref"]} for part in data],
            "inputs": [{"format": "absorbance, float32"}],
            "outputs": [{"format": "values of properties and latents, float32"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": metrics},
        "considerations": {"technicalLimitations": list(notes)},
    }


def _package(name: str, version: str) -> dict[str, Any]:
    if name == "python":
        purl = f"pkg:generic/python@{quote(version)}"
        return {
            "type": "platform",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            "licenses": [{"license": {"id": "PSF-2.0"}}],
        }
    purl = f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{quote(version)}"
    found = _licence(name, version)
    part = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return {**part, **({"licenses": [found]} if found else {})}


def _licence(name: str, version: str) -> dict[str, Any] | None:
    """As the installed package says it; None where that is absent or another version."""
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    if told["Version"] != version:
        return None
    if expression := told.get("License-Expression"):
        return {"expression": expression}
    kinds = [c.split(" :: ")[-1] for c in told.get_all("Classifier") or [] if "License ::" in c]
    text = kinds[0] if kinds else told.get("License") or ""
    return {"license": {"name": text}} if 0 < len(text) <= _LONGEST_LICENCE else None


def _data(name: str, digest: str, licences: Mapping[str, str]) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "data", "bom-ref": f"data:{name}", "name": name}
    if _SHA256.fullmatch(digest):
        part["hashes"] = [{"alg": "SHA-256", "content": digest}]
    if name in licences:
        part["licenses"] = [{"license": {"name": licences[name]}}]
    return part


def _file(name: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {
        "type": "file",
        "bom-ref": f"file:{name}",
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }
