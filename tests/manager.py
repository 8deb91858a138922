"""A service manager as a process sees one: a socket that its messages come to."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path

Told = dict[str, str]


class Manager:
    """`address`: for NOTIFY_SOCKET; `told`: every message so far."""

    def __init__(self, address: str) -> None:
        """address: a path, or `@` and a name."""
        self.address = address
        self.told: list[Told] = []
        self._fed_at = time.monotonic()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address if address[0] == "/" else "\0" + address[1:])
        self._socket.settimeout(0.1)

    @classmethod
    def at(cls, folder: Path) -> Manager:
        return cls(str(folder / "notify"))

    def listen(self) -> None:
        """Take the next message, if one comes in a moment."""
        with contextlib.suppress(TimeoutError):
            lines = self._socket.recv(65536).decode().splitlines()
            self.told.append(dict(line.split("=", 1) for line in lines))
            if "WATCHDOG" in self.told[-1]:
                self._fed_at = time.monotonic()

    def until(self, condition: Callable[[], object], what: str, patience_s: float = 60.0) -> None:
        """Listen until that holds."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                told = [message for message in self.told if "WATCHDOG" not in message]
                raise AssertionError(f"waited in vain for {what}; told {told[-5:]}")
            self.listen()

    def hears(self, name: str, *words: str) -> Told:
        """The first message, from now on, with this assignment and these words in it."""
        known = len(self.told)

        def found() -> list[Told]:
            new = self.told[known:]
            return [t for t in new if name in t and all(word in t[name] for word in words)]

        self.until(found, f"{name} with {words}")
        return found()[0]

    def is_fed(self, times: int = 5) -> None:
        """The watchdog is fed, again and again."""
        for _ in range(times):
            self.hears("WATCHDOG")

    def starves(self, for_s: float) -> None:
        """No food for so long."""
        self.until(lambda: time.monotonic() - self._fed_at > for_s, "silence")

    def close(self) -> None:
        self._socket.close()
