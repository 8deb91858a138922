"""A model as a table of its fields: types, limits, and what its docstring says of each."""

from __future__ import annotations

import re
from typing import Any

from .json_fields import flat

Json = dict[str, Any]


def fields_table(model: Json, defs: Json, *, given: bool) -> tuple[str, list[str]]:
    """What its docstring says of the whole, and the table; given: somebody has to write it."""
    text, meant = _meanings(" ".join(model.get("description", "").split()), model["properties"])
    lines = ["| field | type | |", "|---|---|---|"]
    for path, kind, about in flat({**model, "$defs": defs}):
        top = model["properties"].get(path, {})
        needed = "required" if given and path in model.get("required", ()) else ""
        about = meant.get(path) or _meanings(" ".join(about.split()), model["properties"])[0]
        told = "; ".join(filter(None, [needed, about, limits(top)]))
        lines.append(f"| `{path}` | {kind} | {cell(told)} |")
    return text.rstrip(";."), lines


def _meanings(text: str, fields: Json) -> tuple[str, dict[str, str]]:
    """What a docstring says of the whole, and of its fields (`one, other: what they are; ...`)."""
    whole, found, names = "", {}, []
    for part in re.split(r"(?<=[;.]) ", text):
        before, colon, after = part.partition(": ")
        named = before.split(", ")
        if colon and all(name in fields for name in named):
            names, said = named, after
        else:
            said = part
        if not names:
            whole += f"{said} "
        for name in names:
            found[name] = f"{found.get(name, '')} {said}".strip()
    told = {name: said.rstrip(";.") for name, said in found.items()}
    return whole.strip(), told


def limits(schema: Json) -> str:
    """Least and most of a field, in words."""
    found = []
    for option in schema.get("anyOf", [schema]):
        # Whole numbers end where JSON's do; that is no limit that anybody meets.
        low, high = option.get("minimum"), option.get("maximum")
        found += [f">= {low}"] if low is not None and abs(low) < 2**31 else []
        found += [f"<= {high}"] if high is not None and high < 2**31 else []
        if "maxLength" in option:
            found.append(f"{option.get('minLength', 0)} to {option['maxLength']} characters")
        if pattern := option.get("pattern"):
            found.append("printable" if "\\x00" in pattern else f"like `{pattern}`")
    return ", ".join(found)


def cell(text: str) -> str:
    """As it may stand in a table."""
    return text.replace("|", "\\|").replace("\n", " ")
