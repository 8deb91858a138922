"""The counters of commands a second time: from the audit log, whatever became of the outbox."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path

from .audit import CARRIED


def used_counters(*logs: Path) -> dict[str, int]:
    """The largest counter of each operator that a line names, since a reset. Raises OSError.

    Lines of a log whose chain does not hold count as well: at worst a counter is too large.
    """
    used: dict[str, int] = {}
    for log in logs:
        with gzip.open(log) if log.suffix == ".gz" else log.open("rb") as stream:
            for raw in stream:
                if b'"counter"' not in raw:
                    continue
                with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                    line = json.loads(raw)
                    who, counter = str(line["who"]), int(line["details"]["counter"])
                    if line["what"] == "counter_reset":
                        used[str(line["details"]["operator"])] = counter
                    elif line["what"] == CARRIED:
                        operator = str(line["details"]["operator"])
                        used[operator] = max(counter, used.get(operator, 0))
                    elif str(line["what"]).startswith("command_") and 0 < counter < 2**63:
                        used[who] = max(counter, used.get(who, 0))
    return used
