"""The reference firmware under QEMU: an Arm MPS2 with its UART on a pty or a TCP socket."""

from __future__ import annotations

import functools
import json
import os
import socket
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.framing import FramerCounters
from firmware_bridge.wire_c import FIRMWARE
from spektron_edge.demo.broker import free_port
from tests.requirements import need

PIXELS = 700
# Where boards/mps2_an385/optics.c looks for samples.
_SAMPLES_AT = 0x21000000
_MAGIC = b"SPKS"
_OUT = tempfile.TemporaryDirectory(prefix="spektron-firmware-")
_PATIENCE_S = 60.0


@functools.cache
def build() -> Path:
    """`make firmware` into a folder of its own; the ELF file."""
    need("firmware")
    out = Path(_OUT.name)
    subprocess.run(["make", "-C", FIRMWARE, f"OUT={out}"], check=True, capture_output=True)
    return out / "mps2_an385.elf"


class Emulator:
    """One board. It keeps its url over resets and power cycles, as an instrument keeps its port."""

    def __init__(
        self,
        folder: Path,
        line: Literal["pty", "socket"],
        absorbance: NDArray[np.float64] | None = None,
    ) -> None:
        """`absorbance` (n, 700): samples that take turns with the scan number."""
        self._folder = folder
        self._line = line
        self._elf = build()
        self._absorbance = absorbance
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._qmp: socket.socket | None = None
        self._replies: Any = None
        self.url = (
            str(folder / "instrument") if line == "pty" else f"socket://127.0.0.1:{self._port}"
        )
        self.power_on()

    def power_on(self) -> None:
        """Start QEMU and wait until it speaks."""
        serial = "pty" if self._line == "pty" else f"tcp:127.0.0.1:{self._port},server=on,wait=off"
        monitor = self._folder / "qmp"
        monitor.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(monitor))
            listener.listen()
            listener.settimeout(_PATIENCE_S)
            self._process = subprocess.Popen(
                [
                    *("qemu-system-arm", "-M", "mps2-an385", "-display", "none"),
                    *("-kernel", self._elf, "-serial", serial, "-monitor", "none"),
                    *("-chardev", f"socket,id=qmp,path={monitor}", "-mon", "qmp,mode=control"),
                    *self._samples(),
                ],
                stdout=subprocess.DEVNULL,
            )
            self._qmp, _ = listener.accept()
        self._replies = self._qmp.makefile("r")
        assert "QMP" in json.loads(self._replies.readline())
        self.command("qmp_capabilities")
        if self._line == "pty":
            devices = self.command("query-chardev")
            (path,) = [d["filename"] for d in devices if d["filename"].startswith("pty:")]
            fresh = self._folder / "instrument.new"
            fresh.symlink_to(path.removeprefix("pty:"))
            fresh.replace(self._folder / "instrument")

    def _samples(self) -> list[str]:
        if self._absorbance is None:
            return []
        rows = np.rint(65535 * 10.0**-self._absorbance).astype("<u2")
        assert rows.shape[1] == PIXELS
        table = self._folder / "samples.bin"
        table.write_bytes(_MAGIC + struct.pack("<I", len(rows)) + rows.tobytes())
        return ["-device", f"loader,file={table},addr={_SAMPLES_AT:#x},force-raw=on"]

    def command(self, name: str, **arguments: Any) -> Any:
        """One command of QMP; what it returns."""
        assert self._qmp is not None
        request = {"execute": name, "arguments": arguments}
        self._qmp.sendall(json.dumps(request).encode())
        while "event" in (reply := json.loads(self._replies.readline())):
            pass
        assert "return" in reply, reply
        return reply["return"]

    def stop(self) -> None:
        """The processor stands still, and with it the clock and the line."""
        self.command("stop")

    def cont(self) -> None:
        """It goes on as if nothing had been."""
        self.command("cont")

    def reset(self) -> None:
        """The reset button."""
        self.command("system_reset")

    def kill(self) -> None:
        """Unplugged: kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._qmp is not None:
            self._replies.close()
            self._qmp.close()
            self._qmp = None

    def sent(self) -> dict[str, int]:
        """What the firmware counts of its scans and frames."""
        names = ("scans", "scans_lost", "frames_sent", "bytes_sent", "frames_lost")
        return dict(zip(names, self._counters("spektron_sent", len(names)), strict=True))

    def heard(self) -> FramerCounters:
        """What the firmware's framer has counted."""
        return FramerCounters(*self._counters("spektron_heard", 7))

    def _counters(self, pointer: str, count: int) -> tuple[int, ...]:
        (at,) = struct.unpack("<I", self._memory(self._symbols()[pointer], 4))
        return struct.unpack(f"<{count}I", self._memory(at, 4 * count))

    def _memory(self, at: int, size: int) -> bytes:
        dump = self._folder / "memory"
        self.command("pmemsave", val=at, size=size, filename=os.fspath(dump))
        return dump.read_bytes()

    def _symbols(self) -> dict[str, int]:
        names = subprocess.run(
            ["arm-none-eabi-nm", self._elf], check=True, capture_output=True, text=True
        )
        lines = [line.split() for line in names.stdout.splitlines()]
        return {line[-1]: int(line[0], 16) for line in lines if len(line) == 3}
