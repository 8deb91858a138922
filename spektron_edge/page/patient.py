"""HTTP connections of which nobody may hold too many, and none for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

MOST_CONNECTIONS = 64
HEADERS_S = 10.0
WRITE_S = 15.0
MOST_HEADERS = 16 * 1024
# Address and why.
Told = Callable[[str, str], None]


class PatientProtocol(H11Protocol):
    """uvicorn's, with time limits of its own: for the headers of a request (Slowloris), and for a
    browser to take what was written to it."""

    _headers_due: asyncio.TimerHandle | None = None
    _write_due: asyncio.TimerHandle | None = None
    _spoken = False

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        told: Told,
    ) -> None:
        """told: of every connection that is ended because of what came through it, or did not."""
        super().__init__(config, server_state, app_state, _loop)
        self._told = told

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """One more, or one too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse("connections")
            return
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        _cancel(self._headers_due)
        self._headers_due = None
        _cancel(self._write_due)
        self._write_due = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        self._spoken = True
        super().data_received(data)
        if self._under_way:
            _cancel(self._headers_due)
            self._headers_due = None
        elif self._headers_due is None and not self.transport.is_closing():
            self._await_headers()

    def pause_writing(self) -> None:
        """The browser takes less than it is sent."""
        super().pause_writing()
        if self._write_due is None:
            self._write_due = self.loop.call_later(WRITE_S, self._refuse, "slow_reader")

    def resume_writing(self) -> None:
        """It has taken what waited."""
        _cancel(self._write_due)
        self._write_due = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP. In the midst of an answer there is no room for another one."""
        if self._under_way:
            self._refuse("malformed")
            return
        self._told(self._address, "malformed")
        super().send_400_response(msg)

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else "local"

    @property
    def _under_way(self) -> bool:
        # uvicorn declares no None there, and begins with it.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _await_headers(self) -> None:
        self._headers_due = self.loop.call_later(HEADERS_S, self._too_slow)

    def _too_slow(self) -> None:
        if self._spoken:
            self._refuse("slow_headers")
        else:
            # Browsers open connections in advance.
            self.transport.abort()

    def _refuse(self, why: str) -> None:
        self._told(self._address, why)
        self.transport.abort()


def _cancel(handle: asyncio.TimerHandle | None) -> None:
    if handle is not None:
        handle.cancel()
