"""The command line, with places that hang for as long as a file of that name lies in a folder.

`SPEKTRON_HANGS` names the folder. `NAME.held` beside the file says that it is waited for.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_bridge.transport import Transport
from spektron_edge.cli.main import main
from spektron_edge.inbox import Inbox
from spektron_edge.inference.onnx import OnnxBackend
from spektron_edge.mqtt.session import Session
from spektron_edge.outbox import Outbox

# Where it hangs: the main path's wait, its inference, its write to the disk, and the two threads.
PLACES: dict[str, tuple[type, str]] = {
    "loop": (Inbox, "take"),
    "inference": (OnnxBackend, "infer"),
    "write": (Outbox, "commit"),
    "acquisition": (Transport, "read"),
    "delivery": (Session, "_turn"),
}


def _hanging(call: Callable[..., Any], name: str, folder: Path) -> Callable[..., Any]:
    @functools.wraps(call)
    def held(*arguments: Any, **more: Any) -> Any:
        while (folder / name).exists():
            (folder / f"{name}.held").touch()
            time.sleep(0.02)
        return call(*arguments, **more)

    return held


if __name__ == "__main__":
    for place, (owner, method) in PLACES.items():
        wrapped = _hanging(getattr(owner, method), place, Path(os.environ["SPEKTRON_HANGS"]))
        setattr(owner, method, wrapped)
    sys.exit(main())
