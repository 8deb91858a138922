"""Samples that were measured before the laboratory had their values: predictions of the outbox."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from spektron_edge.outbox.questions import asked_of

from .measuring import Taken
from .results import Record, calibration_of, measured

_SQL = "SELECT payload FROM record WHERE kind = 'prediction' AND id = ?"


def measured_before(state_dir: Path, samples: Mapping[str, Sequence[str]]) -> Taken:
    """samples: name -> ids of predictions. What is not there, or does not belong together, says so.

    Raises Fault(STATE_DAMAGED, STATE_UNWRITABLE).
    """
    taken = Taken()
    for name, ids in samples.items():
        found = [(id_, _record(state_dir, id_)) for id_ in ids]
        gone = [id_ for id_, record in found if record is None]
        records = [record for _, record in found if record is not None]
        sources = {(r["serial"], calibration_of(r["model"])) for r in records}
        if gone:
            taken[f"sample {name}"] = f"not in the outbox, or no longer: {', '.join(gone)}"
        elif len(sources) > 1:
            taken[f"sample {name}"] = "its predictions are of two instruments or calibrations"
        else:
            at_s = np.array([_utc_s(record) for record in records])
            nothing = np.zeros((len(records), 0))
            taken[f"sample {name}"] = measured(records, nothing, np.zeros(0), at_s)
    return taken


def _record(state_dir: Path, id_: str) -> Record | None:
    for (payload,) in asked_of(state_dir, _SQL, (id_,)):
        record: Record = json.loads(payload)
        return record
    return None


def _utc_s(record: Record) -> float:
    return datetime.fromisoformat(record["time"]["utc"].replace("Z", "+00:00")).timestamp()
