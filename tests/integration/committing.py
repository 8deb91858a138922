"""`python -m tests.integration.committing FILE ...`: the command line, noting what was committed.

Appends the ids of predictions to FILE whenever a commit of the outbox has returned.
"""

from __future__ import annotations

import os
import sys

from spektron_edge.cli.main import main
from spektron_edge.outbox import Outbox

_commit = Outbox.commit
_log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def commit(self, records, *others):
    stored = _commit(self, records, *others)
    ids = "".join(f"{r.id}\n" for r in records if r.kind == "prediction")
    os.write(_log, ids.encode())
    return stored


Outbox.commit = commit
sys.exit(main(sys.argv[2:]))
