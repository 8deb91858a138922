"""The tables and examples of docs/payloads.md, commands.md and page.md, made from the code.

Prose is written in the pages; what stands between `<!-- begin NAME -->` and `<!-- end NAME -->` is
made here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.protocol import LampState, Position
from spektron_edge.adaptation.requests import Service, Stable
from spektron_edge.adaptation_state.commands import Decide, GoBack
from spektron_edge.bundle import read_bundle
from spektron_edge.clock import Clock, ClockWatch, Stamp
from spektron_edge.command_names import COMMANDS
from spektron_edge.commands.arguments import Nothing, Taken
from spektron_edge.config.file import shipped_bundle
from spektron_edge.door import asking
from spektron_edge.inference import load_model
from spektron_edge.instrument.commands import SetIntegration
from spektron_edge.instrument.wavelength_checks import WavelengthCheck
from spektron_edge.mqtt.commands import Key, sign, to_payload
from spektron_edge.prediction.pipeline import evaluate
from spektron_edge.prediction.product_choice import ChooseProduct
from spektron_edge.publishing.records import Response, to_json
from spektron_edge.publishing.reporter import Reporter
from spektron_edge.publishing.schema import generate
from spektron_edge.spectra.acquisition import Ages, References
from spektron_edge.spectra.resampling import Resampler
from spektron_edge.spectra.scan import Scan
from spektron_edge.transfer_session.requests import Activate, Add, Finish, Start
from spektron_edge.transfer_session.requests import GoBack as TransferBack

from .json_fields import flat
from .model_tables import fields_table
from .page_tables import roles_table
from .upkeep_tables import backup_table, retention_table

ID = "01K000000000000000EXAMPLE0"
KEY = Key("anna", b"sixteen bytes or more")

# Command -> what it takes, what it does.
ABOUT: dict[str, tuple[type[Taken], str]] = {
    "health": (
        Nothing,
        "faults that are going on, and the state's counters; `ok` without any",
    ),
    "reload": (
        Nothing,
        "read configuration and bundle again, and go back where line or broker do not work with it",
    ),
    "take-dark": (Nothing, "measure the dark now"),
    "take-reference": (Nothing, "measure the white reference now"),
    "scan-now": (
        Nothing,
        "one scan, begun after the command; the answer names its prediction",
    ),
    "set-integration": (SetIntegration, "another integration time, kept over restarts and reloads"),
    "auto-range": (
        Nothing,
        "find the integration that suits the white standard, kept like one that was set",
    ),
    "wavelength-check": (
        WavelengthCheck,
        "the next scans are of a wavelength standard: [instruments.md](instruments.md)",
    ),
    "choose-product": (ChooseProduct, "another product of the bundle, kept as well"),
    "transfer-start": (Start, "begin a transfer to this instrument: [transfer.md](transfer.md)"),
    "transfer-add": (Add, "add the sample whose cup is in place"),
    "transfer-status": (Nothing, "what is measured, and which sample comes next"),
    "transfer-finish": (Finish, "fit; the event `transfer_finished` or `transfer_failed` follows"),
    "transfer-discard": (Nothing, "end the open transfer without using it"),
    "transfer-list": (Nothing, "the transfers that are kept"),
    "transfer-activate": (Activate, "use one that is kept, again"),
    "transfer-rollback": (TransferBack, "back to what was in use before"),
    "adapt-service-event": (Service, "say that the instrument was worked on"),
    "adapt-stability": (Stable, "the stability sample is in place"),
    "adapt-status": (Nothing, "what is in use and what waits: [adaptation.md](adaptation.md)"),
    "adapt-list": (Nothing, "the adaptations that are kept"),
    "adapt-approve": (Decide, "agree to a proposal"),
    "adapt-reject": (Decide, "never use a proposal"),
    "adapt-rollback": (GoBack, "back to what was in use before"),
    "adapt-reset": (GoBack, "back to the bundle's own calibration"),
}


def filled(path: Path) -> str:
    """A page with every generated part made anew."""
    parts = {
        **{f"{name} fields": _fields(document) for name, document in generate().items()},
        "prediction example": _json(_prediction()),
        "commands": _commands(),
        "backup files": backup_table(),
        "door lines": _door_lines(),
        "retention shares": retention_table(),
        "page roles": roles_table(),
        "request example": _json(json.loads(_request())),
        "response example": _json(_response()),
    }

    def made(found: re.Match[str]) -> str:
        name = found.group(1)
        return f"<!-- begin {name} -->\n{parts[name]}\n<!-- end {name} -->"

    pattern = r"<!-- begin ([a-z ]+) -->\n.*?<!-- end \1 -->"
    return re.sub(pattern, made, path.read_text("utf-8"), flags=re.DOTALL)


def _fields(document: dict[str, Any]) -> str:
    lines = ["| field | type | |", "|---|---|---|"]
    for name, kind, text in flat(document):
        shown = text.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| `{name}` | {kind} | {shown} |")
    return "\n".join(lines)


def _door_lines() -> str:
    parts = []
    for line in (asking.Command, asking.Note):
        _, table = fields_table(line.model_json_schema(), {}, given=True)
        parts.append("\n".join(table).replace("| field |", f"| `{line.__name__.lower()}` |"))
    return "\n\n".join(parts)


def _json(document: dict[str, Any]) -> str:
    return f"```json\n{json.dumps(document, indent=2)}\n```"


def _commands() -> str:
    lines = ["| command | arguments | |", "|---|---|---|"]
    for name in COMMANDS:
        taken, text = ABOUT[name]
        given = ", ".join(
            f"`{field}`{'' if info.is_required() else f' ({_default(info.default)})'}"
            for field, info in taken.model_fields.items()
        )
        lines.append(f"| `{name}` | {given} | {text} |")
    return "\n".join(lines)


def _default(value: object) -> str:
    return "optional" if value is None else f"else `{json.dumps(value)}`"


def _prediction() -> dict[str, Any]:
    """What the shipped bundle says of a mixture of two of its calibration samples."""
    bundle = read_bundle(shipped_bundle())
    model = load_model(bundle, precision="fp32")
    axis = model.product.grid.axis()
    dark, white = np.full(axis.size, 600.0), np.full(axis.size, 50_600.0)
    spectra = np.asarray(bundle.arrays(model.product.source)["x"], np.float64)
    absorbance = (spectra[2] + spectra[7]) / 2
    now = Stamp(utc_s=1_800_000_000.0, running_s=5000.0, boot="b")
    taken = Stamp(utc_s=1_799_998_800.0, running_s=3800.0, boot="b")
    serial = "VIRT-0001"
    references = References(dark, white, taken, taken, serial, 7, 1000, white_temperature_c=25.1)
    scan = Scan(
        counts=dark + (white - dark) * 10.0**-absorbance,
        axis_nm=axis,
        number=212,
        boot_id=7,
        serial=serial,
        integration_us=1000,
        averages=1,
        lamp=LampState.STABLE,
        position=Position.SAMPLE,
        temperature_c=25.4,
        saturated=0,
        device_us=1_211_250_000,
        last_byte_at=0.0,
    )
    resampler = Resampler.between(axis, axis)
    outcome = evaluate(scan, references, resampler, model, Ages(3600.0, 3600.0), now)
    reporter = Reporter("lab", "m5", Clock(), ClockWatch(0.0))
    sent = reporter.prediction(scan, references, outcome, model, now)
    return _rounded({**json.loads(sent.payload), "id": ID})


def _rounded(part: Any) -> Any:
    # What the last digits are depends on the processor.
    if isinstance(part, dict):
        return {key: _rounded(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_rounded(value) for value in part]
    return float(f"{part:.3g}") if isinstance(part, float) and abs(part) < 1e6 else part


def _request() -> bytes:
    arguments = {"integration_us": 900}
    request = sign(KEY, "spektron/lab/m5", "set-integration", 1_800_000_000, "7f3a", arguments)
    return to_payload(request)


def _response() -> dict[str, Any]:
    response = Response(
        command="set-integration",
        stage="finished",
        ok=True,
        message="integration 1000 -> 900 us",
        correlation="7f3a",
        result={"integration_us": 900},
    )
    document: dict[str, Any] = json.loads(to_json(response))
    return document
