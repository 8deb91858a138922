"""One session after the other, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from spektron_edge.faults import Fault, Faults
from spektron_edge.service.beats import Beat

from .backoff import Backoff
from .session import End, Session

_SHORT_SESSION_S = 5.0
_SUSPICIOUS = 3
_PATIENCE_S = 4.0
_FILES_S = 10.0


class Keeper:
    """Keeps a session up until it is stopped."""

    def __init__(
        self,
        make: Callable[[], Session],
        tell: Callable[[Fault], None],
        backoff: Backoff,
        beat: Beat,
    ) -> None:
        """make: a new session, with certificates and passwords as they are in their files then;
        raises Fault, here and later. tell: why a session ended or cannot be made; on the thread.
        beat: the thread's."""
        self._make = make
        self._tell = tell
        self._backoff = backoff
        self._beat = beat
        self._short_sessions = 0
        self._stopping = False
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self.session = make()

    def start(self) -> None:
        """Begin to connect, and keep at it."""
        self._thread.start()

    def again(self) -> None:
        """Leave the session in good order and make the next one at once."""
        self.session.leave()
        self._hurry.set()

    def stop(self) -> None:
        """Leave the session in good order and end the thread."""
        self._stopping = True
        self.again()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while not self._stopping:
            end = self.session.run(self._beat)
            self._beat.doing("making a new session", _FILES_S)
            if end.fault is None:
                self._hurry.clear()
            else:
                self._tell(self._named(end.fault, end))
                self._wait(end.lasted_s)
            while (fault := self._next()) is not None:
                self._tell(fault)
                self._wait(0.0)
        self._beat.rest()

    def _wait(self, lasted_s: float) -> None:
        if not self._stopping:
            wait_s = self._backoff.wait_s(lasted_s)
            self._beat.doing("waiting for its next attempt", wait_s)
            self._hurry.wait(wait_s)
            self._hurry.clear()
            self._beat.doing("making a new session", _FILES_S)

    def _next(self) -> Fault | None:
        if self._stopping:
            return None
        try:
            self.session = self._make()
        except Fault as fault:
            return fault
        if self._stopping:
            # `stop` may have told the one before.
            self.session.leave()
        return None

    def _named(self, fault: Fault, end: End) -> Fault:
        short = 0.0 < end.lasted_s < _SHORT_SESSION_S and not end.blamed
        self._short_sessions = self._short_sessions + 1 if short else 0
        if fault.kind is Faults.BROKER_UNREACHABLE and self._short_sessions >= _SUSPICIOUS:
            # MQTT 3.1.1 knows no reason.
            told = f"{fault.detail}, {self._short_sessions} times in a row right after accepting us"
            return Fault(Faults.SESSION_TAKEN, f"{told}: another client may use this client id")
        return fault
