"""The service manager's socket: one datagram for each message (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """Sends to an address; says nothing where there is none. Never waits and never raises.

    From any thread.
    """

    def __init__(self, address: str | None = None) -> None:
        """address: a path, or a name in the abstract namespace behind an `@`."""
        self._address: str | None = None
        # Others, of virtual machines, do not come to a service.
        if address is not None and address[:1] in ("/", "@") and len(address) > 1:
            self._address = address if address[0] == "/" else "\0" + address[1:]

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Notifier:
        """The one that this process was given."""
        return cls(environment.get("NOTIFY_SOCKET"))

    @property
    def listened_to(self) -> bool:
        """Whether there is somebody to tell."""
        return self._address is not None

    def send(self, **assignments: str | int) -> None:
        """Tell all of these in one message. A line break would begin another assignment."""
        if self._address is None:
            return
        lines = (f"{name}={' '.join(str(value).split())}" for name, value in assignments.items())
        # A manager that is being replaced is not there for a moment.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            line.sendto("\n".join(lines).encode(errors="replace"), self._address)


def watchdog_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """How long the manager waits for a sign of life from this process, s; None: for ever."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        # Of whoever has started this process.
        return None
    told = environment.get("WATCHDOG_USEC", "")
    microseconds = int(told) if told.isascii() and told.isdigit() else 0
    return microseconds * 1e-6 if microseconds else None
