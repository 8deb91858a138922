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
            print(f"{key}:")
            for line in value:
                print(f"  {line}")
        elif isinstance(value, dict):
            print(f"{key}:")
            for name, inner in value.items():
                text = "; ".join(map(str, inner)) or "none" if isinstance(inner, list) else inner
                print(f"  {name:24} {text}")
        else:
            print(f"{key:26} {value}")
