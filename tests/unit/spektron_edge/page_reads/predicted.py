"""An outbox as a daemon leaves it, with predictions at chosen times."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from ulid import ULID

from spektron_edge.files.state_folder import OUTBOX_FILE
from spektron_edge.outbox import Limits, Outbox, Outgoing
from tests.predictions import prediction

BEGAN = datetime(2026, 11, 22, 10, tzinfo=timezone.utc)


def at(seconds):
    return BEGAN + timedelta(seconds=seconds)


def iso(seconds):
    return at(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record(seconds, value=10.0, **changes):
    made = json.loads(prediction())
    moisture = {"value": value, "low": 9.0, "high": 11.0, "unit": "% by mass"}
    moisture["basis"] = "held_out_rmsep_90"
    return {
        **made,
        "id": str(ULID.from_datetime(at(seconds))),
        "time": {**made["time"], "utc": iso(seconds)},
        "values": {"moisture": moisture},
        **changes,
    }


def outbox(page, records):
    box = Outbox(page.state_dir / OUTBOX_FILE, Limits(10**9, 10**9))
    rows = [Outgoing(r["id"], "prediction", json.dumps(r).encode()) for r in records]
    box.commit(rows, [])
    return box
