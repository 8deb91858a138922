"""A command's report on standard output."""

from __future__ import annotations

import json


def show(report: dict[str, object], *, as_json: bool) -> None:
    """As one JSON object, or as lines for a reader."""
    if as_json:
        print(json.dumps(report))
        return
    for key, value in report.items():
        if isinstance(value, list):
            print(f"{key}:" if value else f"{key + ':':26} none")
            for line in value:
                print(f"  {line}")
        elif isinstance(value, dict):
            print(f"{key}:")
            for name, inner in value.items():
                print(f"  {name:24} {_word(inner)}")
        else:
            print(f"{key:26} {_word(value)}")


def _word(value: object) -> object:
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return "none" if value is None else value
