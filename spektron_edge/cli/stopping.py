"""An orderly end, where one is asked for by a signal."""

from __future__ import annotations

import _thread
import signal
import threading


def stopped_by(*numbers: signal.Signals, ignored_too: bool = True) -> threading.Event:
    """What these signals set from now on. ignored_too: also those that this process was started
    to ignore, by `nohup` for instance."""
    stop = threading.Event()
    for number in numbers:
        if ignored_too or signal.getsignal(number) is not signal.SIG_IGN:
            # The handler runs in the midst of anything, of `stop.wait()` for instance, whose lock
            # `set` would wait for without end.
            signal.signal(number, lambda *_: _thread.start_new_thread(stop.set, ()))
    return stop
