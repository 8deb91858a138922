"""Everything that a soak runs: broker, network, instruments, disk, clock, daemon, page."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spektron_edge.demo.broker import free_port
from tests.integration.rig import Mosquitto, Rig, listening, standard_settings, until
from tests.soak.ledger import Ledger
from tests.soak.proxy import Proxy

RATE = 20.0
# What one scan takes in the outbox, whose records are all kept until the end, bytes.
_SCAN_BYTES = 2600
_ROOM_BYTES = 48 << 20
_LEFT_BYTES = 4096
_PATIENCE_S = 10.0
_BROKER = "allow_anonymous true\npersistence true\nautosave_interval 2\npersistence_location "


class Line:
    """The hand at the instruments' plug. boot_id: of the one that is plugged in."""

    def __init__(self, folder: Path, rate: float) -> None:
        self.log = folder / "made.log"
        command = [sys.executable, "-m", "tests.soak.instruments"]
        self._process = subprocess.Popen(
            [*command, folder / "instrument", self.log, str(rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.boot_id = self._answer()

    @property
    def pid(self) -> int:
        return self._process.pid

    def do(self, command: str) -> None:
        """As `Plug.carry_out`."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        self.boot_id = self._answer()

    def signal(self, number: signal.Signals) -> None:
        """Stop it, or let it go on."""
        self._process.send_signal(number)

    def close(self) -> None:
        """Take the instruments away."""
        self._process.send_signal(signal.SIGCONT)
        self._process.communicate()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said, "the instruments have ended"
        return int(said)


class Disk:
    """A small file system of its own at `folder`, which can be full or read only."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)

    def fill(self) -> None:
        """No room from now on but what is taken."""

        def filled() -> bool:
            # More may have been taken meanwhile.
            status = os.statvfs(self._folder)
            taken = (status.f_blocks - status.f_bfree) * status.f_frsize
            return self._remount(f"size={taken + _LEFT_BYTES}")

        until(filled, "a full disk", _PATIENCE_S)

    def free(self) -> None:
        """Room again."""
        assert self._remount(f"size={self._size}")

    def read_only(self, yes: bool) -> None:
        """Nobody may have it open for writing."""
        option = "ro" if yes else "rw"
        until(lambda: self._remount(option), f"a disk that is {option}", _PATIENCE_S)

    def close(self) -> None:
        subprocess.run(["umount", "-l", self._folder], check=True)

    def _remount(self, option: str) -> bool:
        command = ["mount", "-o", f"remount,{option}", self._folder]
        return not subprocess.run(command, capture_output=True, check=False).returncode


class WallClock:
    """By how much the daemon's wall clock is ahead, in a file that `shifted` reads."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set(0.0)

    def set(self, ahead_s: float) -> None:
        with self.file.open("r+b" if self.file.exists() else "wb") as stream:
            stream.write(struct.pack("d", ahead_s))


@dataclass
class Bench:
    """What a fault may be done to.

    asked: exit statuses of daemons that were asked to end, each with their age, s; ended: of those
    that were not, each with when that was by time.monotonic(), s.
    """

    folder: Path
    broker: Mosquitto
    proxy: Proxy
    line: Line
    disk: Disk
    clock: WallClock
    rig: Rig
    ledger: Ledger
    page: subprocess.Popen[bytes] | None = None
    asked: list[tuple[float, int]] = field(default_factory=list)
    ended: list[tuple[float, int]] = field(default_factory=list)
    wanted: bool = True
    _asked: bool = False
    _again_at: float = 0.0
    _started_at: float = 0.0

    @property
    def daemon(self) -> subprocess.Popen[bytes] | None:
        """The daemon's process, if there is one."""
        return self.rig._process

    def supervise(self) -> None:
        """As the system does: a daemon that ended and should run is started again, 1 s later."""
        daemon = self.daemon
        if daemon is not None and daemon.poll() is not None:
            if self._asked:
                self.asked.append((time.monotonic() - self._started_at, daemon.returncode))
            else:
                self.ended.append((time.monotonic(), daemon.returncode))
                self._again_at = time.monotonic() + 1.0
            self.rig._process = daemon = None
        if daemon is None and self.wanted and time.monotonic() >= self._again_at:
            self.rig.start()
            self._started_at, self._asked = time.monotonic(), False

    def kill(self) -> None:
        """Power off: kill -9."""
        self.wanted = False
        if self.daemon is not None:
            self.rig.kill()

    def ask_to_end(self) -> None:
        """SIGTERM; `begin` may come before it has ended."""
        self.wanted = False
        if self.daemon is not None:
            self._asked = True
            self.daemon.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """The same, and wait for it."""
        self.ask_to_end()
        until(lambda: self.supervise() or self.daemon is None, "the daemon's end")

    def begin(self) -> None:
        """Have the daemon run from now on."""
        self.wanted, self._again_at = True, 0.0
        self.supervise()


@contextlib.contextmanager
def bench(folder: Path, seconds: float, *, page: bool) -> Iterator[Bench]:
    """All of it, running, from the first prediction on."""
    size = _ROOM_BYTES + int(_SCAN_BYTES * RATE * seconds)
    (folder / "kept").mkdir()
    with contextlib.ExitStack() as opened:
        broker = Mosquitto(folder, f"{_BROKER}{folder}/kept/")
        broker.start()
        opened.callback(broker.kill)
        proxy = Proxy(broker.port)
        proxy.start()
        opened.callback(proxy.stop)
        disk = Disk(folder / "state", size)
        opened.callback(disk.close)
        clock = WallClock(folder / "ahead")
        rig = Rig(folder, entry=("tests.soak.shifted", str(clock.file)))
        rig.settings = standard_settings(folder, f"mqtt://127.0.0.1:{proxy.port}")
        rig.settings["mqtt"]["timeout_s"] = 5
        rig.settings["outbox"] = {"keep_sent_mb": size >> 20, "replay_per_s": 1000}
        rig.settings["page"] = {"port": free_port()}
        line = Line(folder, RATE)
        opened.callback(line.close)
        ledger = Ledger(folder / "came.jsonl")
        opened.enter_context(listening(broker.port, ledger))
        made = Bench(folder, broker, proxy, line, disk, clock, rig, ledger)
        opened.callback(rig.stop)
        made.begin()
        until(ledger.newest, "the first prediction")
        if page:
            made.page = opened.enter_context(_page(rig))
        yield made


@contextlib.contextmanager
def _page(rig: Rig) -> Iterator[subprocess.Popen[bytes]]:
    with (rig.folder / "page.log").open("ab") as log:
        command = [sys.executable, "-m", "spektron_edge", "page", "--config", rig.config]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
