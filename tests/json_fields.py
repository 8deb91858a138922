"""The fields of a JSON Schema, one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def flat(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(path, type, description) of every field of a schema."""
    return list(_walk(document, "", document.get("$defs", {})))


def _walk(part: dict[str, Any], path: str, defs: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, field in part.get("properties", {}).items():
        where = f"{path}.{name}" if path else name
        text = field.get("description", "")
        inner = [_followed(option, defs) for option in field.get("anyOf", [field])]
        null = any(option.get("type") == "null" for option in inner)
        for option in inner:
            if option.get("type") == "null":
                continue
            kind = _kind(option, defs) + (" or null" if null else "")
            yield where, kind, text or option.get("description", "")
            values = option.get("additionalProperties")
            if "properties" in option:
                yield from _walk(option, where, defs)
            elif isinstance(values, dict) and "properties" in (o := _followed(values, defs)):
                yield from _walk(o, f"{where}.*", defs)
            items = option.get("items")
            if isinstance(items, dict) and "properties" in (o := _followed(items, defs)):
                yield from _walk(o, f"{where}[]", defs)


def _followed(part: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    return defs[part["$ref"].rsplit("/", 1)[-1]] if "$ref" in part else part


def _kind(part: dict[str, Any], defs: dict[str, Any]) -> str:
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "enum" in part:
        return " ".join(f"`{json.dumps(word)}`" for word in part["enum"])
    if part.get("type") == "array":
        items = part.get("items") or {}
        return f"array of {_kind(_followed(items, defs), defs)}" if items else "array"
    return str(part.get("type", "any"))
