"""This process as the service manager sees it. Feeds the watchdog by progress, and by nothing else.

The main path says that it turns; every other thread that matters has a beat. The watchdog is fed
where the main path turns and all beats are in time: others do not speak for a thread that hangs.
"""

from __future__ import annotations

import faulthandler
import time

from .beats import Beats
from .notify import Notifier, watchdog_s

_SLACK_S = 60.0
_STEP_S = 60.0
_TOLD_APART_S = 1.0
# Some may be lost while the machine is busy; a tenth costs nothing.
_FED_PER_PATIENCE = 10


class Service:
    """Belongs to the main path's thread. Without a manager it only knows who hangs.

    beats: of the other threads; every_s: how often it says that all get on, s.
    """

    def __init__(self, notifier: Notifier | None = None, watchdog_s: float | None = None) -> None:
        """watchdog_s: after so long without a sign of life the manager ends the process, s."""
        self._notifier = notifier or Notifier()
        self._watched = watchdog_s is not None
        self.every_s = (watchdog_s or _SLACK_S) / _FED_PER_PATIENCE
        self.beats = Beats(watchdog_s or _SLACK_S)
        self.late: tuple[str, ...] = ()
        self._ready = False
        self._status = ""
        self._feed_due = self._tell_due = float("-inf")

    @classmethod
    def of_process(cls) -> Service:
        """As the manager has started it."""
        patience_s = watchdog_s()
        if patience_s is not None:
            # The watchdog's SIGABRT writes to stderr where each thread was.
            faulthandler.enable()
        return cls(Notifier.of(), patience_s)

    @property
    def listened_to(self) -> bool:
        """Whether a line of `status` is read by anybody."""
        return self._notifier.listened_to

    def starting(self, what: str, within_s: float) -> None:
        """A step of the start begins, which may take so long, s."""
        self._notifier.send(STATUS=f"starting: {what}", EXTEND_TIMEOUT_USEC=_us(within_s))

    def ready(self) -> None:
        """Everything that has to work before the first scan works."""
        self._ready = True
        self._notifier.send(READY=1)
        self.turn()

    def turn(self) -> None:
        """The main path got on. late: in words, which other threads do not."""
        now = time.monotonic()
        if now < self._feed_due:
            return
        self._feed_due = now + self.every_s
        self.late = self.beats.late()
        if self._watched and not self.late:
            self._notifier.send(WATCHDOG=1)

    def step(self) -> None:
        """Something long on the main path got on: a large outbox that is read, for instance."""
        if self._ready:
            self.turn()
        elif (now := time.monotonic()) >= self._tell_due:
            self._tell_due = now + _TOLD_APART_S
            self._notifier.send(EXTEND_TIMEOUT_USEC=_us(_STEP_S))

    def status(self, line: str) -> None:
        """What people read in `systemctl status`; the same again is not sent."""
        if line != self._status:
            self._status = line
            self._notifier.send(STATUS=line)

    def stopping(self) -> None:
        """The end begins."""
        self._notifier.send(STOPPING=1, STATUS="stopping")


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
