"""The page's socket: no more connections are taken than there is memory for, not even of those that
have said nothing yet."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

# Beside those that speak (`patient.MOST_CONNECTIONS`), which are counted once TLS has been agreed
# upon: asyncio keeps 256 kB for each that has not.
MOST_ACCEPTED = 96
# One machine, or what stands behind one proxy: not so many that nobody else comes in.
MOST_OF_ONE = 48
# Of those that the kernel keeps for us.
_BACKLOG = 64


class Listening(socket.socket):
    """told: of each that is turned away, by its address and why."""

    def __init__(self, *of: Any, **more: Any) -> None:
        super().__init__(*of, **more)
        self.told: Callable[[str, str], None] = lambda _address, _why: None
        self._accepted: list[tuple[socket.socket, str]] = []

    def accept(self) -> tuple[socket.socket, Any]:
        """The next one. Raises ConnectionAbortedError, which asyncio takes for one that went."""
        connection, address = super().accept()
        host = str(address[0])
        self._accepted = [one for one in self._accepted if one[0].fileno() >= 0]
        of_one = sum(other == host for _, other in self._accepted)
        if len(self._accepted) >= MOST_ACCEPTED or of_one >= MOST_OF_ONE:
            connection.close()
            self.told(host, "connections")
            raise ConnectionAbortedError
        self._accepted.append((connection, host))
        return connection, address


def listening_at(host: str, port: int) -> Listening:
    """Bound to the first address of that name. Raises OSError."""
    kind, flags = socket.SOCK_STREAM, socket.AI_PASSIVE
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=kind, flags=flags)[0]
    found = Listening(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_BACKLOG)
    except OSError:
        found.close()
        raise
    return found
