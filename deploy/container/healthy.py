"""Whether the daemon's main path turns: it tells its state twice. Exit status 0, or 1 and why."""

from __future__ import annotations

import sys
from pathlib import Path

from spektron_edge.door.client import DoorAway, DoorStream

_DOOR = Path("/var/lib/spektron-edge/door.sock")


def main() -> int:
    """The first state may be one that was kept; the second is made now, within 2 s."""
    try:
        with DoorStream(_DOOR) as door:
            door.until("state")
            door.until("state")
    except (DoorAway, OSError, ValueError) as error:
        print(f"the daemon does not tell its state: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
