"""The firmware's C library on the host, built with sanitizers and spoken to through a pipe."""

from __future__ import annotations

import functools
import struct
import subprocess
import tempfile
from pathlib import Path

from firmware_bridge.framing import FramerCounters
from firmware_bridge.protocol import Capability
from firmware_bridge.wire_c import FIRMWARE
from tests.requirements import need

HERE = Path(__file__).parent
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-pedantic")
SANITIZERS = "address,undefined"
ALL = Capability.SHUTTER | Capability.REFERENCE | Capability.LAMP
NEVER = 0xFFFFFFFF
LINE_BYTES = 1 << 20
_FOLDER = tempfile.TemporaryDirectory(prefix="spektron-firmware-")


@functools.cache
def build(name: str, *sources: str, sanitizers: str = SANITIZERS) -> Path:
    """Compile `sources` of this folder and the library with clang; the program."""
    need("clang")
    program = Path(_FOLDER.name) / name
    subprocess.run(
        [
            *("clang", *WARNINGS, "-O1", "-g", f"-fsanitize={sanitizers}"),
            *("-fno-sanitize-recover=all", f"-I{FIRMWARE / 'include'}", "-o", program),
            *(HERE / source for source in sources),
            *sorted((FIRMWARE / "src").glob("*.c")),
        ],
        check=True,
    )
    return program


class Driver:
    """driver.c: the library's functions, one call at a time. A sanitizer's finding ends it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [build("driver", "driver.c", "bench.c")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def report(self) -> str:
        """End it; what the sanitizers had to say, nothing as a rule."""
        return self._process.communicate()[1].decode()

    def call(self, operation: str, data: bytes = b"", number: int = 0) -> bytes:
        """One request and its reply."""
        self.send(operation, data, number)
        assert self._process.stdout is not None
        size = self._process.stdout.read(4)
        if len(size) < 4:
            raise AssertionError(self.report())
        return self._process.stdout.read(int.from_bytes(size, "little"))

    def send(self, operation: str, data: bytes = b"", number: int = 0) -> None:
        """A request whose reply nobody waits for."""
        assert self._process.stdin is not None
        self._process.stdin.write(operation.encode() + struct.pack("<QI", number, len(data)) + data)
        self._process.stdin.flush()

    def recode(self, body: bytes) -> tuple[int, bytes]:
        """Status of decoding a body, and the body that what was decoded encodes to."""
        reply = self.call("r", body)
        return reply[0], reply[1:]

    def frame(self, body: bytes, piece: int = 1 << 20) -> bytes:
        """The frame around a body that is handed over in pieces."""
        return self.call("f", body, piece)


class HostFramer:
    """The C framer, with the face of the Python one."""

    def __init__(self, driver: Driver, max_frame: int) -> None:
        self._driver = driver
        driver.call("n", number=max_frame)

    def feed(self, data: bytes) -> list[bytes]:
        reply, bodies = self._driver.call("c", data), []
        while reply:
            end = 4 + int.from_bytes(reply[:4], "little")
            bodies.append(reply[4:end])
            reply = reply[end:]
        return bodies

    @property
    def counters(self) -> FramerCounters:
        return FramerCounters(*struct.unpack("<7I", self._driver.call("C")))


class HostDevice:
    """The C device on a board made of numbers, with the face of VirtualSpectrometer."""

    def __init__(
        self,
        driver: Driver,
        *,
        warmup_s: float = 0.0,
        capabilities: int = ALL,
        saturated_scan: int = NEVER,
        stuck: bool = False,
        line_bytes: int = LINE_BYTES,
    ) -> None:
        self._driver = driver
        self._began: float | None = None
        options = struct.pack("<4I", capabilities, saturated_scan, stuck, line_bytes)
        self.greeting = driver.call("d", options, round(warmup_s * 1e6))

    def feed(self, data: bytes, now: float) -> bytes:
        """Bytes that it sends when it hears `data` at `now` (s), counted from the first call."""
        self._began = now if self._began is None else self._began
        return self._driver.call("D", data, round((now - self._began) * 1e6))

    def poll(self, now: float) -> bytes:
        """Bytes that it sends by itself."""
        return self.feed(b"", now)

    @property
    def streaming(self) -> bool:
        return bool(struct.unpack_from("<I", self._driver.call("S"))[0])

    @property
    def counters(self) -> dict[str, int]:
        names = ("scans", "scans_lost", "frames_sent", "bytes_sent", "frames_lost")
        return dict(zip(names, struct.unpack_from("<5I", self._driver.call("S"), 4), strict=True))
