"""A child of low priority with its own memory: predictions come first."""

from __future__ import annotations

import contextlib
import os
import resource

_NICE = 10
# Address space, of which numpy and onnxruntime reserve 200 MB at import, and the fit uses little.
ADDRESS_BYTES = 2**30
# Processor seconds; the parent's limit is of the clock. This one holds when the parent has died.
_CPU_S = 300


def lower() -> None:
    """Limit this process. What a system does not know, or does not allow, is left as it is."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    for kind, most in ((resource.RLIMIT_AS, ADDRESS_BYTES), (resource.RLIMIT_CPU, _CPU_S)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))
    # No core file of reference values on an instrument's disk.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
