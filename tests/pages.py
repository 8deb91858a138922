"""Files made from the code, pages of docs/ and the C codec: `python -m tests.pages --write`."""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import fields
from pathlib import Path

from firmware_bridge import wire_c
from firmware_bridge.protocol_doc import render as protocol_page
from spektron_edge.faults import Faults
from spektron_edge.publishing.schema import generate
from spektron_edge.transfer.methods import REGISTRY

from . import threat_picture
from .command_line_page import command_line_page
from .configuration_page import configuration_page
from .events_page import events_page
from .folder_pages import decisions_page, schemas_page
from .http_page import http_page
from .payload_pages import filled
from .python_page import python_page

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "spektron_edge"


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


def methods_page() -> str:
    """The transfer methods as a table, and what each says of itself."""
    # torch takes seconds to import.
    from spektron_train.training.lora_method import LoraTransfer

    methods = {key: (cls, "instrument") for key, cls in REGISTRY.items()}
    methods[LoraTransfer.key] = (LoraTransfer, "training host")
    lines = [
        "# Transfer methods",
        "",
        "Generated from `spektron_edge.transfer.methods.REGISTRY` by `make pages`; what they are",
        "worth on corn is in [transfer.md](transfer.md). All have scikit-learn's `fit`,",
        "`transform` and `predict`, and expect both instruments on one axis. What works in latents",
        "needs an encoder, and pairs or unpaired target spectra.",
        "",
        "| key | class | needs | runs on | hyperparameters |",
        "|---|---|---|---|---|",
    ]
    for key, (cls, where) in methods.items():
        needs = ", ".join(sorted(cls.needs)) or "-"
        values = ", ".join(f"{f.name}={f.default!r}" for f in fields(cls) if _plain(f.default))
        lines.append(f"| `{key}` | `{cls.__name__}` | {needs} | {where} | {values or '-'} |")
    for key, (cls, _) in methods.items():
        lines += ["", f"## {key}", *inspect.getdoc(cls).splitlines()]
    return "\n".join(lines) + "\n"


def _plain(value: object) -> bool:
    return isinstance(value, (int, float, str))


def pages() -> dict[Path, str]:
    """Every generated file and its text."""
    made = {DOCS / "faults.md": faults_page(), DOCS / "protocol.md": protocol_page()}
    made |= {path.resolve(): text for path, text in wire_c.files().items()}
    made[DOCS / "transfer-methods.md"] = methods_page()
    made[DOCS / "threat-model.svg"] = threat_picture.render()
    partly = ("payloads.md", "commands.md", "page.md", "backup.md", "door.md")
    made |= {DOCS / name: filled(DOCS / name) for name in partly}
    made[DOCS / "reference" / "commands.md"] = command_line_page()
    made[DOCS / "reference" / "configuration.md"] = configuration_page()
    made[DOCS / "reference" / "events.md"] = events_page()
    made[DOCS / "reference" / "http.md"] = http_page()
    made[DOCS / "reference" / "python.md"] = python_page()
    made[DOCS / "decisions" / "README.md"] = decisions_page(DOCS / "decisions")
    made[DOCS / "schemas" / "README.md"] = schemas_page()
    for name, schema in generate().items():
        for folder in (DOCS, PACKAGE):
            path = folder / "schemas" / f"{name}.schema.json"
            made[path] = json.dumps(schema, indent=2, sort_keys=True) + "\n"
    return made


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("usage: python -m tests.pages --write")
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path.relative_to(ROOT))
