"""Keys of a TOML file set and removed in place: comments and everything else stay as they are."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from spektron_edge.config.toml import tomllib

Value = str | int | float | Sequence[str | float]
Key = tuple[str, str]
"""Section, empty for what stands before all; and key in it."""


class NotInPlace(Exception):
    """The file is written in a way in which a key cannot be changed."""


def edited(text: str, changes: Mapping[Key, Value | None]) -> str:
    """The text with these values; None removes. What has its value already is left alone.

    Raises NotInPlace, and ValueError for what is no TOML.
    """
    before = tomllib.loads(text)
    # Other ends of lines than this may stand in texts.
    lines = text.removesuffix("\n").split("\n") if text else []
    wanted: dict[str, Any] = copy.deepcopy(before)
    for (section, key), value in changes.items():
        table = wanted.setdefault(section, {}) if section else wanted
        plain = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        if not isinstance(table, dict):
            raise NotInPlace(f"`{section}` is no table")
        if table.get(key) == plain:
            continue
        if plain is None:
            table.pop(key, None)
        else:
            table[key] = plain
        lines = _with(lines, section, key, plain)
    made = "\n".join(lines) + "\n"
    try:
        right = _filled(tomllib.loads(made)) == _filled(wanted)
    except tomllib.TOMLDecodeError:
        right = False
    if not right:
        raise NotInPlace("it has dotted or quoted keys, or tables in one line")
    return made


def _filled(document: dict[str, Any]) -> dict[str, Any]:
    """Without sections in which nothing stands."""
    return {key: value for key, value in document.items() if value != {}}


def _with(lines: list[str], section: str, key: str, value: Any) -> list[str]:
    new = [] if value is None else [f"{key} = {_written(value)}"]
    begin, end = _span(lines, section)
    at = next((n for n in range(begin, end) if re.match(rf"\s*{key}\s*=", lines[n])), None)
    if at is not None:
        return lines[:at] + new + lines[_statement_end(lines, at) :]
    if not new:
        return lines
    if section and begin == 0:
        return [*lines, *([""] if lines and lines[-1].strip() else []), f"[{section}]", *new]
    last = max((n for n in range(begin, end) if lines[n].strip()), default=begin - 1) + 1
    return lines[:last] + new + lines[last:]


def _span(lines: list[str], section: str) -> tuple[int, int]:
    """First line after the header, and the next header's; from 0 where there is no header."""
    headers = [n for n, line in enumerate(lines) if re.match(r"\s*\[", line)]
    begin = 0
    if section:
        own = rf"\s*\[\s*{section}\s*\]\s*(#.*)?$"
        found = next((n for n in headers if re.match(own, lines[n])), None)
        if found is None:
            return 0, 0
        begin = found + 1
    return begin, next((n for n in headers if n >= begin), len(lines))


def _statement_end(lines: list[str], at: int) -> int:
    """Arrays and texts may go over several lines."""
    for end in range(at + 1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[at:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return at + 1


def _written(value: Any) -> str:
    """JSON's texts and numbers are TOML's, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
