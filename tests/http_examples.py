"""One example for every endpoint of the page: what is sent, and what comes back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests import page_answers as answers

Json = dict[str, Any]
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_NOON = "2026-11-22T12:00:00.000Z"
_RECORD = "01K00000000000000000000212"
_SHA256 = "5e" * 32
_SIGNATURE = {"password": "...", "meaning": "approved", "reason": "as agreed in change 17"}


@dataclass(frozen=True)
class Example:
    """path, query, body: as sent; answer: JSON, or the beginning of a text."""

    answer: Json | str
    path: Json = field(default_factory=dict)
    query: Json = field(default_factory=dict)
    body: Json | None = None


def _session(user: str | None, role: str | None) -> Json:
    return {
        "signed_in": user is not None,
        "user": user,
        "role": role,
        "csrf": "0Jm3...Q" if user else None,
        "idle": False,
        "first_boot": False,
        "needs_sign_in": True,
        "site": "lab",
        "instrument": "m5",
        "version": "0.1.0",
    }


_CHANGED: Json = {
    "bundles": answers.BUNDLES,
    "reload": None,
}
_EXAMPLES: dict[str, Example] = {
    "GET /session": Example(_session(None, None)),
    "POST /session": Example(
        _session("anna", "engineer"), body={"user": "anna", "password": "..."}
    ),
    "DELETE /session": Example(_session(None, None)),
    "POST /session/password": Example(
        _session("anna", "engineer"), body={"old": "...", "new": "beam splitter 42"}
    ),
    "POST /first-boot": Example(
        _session("anna", "engineer"),
        body={"code": "7KQ2-M9XD", "user": "anna", "password": "beam splitter 42"},
    ),
    "GET /now": Example(answers.now(door=True)),
    "GET /live": Example(
        'event: state\ndata: {"schema": "spektron.state/1", ...}\n', query={"spectra": 2}
    ),
    "GET /axis": Example(answers.AXIS),
    "POST /commands/{name}": Example(
        {
            "id": "17",
            "stage": "finished",
            "ok": True,
            "message": "integration 1000 -> 900 us",
            "result": {"integration_us": 900},
        },
        path={"name": "set-integration"},
        body={"arguments": {"integration_us": 900}},
    ),
    "GET /products": Example(answers.PRODUCTS),
    "GET /history": Example(
        answers.history("moisture", 3600, 2), query={"property": "moisture", "points": 2}
    ),
    "GET /records": Example(
        {"records": [answers.prediction(900)], "next": _RECORD}, query={"limit": 1}
    ),
    "GET /records.csv": Example("", query={"from": "2026-11-22T00:00:00Z"}),
    "GET /spectra": Example(answers.spectra()),
    "GET /spectra/{record}.jdx": Example("", path={"record": _RECORD}),
    "GET /spectra.jdx": Example(""),
    "GET /transfer": Example(answers.TRANSFER),
    "GET /transfer/picture.svg": Example("", query={"at": 2}),
    "GET /transfer/report": Example(""),
    "GET /adaptation": Example(answers.ADAPTATION),
    "GET /adaptation/{number}": Example(answers.adaptation_whole(5), path={"number": 5}),
    "GET /bundles": Example(answers.BUNDLES),
    "POST /bundles/{slot}/activate": Example(
        _CHANGED, path={"slot": "b"}, body={**_SIGNATURE, "seen": "corn-1-653d01505d28"}
    ),
    "POST /bundles/rollback": Example(_CHANGED, body={**_SIGNATURE, "seen": "corn-2-653d01505d28"}),
    "POST /bundles/incoming": Example(answers.INCOMING),
    "POST /bundles/incoming/install": Example(
        {
            "bundles": answers.BUNDLES,
            "slot": "b",
            "bundle": "corn-3-0123456789ab",
            "tried": ["corn int8 on cpu: 16 golden vectors"],
        },
        body={**_SIGNATURE, "sha256": _SHA256},
    ),
    "GET /qualifications": Example(answers.QUALIFICATIONS, query={"limit": 2}),
    "GET /qualifications/{number}/report.html": Example("", path={"number": 3}),
    "GET /qualifications/{number}/report.json": Example("", path={"number": 3}),
    "GET /audit": Example({**answers.AUDIT, "next": 899}, query={"limit": 2}),
    "GET /audit/verify": Example(answers.VERIFIED, query={"head": answers.VERIFIED["head"]}),
    "GET /users": Example(answers.USERS),
    "POST /users": Example(
        {"name": "ben", "role": "operator", "active": True},
        body={
            "your_password": "...",
            "user": "ben",
            "role": "operator",
            "password": "white reference 7",
        },
    ),
    "PATCH /users/{name}": Example(
        {"name": "ben", "role": "operator", "active": False},
        path={"name": "ben"},
        body={"your_password": "...", "active": False},
    ),
    "GET /support.zip": Example(""),
}


def examples() -> dict[str, Example]:
    """By method and path; long lists have two entries, and every moment is the same."""
    return {
        name: Example(_short(one.answer), one.path, one.query, one.body)
        for name, one in _EXAMPLES.items()
    }


def _short(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _short(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_short(value) for value in part[:2]]
    if isinstance(part, str):
        return _MOMENT.sub(_NOON, part)
    # What the last digits are depends on the processor.
    return float(f"{part:.4g}") if isinstance(part, float) else part
