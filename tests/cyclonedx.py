"""CycloneDX's own schema, of its library, to hold bills of materials against."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from jsonschema import Draft7Validator
from referencing import Registry, Resource


def validator() -> Draft7Validator:
    """For documents of version 1.6. Needs `cyclonedx` (tests/requirements.py)."""
    folder = resources.files("cyclonedx.schema") / "_res"
    names = ("bom-1.6", "spdx", "jsf-0.82")
    texts = {n: (folder / f"{n}.SNAPSHOT.schema.json").read_text() for n in names}
    schemas: dict[str, Any] = {name: json.loads(text) for name, text in texts.items()}
    # The files are copies under other names than their $id.
    registry = Registry().with_resources(
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", Resource.from_contents(schema))
        for name, schema in schemas.items()
    )
    return Draft7Validator(schemas["bom-1.6"], registry=registry)
