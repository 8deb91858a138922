"""Turns of the daemon's loop by hand, and what came of them."""

from __future__ import annotations

import json

from spektron_edge.inbox import InstrumentReady


def turn(daemon, *items):
    for item in items:
        daemon._inbox.put(item)
    daemon._turn(0.0)


def stored(daemon):
    return [json.loads(r.payload) for r in daemon._state.outbox.unsent(10_000)]


def events(daemon, code):
    return [r for r in stored(daemon) if r.get("code") == code]


def predicted(daemon):
    return [r["scan"]["number"] for r in stored(daemon) if "scan" in r]


def ready(make_scan):
    return InstrumentReady("VIRT-0001", "1.0", 7, make_scan().axis_nm)
