"""Two virtual instruments at one plug, as a process of their own: `python -m tests.soak.instruments
LINK LOG RATE`.

Every scan that is made is a line of LOG: serial, boot_id, number, position, time.monotonic().
Standard input takes one command a line, and each is answered by a line: the boot_id at the plug.
"""

from __future__ import annotations

import os
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from firmware_bridge.framing import DELIMITER
from firmware_bridge.virtual import PtyPort, VirtualSpectrometer
from spektron_edge.demo.corn import load_corn

SERIALS = ("VIRT-0001", "VIRT-0002")
_RUBBISH_BYTES = 300


class Logged(VirtualSpectrometer):
    """Writes down what it makes, and can spoil what it sends.

    rubbish: put random bytes before every frame; cut: send half of the next frame only.
    """

    def __init__(self, log: int, *given, **more) -> None:
        super().__init__(*given, **more)
        self._log = log
        self._chance = random.Random(more["seed"])
        self.rubbish = self.cut = False

    def _scan(self, at: float) -> bytes:
        boot_id, number, position = self.boot_id, self._number, self._settings.position
        out = super()._scan(at)
        if self.boot_id == boot_id:
            line = f"{self.serial} {boot_id} {number} {int(position)} {time.monotonic():.4f}\n"
            os.write(self._log, line.encode())
        if self.rubbish:
            out = self._chance.randbytes(_RUBBISH_BYTES) + out
        if self.cut:
            self.cut = False
            out = out[: len(out) // 2]
        return out

    def pieces(self, out: bytes) -> list[bytes]:
        """What is no whole frame goes out as well."""
        *frames, rest = out.split(DELIMITER)
        return [frame + DELIMITER for frame in frames] + ([rest] if rest else [])


class Plug:
    """One of the two is plugged in; the other one has no power."""

    def __init__(self, link: Path, log: Path, rate: float) -> None:
        corn = load_corn()
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._usual_s = 1.0 / rate
        self._ports = []
        for seed, serial in enumerate(SERIALS):
            device = Logged(
                handle,
                corn.test.spectra["m5"],
                corn.axis_nm,
                serial=serial,
                seed=seed,
                interval_s=self._usual_s,
            )
            self._ports.append(PtyPort(device, link=link))
            self._ports[-1].unplug()
        self._at = 0
        self._ports[0].plug()

    def carry_out(self, command: str) -> None:
        """One of the methods and settings below."""
        port = self._ports[self._at]
        match command.split():
            case ["unplug"]:
                port.unplug()
            case ["plug"]:
                port.plug()
            case ["power_cycle"]:
                port.power_cycle()
            case ["exchange"]:
                self._exchange()
            case ["silent", on]:
                faults = replace(port.device.faults, silent=bool(int(on)))
                port.call(lambda: setattr(port.device, "faults", faults))
            case ["rubbish", on]:
                port.call(lambda: setattr(port.device, "rubbish", bool(int(on))))
            case ["cut"]:
                port.call(lambda: setattr(port.device, "cut", True))
            case ["pace", interval_s]:
                pace_s = float(interval_s) or self._usual_s
                port.call(lambda: setattr(port.device, "_interval_s", pace_s))
            case _:
                raise ValueError(command)

    def _exchange(self) -> None:
        port = self._ports[self._at]
        port.unplug()
        port.power_cycle()
        self._at = 1 - self._at
        self._ports[self._at].plug()

    @property
    def boot_id(self) -> int:
        """Of the one that is plugged in."""
        device = self._ports[self._at].device
        return self._ports[self._at].call(lambda: device.boot_id)

    def close(self) -> None:
        """Take both away."""
        for port in self._ports:
            port.close()


def main(link: str, log: str, rate: str) -> None:
    """Until the end of standard input."""
    plug = Plug(Path(link), Path(log), float(rate))
    print(plug.boot_id, flush=True)
    for line in sys.stdin:
        plug.carry_out(line)
        print(plug.boot_id, flush=True)
    plug.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
