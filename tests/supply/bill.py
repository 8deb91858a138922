"""The packaged runtime's bill of materials, CycloneDX 1.6: `make sbom` into build/sbom.

From the lock files and the licences beside them, so the same files give the same bytes. What went
into a model stands in its bundle (`spektron_export.sbom`).
"""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spektron_edge import __version__

from . import licences
from .lock import Pin, lock_file, pins
from .platforms import PYTHONS, ROOT

_PRODUCT = "spektron-edge"


def bill(locked: Sequence[Pin], texts: Mapping[str, str]) -> bytes:
    """The document; texts: SPDX expression by package."""
    parts = [_library(pin, texts[pin.name]) for pin in locked]
    product = {
        "type": "application",
        "bom-ref": _PRODUCT,
        "name": _PRODUCT,
        "version": __version__,
        "purl": f"pkg:pypi/{_PRODUCT}@{__version__}",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": product},
        "components": parts,
        "dependencies": [{"ref": _PRODUCT, "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    digest = hashlib.sha256(_bytes(document)).digest()
    return _bytes(
        {**document, "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}"}
    )


def _library(pin: Pin, expression: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{pin.name}@{pin.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": pin.name,
        "version": pin.version,
        "purl": purl,
        "licenses": [{"expression": expression}],
    }


def _bytes(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def main(folder: Path = ROOT / "build" / "sbom") -> int:
    """Write one document for each Python."""
    folder.mkdir(parents=True, exist_ok=True)
    for python in PYTHONS:
        source = lock_file(python)
        out = folder / f"{source.stem}.cdx.json"
        out.write_bytes(bill(pins(source.read_text()), licences.entered()))
        print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
