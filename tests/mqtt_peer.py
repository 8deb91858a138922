"""A peer that does what no broker can be made to do: each connection runs a script of its own."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

ACCEPT = bytes([0x20, 3, 0, 0, 0])
CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14


def connack(reason: int = 0, *, receive_maximum: int = 0, largest: int = 0) -> bytes:
    properties = b""
    if receive_maximum:
        properties += b"\x21" + struct.pack("!H", receive_maximum)
    if largest:
        properties += b"\x27" + struct.pack("!I", largest)
    body = bytes([0, reason, len(properties)]) + properties
    return bytes([0x20, len(body)]) + body


def disconnect(reason: int) -> bytes:
    return bytes([0xE0, 2, reason, 0])


def puback(mid: int, reason: int = 0) -> bytes:
    return bytes([0x40, 4]) + struct.pack("!H", mid) + bytes([reason, 0])


@dataclass
class Packet:
    """One control packet, whole. topic, mid and payload: of a PUBLISH without properties' help."""

    kind: int
    flags: int
    body: bytes
    size: int

    @property
    def topic(self) -> str:
        (length,) = struct.unpack_from("!H", self.body)
        return self.body[2 : 2 + length].decode()

    @property
    def mid(self) -> int:
        at = 2 + len(self.topic.encode()) if self.kind == PUBLISH else 0
        return struct.unpack_from("!H", self.body, at)[0]

    @property
    def retain(self) -> bool:
        return bool(self.flags & 1)


@dataclass
class Line:
    """One accepted connection."""

    socket: socket.socket
    seen: list[Packet] = field(default_factory=list)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, *kinds: int) -> Packet:
        """The next packet of these kinds (any, without); ConnectionError at the end."""
        while True:
            packet = self._packet()
            self.seen.append(packet)
            if not kinds or packet.kind in kinds:
                return packet

    def _packet(self) -> Packet:
        (first,) = self._exactly(1)
        length = shift = 0
        header = 1
        while True:
            (byte,) = self._exactly(1)
            header += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        return Packet(first >> 4, first & 15, self._exactly(length), header + length)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("the other side closed")
            data += more
        return data


Script = Callable[[Line], None]


@dataclass
class Peer:
    """Where it listens, and the connections it has had."""

    port: int
    lines: list[Line] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


@contextlib.contextmanager
def listening_peer(*scripts: Script) -> Iterator[Peer]:
    """The n-th connection runs the n-th script, later ones the last; then it is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        peer, stop = Peer(server.getsockname()[1]), threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    accepted, _ = server.accept()
                except TimeoutError:
                    continue
                with accepted:
                    accepted.settimeout(20.0)
                    line = Line(accepted)
                    peer.lines.append(line)
                    with contextlib.suppress(OSError):
                        scripts[min(len(peer.lines), len(scripts)) - 1](line)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield peer
        finally:
            stop.set()
            for line in peer.lines:
                with contextlib.suppress(OSError):
                    line.socket.shutdown(socket.SHUT_RDWR)
            thread.join()
