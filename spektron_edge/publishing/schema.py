"""JSON Schema of everything that is published: generated from the records, kept in the package.

What may change within a version is promised in docs/payloads.md.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

_FOLDER = "schemas"
_SUFFIX = ".schema.json"


def names() -> tuple[str, ...]:
    """What there is a schema of."""
    folder = resources.files("spektron_edge").joinpath(_FOLDER)
    found = (entry.name for entry in folder.iterdir())
    return tuple(sorted(n.removesuffix(_SUFFIX) for n in found if n.endswith(_SUFFIX)))


def schema(name: str) -> dict[str, Any]:
    """One of `names()`, as it came with the package."""
    file = resources.files("spektron_edge").joinpath(_FOLDER).joinpath(name + _SUFFIX)
    document: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return document


def generate() -> dict[str, dict[str, Any]]:
    """The same, made anew from the records."""
    from spektron_edge.mqtt.commands import Request

    from .records import PUBLISHED

    made = {}
    for name, record in PUBLISHED.items():
        document = record.model_json_schema(mode="serialization")
        identity = document["properties"]["schema"]["const"]
        # A consumer must take a record with fields that its version does not know yet.
        made[name] = {**_open(document), **_identity(identity)}
    made["request"] = {**Request.model_json_schema(), **_identity("spektron.request/1")}
    return made


def _identity(of: str) -> dict[str, str]:
    kind, version = of.removeprefix("spektron.").split("/")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:spektron:{kind}:{version}",
    }


def _open(part: Any) -> Any:
    if isinstance(part, dict):
        closed = part.get("additionalProperties") is False
        kept = {k: v for k, v in part.items() if not (closed and k == "additionalProperties")}
        return {key: _open(value) for key, value in kept.items()}
    return [_open(entry) for entry in part] if isinstance(part, list) else part
