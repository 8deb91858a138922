"""The door's thread: who comes in, what they ask, and what they are sent; it waits for nobody."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import stat
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

from spektron_edge import log
from spektron_edge.faults import Fault, Faults

from .asking import AtDoor, LineRefused, read_line
from .connection import MOST_OPEN, SILENT_S, Connection
from .lines import MOST_READ
from .telling import Answer, SpectrumTold, Telling, refusal

MOST_CONNECTIONS = 4
_SPECTRA_APART_S = 0.1
_TICK_S = 0.05
_IDLE_S = 1.0
_MOST_HANDED = 1024
_PEER = struct.Struct("3i")


class Listener:
    """`hand`, `offer`, `wake` are the main path's, and never wait. counters: for the state."""

    def __init__(
        self,
        path: Path,
        welcome: Callable[[], tuple[Telling, ...]],
        post: Callable[[AtDoor], None],
        failed: Callable[[Fault], None],
        silent_s: float = SILENT_S,
    ) -> None:
        """welcome: what somebody who comes in is told first; post: takes what they ask; failed:
        told when the door's thread ends by a mistake of its own; silent_s: who takes nothing for
        so long is cut off."""
        self._path, self._welcome, self._post = path, welcome, post
        self._failed, self._silent_s = failed, silent_s
        self._selector: selectors.BaseSelector
        self._connections: dict[int, Connection] = {}
        self._numbers = 0
        self._handed: deque[Telling] = deque()
        self._spectrum: deque[SpectrumTold] = deque(maxlen=1)
        self._spectrum_due = 0.0
        self._socket: socket.socket | None = None
        self._bell: socket.socket
        self._rung: socket.socket
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="door", daemon=True)
        self.somebody = False
        self.counters: Counter[str] = Counter()

    # ---- on the main path

    def open(self) -> None:
        """Let programs in. Raises Fault(DOOR_SHUT)."""
        try:
            self._socket = _bound(self._path)
        except OSError as error:
            raise Fault(Faults.DOOR_SHUT, f"{self._path}: {error.strerror or error}") from None
        self._socket.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._bell, self._rung = socket.socketpair()
        self._selector.register(self._socket, selectors.EVENT_READ)
        for end in (self._bell, self._rung):
            end.setblocking(False)
        self._selector.register(self._rung, selectors.EVENT_READ)
        self._thread.start()

    def hand(self, telling: Telling) -> None:
        """Have this sent to everybody, or an answer to who asked; `wake` says when."""
        if not self.somebody:
            return
        if len(self._handed) >= _MOST_HANDED and not isinstance(telling, Answer):
            self.counters["door_dropped_records"] += 1
            return
        self._handed.append(telling)

    def offer(self, spectrum: SpectrumTold) -> None:
        """The same for a spectrum, which takes the place of one that still waits."""
        if self.somebody:
            self.counters["door_dropped_spectra"] += len(self._spectrum)
            self._spectrum.append(spectrum)

    def wake(self) -> None:
        """Now is a good time to send."""
        if self._handed or self._spectrum:
            with contextlib.suppress(OSError):
                self._bell.send(b"\0")

    def close(self, within_s: float) -> None:
        """Send what waits, if that can be done in time, and let nobody in any more."""
        if self._socket is None:
            return
        self._ending.set()
        with contextlib.suppress(OSError):
            self._bell.send(b"\0")
        self._thread.join(within_s)
        self._bell.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    # ---- on the door's thread

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self._turn()
            self._send_out(time.monotonic())
        except Exception as error:  # noqa: BLE001 - the daemon has to know that nobody is at the door
            self._failed(Fault(Faults.DOOR_SHUT, f"the door's thread ended: {error!r}"))
        finally:
            self.somebody = False
            for connection in self._connections.values():
                connection.stream.close()
            if self._socket is not None:
                self._socket.close()
            self._rung.close()
            self._selector.close()

    def _turn(self) -> None:
        for key, events in self._selector.select(self._patience_s()):
            if key.fileobj is self._socket:
                self._let_in(self._socket)
            elif key.fileobj is self._rung:
                with contextlib.suppress(BlockingIOError):
                    self._rung.recv(4096)
            elif events & selectors.EVENT_READ:
                self._receive(key.data)
        now = time.monotonic()
        for connection in list(self._connections.values()):
            for line in connection.lines(now):
                self._take(connection, line)
        self._send_out(now)

    def _patience_s(self) -> float:
        busy = any(c.sending or not c.reading for c in self._connections.values())
        return _TICK_S if busy or self._spectrum else _IDLE_S

    def _let_in(self, door: socket.socket) -> None:
        try:
            stream, _ = door.accept()
        except OSError:
            return
        credentials = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        pid, uid, _ = _PEER.unpack(credentials)
        why = ""
        if uid not in (os.geteuid(), 0):
            why = f"user {uid} may not come in"
        elif len(self._connections) >= MOST_CONNECTIONS:
            why = f"{MOST_CONNECTIONS} programs are connected already"
        if why:
            self.counters["door_refused"] += 1
            log.warn("door_refused", pid=pid, why=why, next="only the daemon's user and root may")
            with stream, contextlib.suppress(OSError):
                stream.setblocking(False)
                stream.send(refusal(0, None, why).line())
            return
        self._numbers += 1
        connection = Connection(stream, self._numbers, time.monotonic())
        self._connections[connection.number] = connection
        self.counters["door_connections"] += 1
        # Before the welcome is read: what is told meanwhile is handed over, and not lost.
        self.somebody = True
        connection.known = self._welcome()
        for telling in connection.known:
            connection.send(telling.line())
        self._selector.register(stream, selectors.EVENT_READ, connection)

    def _receive(self, connection: Connection) -> None:
        try:
            there = connection.receive()
        except OSError:
            there = False
        if not there:
            self._drop(connection)

    def _take(self, connection: Connection, line: bytes | None) -> None:
        number = connection.number
        if line is None:
            self._refuse(connection, None, f"a line is longer than {MOST_READ} bytes")
            return
        try:
            found = read_line(line)
        except LineRefused as refused:
            self._refuse(connection, refused.id, str(refused))
            return
        if connection.open >= MOST_OPEN:
            self._refuse(connection, found.id, f"{MOST_OPEN} wait already; nothing was done")
            return
        connection.open += 1
        self._post(AtDoor(number, found))

    def _refuse(self, connection: Connection, id_: str | None, why: str) -> None:
        self.counters["door_refused"] += 1
        connection.send(refusal(connection.number, id_, why).line())

    def _send_out(self, now: float) -> None:
        while self._handed:
            self._tell(self._handed.popleft())
        if self._spectrum and now >= self._spectrum_due:
            # A scan that is early by its jitter does not move those after it.
            self._spectrum_due = max(self._spectrum_due + _SPECTRA_APART_S, now)
            spectrum = self._spectrum.popleft()
            line = spectrum.line() if self._connections else b""
            for connection in self._connections.values():
                known = any(spectrum is told for told in connection.known)
                if not known and not connection.offer(line):
                    self.counters["door_dropped_spectra"] += 1
        for connection in list(self._connections.values()):
            try:
                connection.flush(now)
            except OSError:
                self._drop(connection)
                continue
            if connection.deaf(now, self._silent_s):
                self.counters["door_cut_off"] += 1
                log.warn("door_cut_off", why="it does not read", next="see the program's own log")
                self._drop(connection)
                continue
            self._watch(connection)

    def _tell(self, telling: Telling) -> None:
        if isinstance(telling, Answer):
            connection = self._connections.get(telling.connection)
            if connection is not None:
                connection.open -= telling.stage != "accepted"
                connection.send(telling.line())
            return
        line = b""
        for connection in self._connections.values():
            if not any(telling is known for known in connection.known):
                line = line or telling.line()
                connection.send(line)

    def _watch(self, connection: Connection) -> None:
        events = selectors.EVENT_READ if connection.reading else 0
        events |= selectors.EVENT_WRITE if connection.sending else 0
        known = connection.stream in self._selector.get_map()
        if not events and known:
            self._selector.unregister(connection.stream)
        elif events and known:
            self._selector.modify(connection.stream, events, connection)
        elif events:
            self._selector.register(connection.stream, events, connection)

    def _drop(self, connection: Connection) -> None:
        self._connections.pop(connection.number, None)
        with contextlib.suppress(KeyError):
            self._selector.unregister(connection.stream)
        connection.stream.close()
        self.somebody = bool(self._connections)


def _bound(path: Path) -> socket.socket:
    """A socket that a killed daemon left is replaced; anything else of that name stays."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(f"{path.name} is there, and is no socket: move it away")
        path.unlink()
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        found.bind(str(path))
        # Before anybody can connect.
        path.chmod(0o600)
        found.listen(MOST_CONNECTIONS)
    except OSError:
        found.close()
        raise
    return found
