"""Stands in for the child of adaptation: `SPEKTRON_TEST_CHILD` says how it behaves.

With `sound`, it adapts as the real one does, with a guard that has no doubts and does not ask for
stability samples, which tests measure before the change only.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from spektron_edge.adaptation import worker
from spektron_edge.adaptation.candidate import Verdict
from spektron_edge.adaptation.guard import judge
from spektron_edge.adaptation.task import RESULT, WORK
from spektron_edge.config.loading import load_config


def content(material, held_out, candidate, evidence, _):
    found = judge(material, held_out, candidate, evidence, ())
    return Verdict(found.refusals, (), found.metrics)


def main() -> int:
    how, config = os.environ["SPEKTRON_TEST_CHILD"], Path(sys.argv[1])
    if sys.argv[2] == "calibrate" or how == "real":
        return worker.main(sys.argv[1:])
    if how == "hangs":
        print("no JSON", flush=True)
        time.sleep(600)
    if how == "garbage":
        work = load_config(config).state_dir / WORK
        (work / RESULT).write_bytes(b'{"id": "000000000000", "number": 3, "se')
        return 0
    if how == "nothing":
        return 0
    if how == "crowded":
        worker.lower(worker.LIMITS)
        bytearray(2**32)
    worker.judge = content
    return worker.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
