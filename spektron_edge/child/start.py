"""How a child begins: `python -m spektron_edge.child.start PARENT MODULE [ARGUMENT...]`.

Imports little, so that little time passes in which a killed parent would leave the child behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, module: str, arguments: list[str]) -> int:
    """Says that it may be stopped, and is that module; returns 1 where the parent has gone."""
    bound = end_with_parent()
    # The parent may have died before.
    if os.getppid() != parent:
        return 1
    if bound:
        print(json.dumps({"may_pause": True}), flush=True)  # noqa: T201  to the parent
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def end_with_parent() -> bool:
    """Be killed when the parent dies, even while stopped. False where the system cannot do that."""
    if sys.platform != "linux":
        return False
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        return not ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    return False


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
