"""A command's report on standard output."""

from __future__ import annotations

import json

from firmware_bridge.printable import printable


def show(report: dict[str, object], *, as_json: bool) -> None:
    """As one JSON object, or as lines for a reader: what is not printable, as its escape."""
    if as_json:
        print(json.dumps(report))
        return
    for key, value in report.items():
        if isinstance(value, list):
            _say(f"{key}:" if value else f"{key + ':':26} none")
            for line in value:
                _say(f"  {line}")
        elif isinstance(value, dict):
            _say(f"{key}:")
            for name, inner in value.items():
                _say(f"  {name:24} {_word(inner)}")
        else:
            _say(f"{key:26} {_word(value)}")


def _say(line: str) -> None:
    # Much of it comes from instruments and files: none of that may speak to the terminal.
    print(printable(line))


def _word(value: object) -> object:
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return "none" if value is None else value
