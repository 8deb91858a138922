"""Pages of docs/ that are made from the code: `python -m tests.pages --write`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from firmware_bridge.protocol_doc import render as protocol_page
from spektron_edge.faults import Faults
from spektron_edge.mqtt.commands import Request
from spektron_edge.records import PUBLISHED

DOCS = Path(__file__).resolve().parents[1] / "docs"


def faults_page() -> str:
    """The catalogue of faults as a table."""
    lines = [
        "# Faults",
        "",
        "Generated from `spektron_edge/faults.py` by `make pages`. The code stands in log lines,",
        "events, `reasons` of predictions and `faults` of the state; the exit status is that of a",
        "command that ends because of the fault. `spektron-edge run` waits for faults that can",
        "pass by themselves and reports them as events; `run --fail-fast` ends with the first one.",
        "",
        "| exit status | code | next step |",
        "|---|---|---|",
    ]
    kinds = [fault.value for fault in Faults]
    lines += [f"| {k.exit_status} | `{k.code}` | {k.next_step} |" for k in kinds]
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """Every generated page and its text."""
    made = {DOCS / "faults.md": faults_page(), DOCS / "protocol.md": protocol_page()}
    schemas = {n: model.model_json_schema(mode="serialization") for n, model in PUBLISHED.items()}
    schemas["request"] = Request.model_json_schema()
    for name, schema in schemas.items():
        path = DOCS / "schemas" / f"{name}.schema.json"
        made[path] = json.dumps(schema, indent=2, sort_keys=True) + "\n"
    return made


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("usage: python -m tests.pages --write")
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path.relative_to(DOCS.parent))
