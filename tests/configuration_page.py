"""docs/reference/configuration.md: every field of the configuration file, from its models."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from spektron_edge.config.file import Config

_HEAD = """\
# Configuration

Generated from the models that read the file, by `make pages`. The file is TOML; a relative path
counts from its folder. An unknown key is refused. `spektron-edge check-config spektron.toml` says
what is wrong with a file, and `--probe` tries what it names.

A unit is part of the field's name, and stands beside its type.
"""
_UNITS = {
    "_per_s": "per second",
    "_s": "s",
    "_us": "us",
    "_mb": "MB",
    "_days": "days",
    "_nm": "nm",
    "_k": "K",
    "_records": "records",
    "_min": "min",
}
# The one longer list is that of commands.
_MOST_WORDS = 10
_LIMITS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


@dataclass(frozen=True)
class Line:
    """One field. section: its table in the file, empty for the file's own; repeated: [[...]]."""

    section: str
    name: str
    field: FieldInfo
    repeated: bool


def fields_of_the_file() -> list[Line]:
    """Every field that can be given."""
    return list(_walk(Config, "", repeated=False))


def sections_of_the_file() -> dict[str, str]:
    """Section -> what its model says of it."""
    return {"": "", **dict(_sections(Config, ""))}


def configuration_page() -> str:
    """A table for each section."""
    lines = [_HEAD]
    by_section: dict[str, list[Line]] = {}
    for line in fields_of_the_file():
        by_section.setdefault(line.section, []).append(line)
    about = sections_of_the_file()
    for section, held in by_section.items():
        brackets = "[[{}]]" if held[0].repeated else "[{}]"
        lines += [f"## {brackets.format(section) if section else 'At the top'}", ""]
        lines += [_linked(about[section]), ""] if about[section] else []
        lines += ["| field | type | default | |", "|---|---|---|---|", *map(_row, held), ""]
    return "\n".join(lines).rstrip() + "\n"


def _walk(model: type[BaseModel], section: str, *, repeated: bool) -> Iterator[Line]:
    inner = []
    for name, field in model.model_fields.items():
        below = _model_in(field.annotation)
        if below is None:
            yield Line(section, name, field, repeated)
        else:
            path = f"{section}.{name}" if section else name
            inner.append(_walk(below, path, repeated=get_origin(field.annotation) is tuple))
    for lines in inner:
        yield from lines


def _sections(model: type[BaseModel], section: str) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        below = _model_in(field.annotation)
        if below is not None:
            path = f"{section}.{name}" if section else name
            yield path, " ".join((below.__doc__ or "").split())
            yield from _sections(below, path)


def _model_in(kind: Any) -> type[BaseModel] | None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((m for m in map(_model_in, get_args(kind)) if m is not None), None)


def _row(line: Line) -> str:
    kind = _type(line.field.annotation) + _limits(line.field)
    unit = next((unit for end, unit in _UNITS.items() if line.name.endswith(end)), "")
    kind += f", {unit}" if unit else ""
    text = _linked((line.field.description or "").replace("|", "\\|"))
    return f"| `{line.name}` | {kind} | {_default(line.field)} | {text} |"


def _linked(text: str) -> str:
    return re.sub(r"docs/([a-z-]+\.md)", r"[\1](../\1)", text)


def _limits(field: FieldInfo) -> str:
    said = [
        f"{sign} {getattr(mark, name)}"
        for mark in field.metadata
        for name, sign in _LIMITS.items()
        if getattr(mark, name, None) is not None
    ]
    return f" {', '.join(said)}" if said else ""


def _type(kind: Any) -> str:
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type(inside[0])
    if origin is Literal:
        if len(inside) > _MOST_WORDS:
            return "[command](../commands.md)"
        return " ".join(f"`{json.dumps(word)}`" for word in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(k) for k in inside if k is not type(None)))
    if origin in (tuple, list):
        same = [_type(k) for k in inside if k is not Ellipsis]
        return (
            f"list of {same[0]}" if Ellipsis in inside or origin is list else f"[{', '.join(same)}]"
        )
    if origin is dict:
        return f"table of {_type(inside[1])} by {_type(inside[0])}"
    names = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path"}
    return names[kind]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}):
        return "none"
    return f"`{json.dumps(value.as_posix() if isinstance(value, Path) else value)}`"
