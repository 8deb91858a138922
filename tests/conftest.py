"""What all tests start from."""

from __future__ import annotations

import signal

from tests import told_statuses as told_statuses

# A background job of a shell is deaf to Ctrl-C from its start, and so is what its tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
