"""The table of events and audit lines has every code that the source tells, and no other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from spektron_edge.door.notes import _CROWDED_OUT
from spektron_edge.faults import Faults
from spektron_edge.files.audit import CARRIED, CONTINUED
from tests.events_page import HAPPENINGS
from tests.pages import PACKAGE

# Function that is given a code -> what it tells, and what the code begins with.
_BY = {
    "say": ({"event"}, ""),
    "_audit": ({"audit"}, ""),
    "_audited": ({"audit"}, ""),
    "audit": ({"audit"}, ""),
    "append": ({"audit"}, ""),
    "tell": ({"event", "audit"}, ""),
    "_noted": ({"event", "audit"}, ""),
    "told": ({"event", "audit"}, ""),
    "Told": ({"event", "audit"}, ""),
    "done": ({"audit"}, "page_"),
    "note": ({"audit"}, "page_"),
    "seen": ({"audit"}, "page_"),
}
# Actions that wait in the outbox's or the page's own list, and become lines of the log only.
_AUDIT_ONLY = {"replay_requested", "backup_made", "archived"}
# Reasons of a prediction, and what a finding is about.
_NO_CODES = {"q_above_limit", "t2_above_limit", "connections"}
# Those that have no call with their name.
_OTHERS = {
    CONTINUED: {"audit"},
    CARRIED: {"audit"},
    _CROWDED_OUT: {"audit"},
    "page_refused": {"audit"},
    # Of `page-user ACTION`.
    **{f"page_user_{action}": {"audit"} for action in ("add", "role", "password", "remove")},
}


def test_it_has_every_code_of_the_source_and_no_other():
    found = _found()
    faults = {fault.value.code for fault in Faults} - {"clock_jumped", "adaptation_refused"}
    told = {code: where for code, where in found.items() if code not in faults | _NO_CODES}
    table = {
        code: {"event", "audit"} if where == "both" else {where}
        for code, (where, _) in HAPPENINGS.items()
    }
    assert told == table


def _found() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                _take(node, found)
    for code, where in _OTHERS.items():
        found[code] |= where
    return found


def _take(call: ast.Call, found: dict[str, set[str]]) -> None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    where, before = _BY.get(name, (set(), ""))
    codes = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    if name == "Action":
        where = {"event", "audit"}
        named = [k.value for k in call.keywords if k.arg == "what"]
        codes = [value.value for value in named if isinstance(value, ast.Constant)]
    for code in codes[:1]:
        if where and isinstance(code, str) and re.fullmatch(r"[a-z]+(_[a-z]+)*", code):
            found[before + code] |= {"audit"} if code in _AUDIT_ONLY else where
