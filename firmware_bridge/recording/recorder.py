"""Sits between host and instrument, passes everything on and keeps it."""

from __future__ import annotations

import select
import threading
import time
from dataclasses import dataclass

from firmware_bridge.errors import LinkError, PortLost
from firmware_bridge.recording.file import BACK, LOST, Writer
from firmware_bridge.terminal import Terminal
from firmware_bridge.transport import Transport

_WAIT_S = 0.02
_AGAIN_S = 0.5
# A host that does not read loses what does not fit its terminal, as it would with the port.
_HOST_TAKES_S = 0.0


@dataclass
class Recorded:
    """What passed; `lost`: bytes of the instrument that the host did not take; `ended`: why.

    failed: the file took no more, a full disk for instance; its last line may be torn.
    """

    from_host: int = 0
    from_instrument: int = 0
    lost: int = 0
    ended: str = ""
    failed: bool = False


def record(
    url: str,
    baud: int,
    writer: Writer,
    terminal: Terminal | None,
    stop: threading.Event,
    *,
    longest_s: float,
) -> Recorded:
    """Until `stop`, or a cap. Without a `terminal` it only listens.

    A port that vanishes takes the terminal with it, and comes back with it. Raises PortMissing,
    PortBusy, PortDenied where there is none at the beginning.
    """
    return _Session(url, baud, writer, terminal).run(stop, longest_s)


class _Session:
    def __init__(self, url: str, baud: int, writer: Writer, terminal: Terminal | None) -> None:
        self._url, self._baud = url, baud
        self._writer, self._terminal = writer, terminal
        self._begun = time.monotonic()
        self._recorded = Recorded()
        self._port: Transport | None = Transport(url, baud)

    def run(self, stop: threading.Event, longest_s: float) -> Recorded:
        try:
            while not self._ended(stop, longest_s):
                if self._port is None:
                    stop.wait(_AGAIN_S)
                    self._come_back()
                    continue
                try:
                    self._follow_baud(self._port)
                    self._from_instrument(self._port)
                    self._from_host(self._port)
                except PortLost:
                    self._lose()
            self._writer.note(self._t, f"end: {self._recorded.ended}")
        except OSError as error:
            if error.filename != str(self._writer.path):
                raise
            self._recorded.ended = f"{self._writer.path}: {error.strerror}"
            self._recorded.failed = True
        finally:
            if self._port is not None:
                self._port.close()
        return self._recorded

    @property
    def _t(self) -> float:
        return time.monotonic() - self._begun

    def _ended(self, stop: threading.Event, longest_s: float) -> str:
        if stop.is_set():
            self._recorded.ended = "stopped"
        elif self._writer.full:
            self._recorded.ended = "the file has reached its cap"
        elif self._t >= longest_s:
            self._recorded.ended = f"{longest_s:g} s are over"
        return self._recorded.ended

    def _from_instrument(self, port: Transport) -> None:
        # What the host sends must not wait for an instrument that is silent.
        host = None if self._terminal is None else self._terminal.fd
        if host is not None and select.select([host], [], [], 0.0)[0]:
            data = port.read(0.0)
        else:
            data = port.read(_WAIT_S)
        if not data:
            return
        self._recorded.from_instrument += len(data)
        self._writer.chunk(self._t, "instrument", data)
        if self._terminal is not None:
            self._recorded.lost += len(data) - self._terminal.write(data, _HOST_TAKES_S)

    def _from_host(self, port: Transport) -> None:
        data = b"" if self._terminal is None else self._terminal.read()
        if data:
            self._recorded.from_host += len(data)
            self._writer.chunk(self._t, "host", data)
            port.write(data)

    def _follow_baud(self, port: Transport) -> None:
        baud = self._baud if self._terminal is None else self._terminal.baud
        if baud != self._baud:
            self._baud = baud
            self._writer.note(self._t, f"baud {baud}")
            port.set_baud(baud)

    def _lose(self) -> None:
        self._writer.note(self._t, LOST)
        if self._port is not None:
            self._port.close()
        self._port = None
        if self._terminal is not None:
            self._terminal.unplug()

    def _come_back(self) -> None:
        try:
            self._port = Transport(self._url, self._baud)
        except LinkError:
            return
        if self._terminal is not None:
            self._terminal.plug()
        self._writer.note(self._t, BACK)
