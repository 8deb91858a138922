"""A child that says when it begins and when, after so many seconds, it ends."""

from __future__ import annotations

import sys
import time

from spektron_edge.child.process import tell

if __name__ == "__main__":
    tell(step="counting")
    time.sleep(float(sys.argv[1]))
    tell(step="counted")
